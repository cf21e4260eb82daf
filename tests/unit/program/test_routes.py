"""What a gateway lets in and where that is led, in the words of the Gateway API."""

from dataclasses import replace
from typing import Any

import pytest

from components import routes
from components.routes import RateLimit, Route

HOST = "shop.example.com"
WEBAPP = Route(service="webapp", port=80, paths=["/"])
CATALOG = Route(service="catalog", port=8000, paths=["/api", "/items"], timeout_seconds=7)
PARTNER = Route(service="partner", port=80, paths=["/"], host="partner.example.com")
ALL = [WEBAPP, CATALOG, PARTNER]


def headers(spec: dict[str, Any]) -> dict[str, str]:
    (rule,) = spec["rules"]
    return {one["name"]: one["value"] for one in rule["filters"][0]["responseHeaderModifier"]["set"]}


@pytest.mark.parametrize(("host", "hostname"), [(HOST, {"hostname": HOST}), ("10.90.1.1", {})], ids=["name", "address"])
def test_a_dns_name_is_the_listeners_hostname_and_an_address_is_none(host: str, hostname: dict[str, str]) -> None:
    http, https = routes.gateway_spec("traefik", host, [WEBAPP], "tls")["listeners"]
    for listener, name, protocol, port in ((http, "http", "HTTP", 80), (https, "https", "HTTPS", 443)):
        assert (listener["name"], listener["protocol"], listener["port"]) == (name, protocol, port)
        assert {key: value for key, value in listener.items() if key == "hostname"} == hostname


def test_every_host_has_a_listener_for_each_port_with_the_same_certificate() -> None:
    listeners = routes.gateway_spec("traefik", HOST, ALL, "tls")["listeners"]
    assert [(one["name"], one["hostname"]) for one in listeners] == [
        ("http", HOST),
        ("https", HOST),
        ("http-partner.example.com", "partner.example.com"),
        ("https-partner.example.com", "partner.example.com"),
    ]
    secure = [one["tls"] for one in listeners if one["protocol"] == "HTTPS"]
    assert secure == [{"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": "tls"}]}] * 2


def test_only_routes_of_the_gateways_own_namespace_are_let_in() -> None:
    for listener in routes.gateway_spec("traefik", HOST, ALL, "tls")["listeners"]:
        assert listener["allowedRoutes"] == {"namespaces": {"from": "Same"}}


def test_by_http_there_is_a_redirect_to_the_same_url_and_nothing_else() -> None:
    spec = routes.redirect_spec("gateway", HOST, ALL)
    assert [one["sectionName"] for one in spec["parentRefs"]] == ["http", "http-partner.example.com"]
    (rule,) = spec["rules"]
    assert rule.keys() == {"matches", "filters"}
    # Neither port nor path: those of the scheme and of the request.
    assert rule["filters"] == [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}]
    for route in ALL:
        parents = routes.route_spec("gateway", HOST, route)["parentRefs"]
        assert not [one for one in parents if not one["sectionName"].startswith("https")]


def test_every_listener_that_a_route_names_is_there() -> None:
    listeners = {one["name"] for one in routes.gateway_spec("traefik", HOST, ALL, "tls")["listeners"]}
    specs = [routes.redirect_spec("gateway", HOST, ALL), *(routes.route_spec("gateway", HOST, one) for one in ALL)]
    assert {one["sectionName"] for spec in specs for one in spec["parentRefs"]} == listeners


def test_a_route_leads_each_of_its_prefixes_to_its_service_in_its_time() -> None:
    (rule,) = routes.route_spec("gateway", HOST, CATALOG)["rules"]
    assert [one["path"] for one in rule["matches"]] == [
        {"type": "PathPrefix", "value": "/api"},
        {"type": "PathPrefix", "value": "/items"},
    ]
    assert rule["backendRefs"] == [{"group": "", "kind": "Service", "name": "catalog", "port": 8000}]
    assert rule["timeouts"] == {"request": "7s"}
    assert "timeouts" not in routes.route_spec("gateway", HOST, WEBAPP)["rules"][0]


def test_every_answer_says_what_browsers_must_not_do() -> None:
    found = headers(routes.route_spec("gateway", HOST, WEBAPP))
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in found["Content-Security-Policy"]
    assert "unsafe-inline" not in found["Content-Security-Policy"].replace("style-src 'self' 'unsafe-inline'", "")


@pytest.mark.parametrize(
    ("host", "route", "kept"),
    [(HOST, WEBAPP, True), ("10.90.1.1", WEBAPP, False), ("10.90.1.1", PARTNER, True)],
    ids=["name", "address", "name of a route"],
)
def test_browsers_are_to_keep_to_https_for_dns_names_alone(host: str, route: Route, *, kept: bool) -> None:
    assert ("Strict-Transport-Security" in headers(routes.route_spec("gateway", host, route))) is kept


def test_pages_may_hold_scripts_where_a_route_says_so_and_from_nowhere_else() -> None:
    found = headers(routes.route_spec("gateway", HOST, replace(WEBAPP, inline_scripts=True)))
    assert found["Content-Security-Policy"] == f"{routes.CONTENT_POLICY}; script-src 'self' 'unsafe-inline'"


def test_a_service_gets_paths_without_their_prefix_where_a_route_says_so() -> None:
    (rule,) = routes.route_spec("gateway", HOST, replace(CATALOG, strips_path=True), [{"type": "ExtensionRef"}])[
        "rules"
    ]
    assert [one["type"] for one in rule["filters"]] == ["ResponseHeaderModifier", "ExtensionRef", "URLRewrite"]
    assert rule["filters"][-1]["urlRewrite"] == {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}


def test_what_a_filter_refuses_has_the_headers_too() -> None:
    spec = routes.route_spec("gateway", HOST, WEBAPP, [{"type": "ExtensionRef"}])
    assert [one["type"] for one in spec["rules"][0]["filters"]] == ["ResponseHeaderModifier", "ExtensionRef"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"service": "Web"}, "service must be lower-case letters"),
        ({"port": 0}, "port must be a number from 1 to 65535, found 0"),
        ({"paths": []}, "paths must hold at least 1 path, found none"),
        ({"paths": ["api"]}, "paths must be / or a path such as /api/v1, .* found 'api'"),
        ({"paths": ["/api/"]}, "found '/api/'"),
        ({"paths": ["/a//b"]}, "found '/a//b'"),
        ({"paths": ["/a`b"]}, "found '/a`b'"),
        ({"host": "Shop"}, "host must be a DNS name"),
        ({"host": "10.0.0.1"}, "host must be a DNS name, found the address 10.0.0.1"),
        ({"max_body_bytes": 0}, "max_body_bytes must be at least 1, found 0"),
        ({"source_ranges": ["10.0.0.1/8"]}, "source_ranges must be a list of at least 1 network"),
        ({"timeout_seconds": 0}, "timeout_seconds must be a number from 1 to 3600, found 0"),
    ],
    ids=str,
)
def test_a_wrong_route_is_refused_by_the_fields_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Route(**{"service": "webapp", "port": 80, "paths": ["/"], **changes})


@pytest.mark.parametrize("field", ["requests_per_second", "burst"])
def test_a_limit_that_lets_nothing_through_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} must be at least 1, found 0"):
        RateLimit(**{"requests_per_second": 5, "burst": 5, field: 0})


def test_one_path_of_one_host_leads_to_one_service() -> None:
    other = Route(service="other", port=80, paths=["/x", "/items"])
    with pytest.raises(ValueError, match=r"found /items of shop.example.com for catalog and for other"):
        routes.check([*ALL, other], HOST)
    named = Route(service="other", port=80, paths=["/"], host=HOST)
    with pytest.raises(ValueError, match=r"found / of shop.example.com for webapp and for other"):
        routes.check([*ALL, named], HOST)
    routes.check(ALL, HOST)


def test_a_service_has_one_route() -> None:
    with pytest.raises(ValueError, match="each service once, found webapp twice; give one route all paths"):
        routes.check([WEBAPP, Route(service="webapp", port=80, paths=["/x"])], HOST)


def test_a_gateway_without_routes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 route, found none"):
        routes.check([], HOST)
