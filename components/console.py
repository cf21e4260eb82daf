"""A page that Prometheus itself serves (a console template), with all panels: where there is no Grafana, and at once.

Prometheus has brought no console library since version 3, and a chart library would be more than all that the stack
declares; so the page draws its lines itself, in a few lines of JavaScript in `console.html`, from Prometheus' own API.
It changes nothing and keeps nothing. See https://prometheus.io/docs/visualization/consoles/.
"""

import dataclasses
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from components.panels import Section

PAGE = "services.html"
"""The page's name below /consoles/ of the server."""

_TEMPLATE = Path(__file__).with_suffix(".html")


def page(title: str, services: Mapping[str, Sequence[Section]]) -> str:
    """Return the page, a template for Prometheus, with the panels of each service."""
    panels = json.dumps({name: [dataclasses.asdict(one) for one in sections] for name, sections in services.items()})
    # Two braces (legends have them) would begin an action of the template's, and `</` could end the script.
    safe = panels.replace("{{", "\\u007b\\u007b").replace("</", "<\\/")
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(title=html.escape(title), services=safe)
