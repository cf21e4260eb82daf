"""What an engine may be told, and what it asks the namespace's quota for."""

import dataclasses
from collections.abc import Callable
from functools import partial

import pytest

from components import engines
from components.engines import CloudNativePg, Engine, Postgres
from tests.unit.program.databases import IMAGE, MANAGED, NAME, OPERATED, POSTGRES, containers, declared, pods


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Postgres, image="postgres"), "image must be an image with a digest or a tag"),
        (partial(Postgres, image=IMAGE, storage="1 GB"), "storage must be a positive Kubernetes quantity"),
        (partial(Postgres, image=IMAGE, backup_storage="0"), "backup_storage must be a positive Kubernetes quantity"),
        (partial(Postgres, image=IMAGE, backups_kept=0), "backups_kept must be from 1 to 100, found 0"),
        (partial(dataclasses.replace, MANAGED, host="db example"), "host must be a DNS name"),
        (partial(dataclasses.replace, MANAGED, networks=[]), "networks must name at least one network"),
        (partial(dataclasses.replace, MANAGED, networks=["10.0.0.1"]), "networks must be a list"),
        (partial(dataclasses.replace, MANAGED, port=0), "port must be from 1 to 65535, found 0"),
        (partial(CloudNativePg, api_server=[]), "api_server must name at least one network"),
        (partial(dataclasses.replace, OPERATED, instances=0), "instances must be from 1 to 9, found 0"),
        (partial(dataclasses.replace, OPERATED, operator_namespace="No"), "operator_namespace must be"),
    ],
)
def test_an_engine_refuses_what_it_cannot_be(make: Callable[[], Engine], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_quota_is_asked_for_every_pod_that_there_may_be() -> None:
    own = declared()
    asked = engines.demands(NAME, POSTGRES)
    assert sum(demand.pods for demand in asked) == len(pods(own))
    for demand, template in zip([asked[0], asked[1], asked[1]], pods(own).values(), strict=True):
        for container in containers(template):
            assert container["resources"]["requests"] == demand.resources.quantities("request")
    assert [demand.pods for demand in engines.demands(NAME, OPERATED)] == [4]
    assert engines.demands(NAME, MANAGED) == []
