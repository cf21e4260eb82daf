"""The panels of a service, shown twice: as a dashboard of Grafana and as a page of Prometheus."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from components import console, dashboards
from components.panels import Panel, Query, Section
from components.signals import SIGNALS
from tests.unit.program.examples import SERVICE, SERVICES
from tests.unit.program.harness import LABELS, as_it_stands

SECTIONS = SERVICE.sections(SIGNALS, 1)


def board(sections: Sequence[Section] = SECTIONS) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dashboards.grafana_json("webapp", "dev", sections))
    return found


def panels_of(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels of a dashboard, those that stand in a row too."""
    for panel in found["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels") or []


def shown(page: str) -> dict[str, Any]:
    """Return the panels in a page of Prometheus, as a browser reads them."""
    (line,) = re.findall(r"^const SERVICES = (.*);$", page, re.MULTILINE)
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_dashboard_has_every_panel_of_the_service_with_its_queries() -> None:
    found = [(one["title"], [target["expr"] for target in one["targets"]]) for one in panels_of(board())]
    wanted = [(one.title, [query.expr for query in one.queries]) for section in SECTIONS for one in section.panels]
    assert found == wanted
    assert len(found) > 10


def test_a_dashboard_has_a_row_a_section() -> None:
    assert [one["title"] for one in board()["panels"] if one["type"] == "row"] == [one.title for one in SECTIONS]


def test_each_panel_says_what_it_shows_in_which_unit_and_what_its_series_are_called() -> None:
    wanted = [panel for section in SECTIONS for panel in section.panels]
    for made, panel in zip(panels_of(board()), wanted, strict=True):
        assert made["description"] == panel.description
        assert made["type"] == ("stat" if panel.figure else "timeseries")
        assert [target["legendFormat"] for target in made["targets"]] == [query.legend for query in panel.queries]
        assert made["fieldConfig"]["defaults"]["unit"] in {"reqps", "percentunit", "s", "bytes", "short"}


def test_no_two_queries_of_a_panel_have_the_same_name() -> None:
    for made in panels_of(board()):
        names = [target["refId"] for target in made["targets"]]
        assert len(names) == len(set(names))


def test_panels_lie_beside_each_other_and_none_over_another() -> None:
    places = [made["gridPos"] for made in board()["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place.get("x", 0), place.get("x", 0) + place["w"])
        for y in range(place.get("y", 0), place.get("y", 0) + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_a_dashboard_can_be_found_again_by_an_identity_that_grafana_takes() -> None:
    assert board()["uid"] == "webapp-dev"
    assert len(json.loads(dashboards.grafana_json("w" * 46, "staging", SECTIONS))["uid"]) == 40


def test_the_same_panels_give_the_same_text() -> None:
    first, second = (dashboards.grafana_json("webapp", "dev", SECTIONS) for _ in range(2))
    assert first == second
    assert console.page("Services", {"webapp": SECTIONS}) == console.page("Services", {"webapp": SECTIONS})


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_sidecar_of_grafana_finds_the_dashboard_of_each_service(stack: str) -> None:
    made = as_it_stands(stack).one("ConfigMap", "monitoring-webapp-dashboard").inputs
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(made["data"]["webapp.json"])["title"] == f"webapp ({stack})"


def test_the_page_has_every_panel_of_every_service_with_its_queries() -> None:
    services = {one.target.name: one.sections(SIGNALS, 1) for one in SERVICES}
    found = shown(console.page("Services", services))
    assert found.keys() == {"webapp", "catalog"}
    for name, sections in services.items():
        assert [(section["title"], [panel["title"] for panel in section["panels"]]) for section in found[name]] == [
            (section.title, [panel.title for panel in section.panels]) for section in sections
        ]
        queries = [
            query["expr"] for section in found[name] for panel in section["panels"] for query in panel["queries"]
        ]
        assert queries == [query.expr for section in sections for panel in section.panels for query in panel.queries]


def test_nothing_in_the_page_is_an_action_of_the_template() -> None:
    page = console.page("Services", {"webapp": SECTIONS})
    assert "{{pod}}" in str(shown(page))
    assert "{{" not in page


@pytest.mark.parametrize("text", ["</script><b>", "{{ query }}", "{{{", "$services", "\\", '"', "<!--"])
def test_no_text_of_a_panel_can_end_the_script_or_begin_an_action(text: str) -> None:
    panel = Panel(title=text, unit="s", queries=[Query(expr="up{}", legend=text)], description=text)
    page = console.page("Services", {"webapp": [Section(title=text, panels=[panel])]})
    assert shown(page)["webapp"][0]["title"] == text
    assert page.count("</script>") == 1
    assert "{{" not in page


def test_the_title_is_text_and_no_markup() -> None:
    assert "<b>" not in console.page("<b>Services</b>", {"webapp": SECTIONS})


def test_what_is_measured_is_said_to_be_of_the_stack_that_the_page_belongs_to() -> None:
    page = as_it_stands("dev").one("ConfigMap", "prometheus-config").inputs["data"][console.PAGE]
    assert f"<title>Services of {LABELS.instance}</title>" in page


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = console.page("Services", {"webapp": SECTIONS})
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}
    assert set(re.findall(r"https?://[^\s\"')]+", page)) <= names
    assert set(re.findall(r"(?:src|href)=\S*", page)) == {'href="data:,">'}


def test_a_panel_in_two_back_ends_asks_the_same() -> None:
    changed = [replace(one, title=f"{one.title}!") for one in SECTIONS]
    of_page = shown(console.page("Services", {"webapp": changed}))["webapp"]
    asked = [query["expr"] for section in of_page for panel in section["panels"] for query in panel["queries"]]
    assert asked == [target["expr"] for one in panels_of(board(changed)) for target in one["targets"]]
