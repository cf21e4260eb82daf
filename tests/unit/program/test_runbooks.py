"""The runbooks: each alert leads to a section, and what a section names is there."""

import re

import pytest

import config_schema
import services
import settings
from components import calls, panels
from components.objective import Objective
from tests.unit.program.examples import WEBAPP
from tests.unit.program.harness import ROOT
from tests.unit.program.test_rules import STACKS, Variant, declared

RUNBOOKS = ROOT / "docs/runbooks.md"
TEXT = RUNBOOKS.read_text()
SECTIONS = re.findall(r"^## (\S+)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("variant", STACKS, ids=lambda variant: variant.stack)
def test_every_alert_leads_to_a_section_of_its_name(variant: Variant) -> None:
    for alert in declared(variant).alerts:
        path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert (ROOT / path) == RUNBOOKS
        # The anchor that Markdown's renderers give a heading of one word.
        assert (anchor, alert["alert"]) in [(section.lower(), section) for section in SECTIONS]


def test_no_section_is_without_an_alert() -> None:
    of_stacks = {alert["alert"] for variant in STACKS for alert in declared(variant).alerts}
    assert set(SECTIONS) == of_stacks


def test_every_section_says_what_users_feel_where_to_look_what_to_do_and_whom_to_call() -> None:
    for section in TEXT.split("\n## ")[1:]:
        for part in ("**What users feel.**", "**Look.**", "what to do.**", "**Escalate**"):
            assert part in section, section.partition("\n")[0]


def test_every_link_leads_to_a_section() -> None:
    assert set(re.findall(r"\]\(#(\w+)\)", TEXT)) <= {section.lower() for section in SECTIONS}


def test_every_panel_that_is_named_is_on_the_page() -> None:
    sections = [
        *panels.sections(WEBAPP, Objective(), 1),
        *(calls.section(WEBAPP, edge.callee) for edge in services.webapp.edges),
        panels.of_gateway(WEBAPP.namespace),
    ]
    titles = {panel.title for section in sections for panel in section.panels}
    named = set(re.findall(r"(?<!\*)\*([A-Z][A-Za-z\s]+)\*(?!\*)", TEXT))
    assert named
    assert {" ".join(name.split()) for name in named} <= titles


def test_every_key_and_every_target_of_make_that_is_named_is_there() -> None:
    schema = settings.schema()
    keys = {row.path for row in config_schema.rows(schema, schema)}
    named = set(re.findall(r"`((?:catalog|webapp)\.[\w.]+)`", TEXT))
    assert named
    assert named <= keys
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (?:-s )?([a-z-]+)", TEXT)) <= targets


def test_everything_that_is_to_be_replaced_is_a_resource_of_the_stack() -> None:
    named = set(re.findall(r"--replace '\*\*::([\w-]+)'", TEXT))
    assert named
    assert named <= {made.name for made in declared(STACKS[0]).run.resources}
