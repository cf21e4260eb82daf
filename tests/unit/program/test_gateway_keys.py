"""The keys of the gateway: what goes together, and what does not."""

from typing import Any

import pytest

from components.signals import Traefik
from services import SERVICES
from tests.unit.program.configurations import CERT_MANAGER, VALID, changed, parsed, problem, without

PLAIN_GATEWAY = {key: value for key, value in VALID["gateway"].items() if key not in ("extensions", "rateLimit")}


@pytest.mark.parametrize("values", [without("gateway"), {**VALID, "gateway": {}}], ids=["left out", "empty"])
def test_no_gateway_and_an_empty_one_are_the_same(values: dict[str, Any]) -> None:
    assert parsed(values).gateway is None


def test_a_gateway_that_cannot_ask_for_a_key_is_refused_where_the_map_wants_one() -> None:
    line = problem({**VALID, "gateway": PLAIN_GATEWAY})
    guarded = ", ".join(service.name for service in SERVICES if service.needs_key)
    assert line.startswith(
        f"gateway.extensions must be traefik, as the gateway is to ask for an API key before {guarded}, found none; "
    )
    assert "take `needs_key` out of services.py" in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rateLimit", {"requestsPerSecond": 5, "burst": 9}),
        ("maxBodyBytes", 1024),
        ("sourceRanges", ["192.0.2.0/24"]),
        ("metrics", {}),
    ],
)
def test_what_only_extensions_can_do_is_refused_without_them(key: str, value: Any) -> None:
    line = problem({**VALID, "gateway": {**PLAIN_GATEWAY, key: value}})
    assert line.startswith(f"gateway.{key} must not be set, because gateway.extensions is not")


def test_a_time_limit_that_traefik_would_ignore_is_refused() -> None:
    line = problem(changed("gateway.timeoutSeconds", 30))
    assert line.startswith("gateway.timeoutSeconds must not be set with the extensions of traefik, found 30")


def test_an_address_has_no_certificate_of_cert_manager() -> None:
    line = problem(changed("gateway.certificate", CERT_MANAGER))
    assert line.startswith("gateway.certificate must be of kind own where host is an address (10.90.1.1)")
    gateway = {**VALID["gateway"], "host": "shop.example.com", "certificate": CERT_MANAGER}
    assert parsed({**VALID, "gateway": gateway}).gateway


def test_the_gateways_metrics_are_read_where_they_are_said_to_be_and_only_there() -> None:
    without_metrics, with_metrics = parsed(VALID).gateway, parsed(changed("gateway.metrics", {"port": 9101})).gateway
    assert without_metrics
    assert with_metrics
    assert without_metrics.source("gateway") is None
    found = with_metrics.source("gateway")
    assert isinstance(found, Traefik)
    assert (found.namespace, found.service, found.port) == ("traefik", "traefik-metrics", 9101)
