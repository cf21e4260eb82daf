"""The page of panels that the stack's Prometheus serves, as somebody sees it who opens it in a browser.

`make screenshot` takes the picture for the documents here.
"""

import json
import math
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.browser import served_certificate, visit
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.project import Project

PATHS = ("/", "/api/info", "/nowhere")
SERVICES = ["catalog", "gateway", "webapp"]
PICTURES = {"webapp": "dashboard.png"}
"""What becomes of the pictures of pages that are in docs/."""

PATIENCE_SECONDS = 180
"""A rate needs two scrapes, and a recorded one an evaluation of the rules beside."""

FIVE_MINUTES = "300"


class Asked(NamedTuple):
    """One query of the page."""

    service: str
    panel: str
    expr: str


def asked(project: Project) -> list[Asked]:
    """Return all queries of the page."""
    page = project.get("/prometheus/consoles/services.html").text
    (found,) = re.findall(r"^const SERVICES = (.*);$", page, flags=re.MULTILINE)
    return [
        Asked(service, panel["title"], query["expr"])
        for service, sections in json.loads(found).items()
        for section in sections
        for panel in section["panels"]
        for query in panel["queries"]
    ]


def answered(project: Project, expr: str) -> bool:
    """Tell whether Prometheus has a number for `expr`; fails when it refuses it."""
    said = project.get("/prometheus/api/v1/query", params={"query": expr}).json()
    assert said["status"] == "success", f"{expr}: {said['error']}"
    return any(math.isfinite(float(one["value"][1])) for one in said["data"]["result"])


class Watched(NamedTuple):
    """The project after its service had requests, the page's queries, and those of them that had no answer even so."""

    project: Project
    certificate: str
    """What the gateway shows."""

    queries: list[Asked]
    silent: list[Asked]


@pytest.fixture(scope="module")
def watched(deployed: Deployed) -> Watched:
    """Send requests until each query of the page has an answer, or for as long as one may be waited for."""
    project = deployed.project
    queries = asked(project)
    deadline = time.monotonic() + PATIENCE_SECONDS
    silent = queries
    while silent and time.monotonic() < deadline:
        for path in PATHS * 10:
            project.get(path)
        silent = [one for one in queries if not answered(project, one.expr)]
    return Watched(project, served_certificate(project), queries, silent)


def test_prometheus_has_an_answer_to_every_query_of_every_panel(watched: Watched, figures: Figures) -> None:
    assert sorted({one.service for one in watched.queries}) == SERVICES
    assert watched.silent == []
    panels = {(one.service, one.panel) for one in watched.queries}
    figures("queries of the page, all with an answer", f"{len(watched.queries)}, in {len(panels)} panels")


@pytest.mark.parametrize("service", SERVICES)
def test_every_panel_shows_a_line_in_a_browser(
    watched: Watched, service: str, tmp_path: Path, figures: Figures
) -> None:
    url = watched.project.output("dashboard_url")
    begun = time.monotonic()
    with visit(f"{url}#{service}", watched.certificate) as seen:
        seen.page.wait_for_selector(f'body[data-drawn="{service} 3600"]')
        figures(f"seconds until the page of {service} is drawn", f"{time.monotonic() - begun:.1f}")
        seen.page.select_option("#range", FIVE_MINUTES)
        seen.page.wait_for_selector(f'body[data-drawn="{service} {FIVE_MINUTES}"]')

        titles = seen.page.eval_on_selector_all(".panel", "panels => panels.map(one => one.ariaLabel)")
        assert titles == list(dict.fromkeys(one.panel for one in watched.queries if one.service == service))
        lines = "panels => panels.map(one => one.querySelectorAll('path:not([d=\"\"])').length)"
        drawn = dict(zip(titles, seen.page.eval_on_selector_all(".panel", lines), strict=True))
        assert [title for title, count in drawn.items() if not count] == []
        charts = seen.page.eval_on_selector_all("svg", "charts => charts.map(one => one.outerHTML)")
        assert [chart for chart in charts if re.search("NaN|Infinity|undefined", chart)] == []
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        picture = Path(os.environ.get("SCREENSHOTS", tmp_path), PICTURES.get(service, f"{service}.png"))
        seen.page.screenshot(path=picture)

    assert seen.wrong == []
    assert seen.origins == {watched.project.output("url")}
    assert picture.stat().st_size < 300_000


def test_the_page_shows_a_firing_alert_as_the_text_that_it_is(watched: Watched) -> None:
    alert = {
        "state": "firing",
        "labels": {"alertname": "AvailabilityBudgetBurn", "severity": "page", "service": "webapp"},
        "annotations": {"summary": "<b>webapp</b> spends its budget", "description": "2 % of requests fail."},
    }
    answer = {"status": "success", "data": {"alerts": [alert]}}
    with visit(f"{watched.project.output('dashboard_url')}#webapp", watched.certificate) as seen:
        seen.page.wait_for_selector("body[data-drawn]")
        seen.page.route("**/api/v1/alerts*", lambda route: route.fulfill(json=answer))
        seen.page.select_option("#range", FIVE_MINUTES)
        seen.page.wait_for_selector("#alerts.firing")
        assert seen.page.inner_text("#alerts") == (
            "AvailabilityBudgetBurn (page) <b>webapp</b> spends its budget. 2 % of requests fail."
        )


def test_the_page_says_that_prometheus_does_not_answer_and_keeps_what_it_showed(watched: Watched) -> None:
    with visit(watched.project.output("dashboard_url"), watched.certificate) as seen:
        seen.page.wait_for_selector("body[data-drawn]")
        charts = seen.page.locator("svg").count()
        seen.page.route("**/api/v1/**", lambda route: route.abort())
        seen.page.select_option("#range", FIVE_MINUTES)
        seen.page.wait_for_selector("#when.bad")
        assert seen.page.inner_text("#when").startswith("Prometheus does not answer")
        assert seen.page.locator("svg").count() == charts > 0
