"""The keys of monitoring: how its servers are reached, and what does not go together there."""

from typing import Any

import pytest

from keys.monitoring import PrometheusServer
from tests.unit.program.configurations import VALID, parsed, problem, problems

PUBLISHED = {**VALID["monitoring"], "published": True}


def test_servers_are_not_published_unless_they_are_to_be() -> None:
    for values, published in ((VALID, False), ({**VALID, "monitoring": PUBLISHED}, True)):
        monitoring = parsed(values).monitoring
        assert isinstance(monitoring, PrometheusServer)
        assert monitoring.published is published


@pytest.mark.parametrize("kind", ["LoadBalancer", "NodePort"])
def test_published_servers_have_no_second_way_past_the_gateway(kind: str) -> None:
    line = problem({**VALID, "monitoring": {**PUBLISHED, "serviceType": kind}})
    assert line.startswith(f"monitoring.serviceType must not be set with published, found {kind}, which would be")


def test_without_a_gateway_nothing_can_be_published() -> None:
    line = problem({**VALID, "gateway": {}, "monitoring": PUBLISHED})
    assert line.startswith("monitoring.published must not be true, because there is no gateway to lead to the servers")


def test_published_servers_of_whom_a_gateway_cannot_keep_others_away_are_refused() -> None:
    plain: dict[str, Any] = {key: VALID["gateway"][key] for key in ("className", "namespace", "host", "certificate")}
    monitoring = {**PUBLISHED, "sourceRanges": ["192.0.2.0/24"]}
    lines = problems({**VALID, "gateway": plain, "monitoring": monitoring})
    assert [line for line in lines if line.startswith("monitoring.sourceRanges must not be set with published")]
