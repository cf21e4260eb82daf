"""The map of the system: what can be declared, and what follows from a declared call."""

from collections.abc import Callable

import pytest

from components.service import Service, callers, check
from components.web_service import WebService
from services import SERVICES
from tests.unit.program.examples import EXPORTED
from tests.unit.program.harness import LABELS, Run, run
from tests.unit.program.test_web_service import args


@pytest.fixture
def webapp() -> Service:
    return Service(name="webapp", exported=EXPORTED, paths=["/"])


@pytest.fixture
def catalog() -> Service:
    return Service(name="catalog", exported=EXPORTED)


def test_the_map_of_this_system_is_one() -> None:
    assert check(SERVICES) is SERVICES


def test_a_call_tells_the_caller_where_how_long_and_how_often(webapp: Service, catalog: Service) -> None:
    webapp.calls(catalog, timeout=0.5, retries=2)
    (edge,) = webapp.edges
    assert edge.variables(80) == {
        "CATALOG_URL": "http://catalog",
        "CATALOG_TIMEOUT_SECONDS": "0.5",
        "CATALOG_RETRIES": "2",
    }
    assert edge.variables(8000)["CATALOG_URL"] == "http://catalog:8000"


def test_a_callees_hyphens_are_underscores_in_its_variables(webapp: Service) -> None:
    webapp.calls(Service(name="price-list", exported=EXPORTED), timeout=1, retries=0)
    assert "PRICE_LIST_URL" in webapp.edges[0].variables(80)


def test_callers_are_found_from_the_callee(webapp: Service, catalog: Service) -> None:
    webapp.calls(catalog, timeout=0.5, retries=2)
    assert (callers([webapp, catalog], "catalog"), callers([webapp, catalog], "webapp")) == (["webapp"], [])


@pytest.mark.parametrize(
    ("timeout", "retries", "said"),
    [
        (0, 2, "timeout must be above 0 and at most 30 seconds, found 0"),
        (31, 2, "timeout must be above 0 and at most 30 seconds, found 31"),
        (1, -1, "retries must be from 0 to 5, found -1"),
        (1, 6, "retries must be from 0 to 5, found 6"),
    ],
)
def test_a_call_without_sound_bounds_is_refused(
    webapp: Service, catalog: Service, timeout: float, retries: int, said: str
) -> None:
    with pytest.raises(ValueError, match=f"webapp calls catalog: {said}"):
        webapp.calls(catalog, timeout=timeout, retries=retries)


def test_a_call_is_declared_once(webapp: Service, catalog: Service) -> None:
    webapp.calls(catalog, timeout=0.5, retries=2)
    with pytest.raises(ValueError, match="webapp calls catalog already"):
        webapp.calls(catalog, timeout=1, retries=0)


def test_a_service_does_not_call_itself(webapp: Service) -> None:
    with pytest.raises(ValueError, match="webapp must not call itself"):
        webapp.calls(webapp, timeout=1, retries=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Service(name="Shop", exported=EXPORTED), "name must be lower-case letters"),
        (
            lambda: Service(name="shop", exported=EXPORTED, paths=["api"]),
            "paths of shop must begin with /, found",
        ),
        (lambda: Service(name="shop", exported=EXPORTED, needs_key=True), "needs_key of shop needs paths, found none"),
    ],
)
def test_a_service_that_could_not_be_is_refused(wrong: Callable[[], Service], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wrong()


def test_two_services_have_neither_name_nor_path_in_common(webapp: Service, catalog: Service) -> None:
    with pytest.raises(ValueError, match="each name must belong to one service, found twice: webapp"):
        check([webapp, webapp])
    catalog.paths = ["/"]
    with pytest.raises(ValueError, match="each path must belong to one service, found twice: /"):
        check([webapp, catalog])


def test_a_callee_must_be_in_the_map(webapp: Service, catalog: Service) -> None:
    webapp.calls(catalog, timeout=0.5, retries=2)
    with pytest.raises(ValueError, match="webapp calls catalog, which is no service of the map"):
        check([webapp])


def both(webapp: Service) -> Run:
    """Return both sides of webapp's one call."""

    def declare() -> None:
        WebService("webapp", args(calls=dict.fromkeys(webapp.edges, 80)))
        WebService("catalog", args(called_by=["webapp"]))

    return run(declare)


def test_a_call_opens_the_flow_on_both_sides_and_no_other(webapp: Service, catalog: Service) -> None:
    webapp.calls(catalog, timeout=0.5, retries=2)
    result = both(webapp)
    one, other = (result.one("NetworkPolicy", f"{name}-network").inputs["spec"] for name in ("webapp", "catalog"))
    port = [{"port": "http", "protocol": "TCP"}]
    pods = {name: [{"podSelector": {"matchLabels": LABELS.selector(name)}}] for name in ("webapp", "catalog")}
    assert one["egress"] == [{"to": pods["catalog"], "ports": port}]
    assert {"from": pods["webapp"], "ports": port} in other["ingress"]
    assert "egress" not in other
    assert pods["catalog"] not in [rule["from"] for rule in one["ingress"]]


def test_a_call_stands_in_the_callers_environment_and_rolls_its_pods(webapp: Service, catalog: Service) -> None:
    before = both(webapp).one("ConfigMap", "webapp-config").inputs
    webapp.calls(catalog, timeout=0.5, retries=2)
    after = both(webapp).one("ConfigMap", "webapp-config").inputs
    assert {**before["data"], **webapp.edges[0].variables(80)} == after["data"]
    assert before["metadata"]["name"] != after["metadata"]["name"]


def test_what_a_call_sets_cannot_be_configured(webapp: Service, catalog: Service) -> None:
    webapp.calls(catalog, timeout=0.5, retries=2)
    with pytest.raises(ValueError, match="config must not set CATALOG_URL: the component or the image sets it itself"):
        args(calls=dict.fromkeys(webapp.edges, 80), config={"CATALOG_URL": "http://elsewhere"})
