"""The map of the system as a picture, drawn from `services.py`: who calls whom, and what the gateway leads to.

`python -m docs.system_map FILE` writes it to FILE as SVG; with `--check` it changes nothing and exits with 1 if FILE
holds another one. What is called stands to the right of its callers, a database below its owner; there is no more to
the layout. It knows no environment.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from components.service import Service, callers
from services import SERVICES

WIDTH, HEIGHT = 150, 46
"""Of a box, in pixels."""

COLUMN, ROW, MARGIN = 360, 150, 40
"""From one box to the next, and around all of them."""

GATEWAY = "gateway"

_FRAME = Template(
    """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" height="$height" role="img"
     aria-labelledby="title desc">
  <title id="title">The map of the system</title>
  <desc id="desc">$said</desc>
  <defs>
    <marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto"
            markerUnits="userSpaceOnUse"><path d="M0 .5 8 4 0 7.5z" fill="#57606a"/></marker>
  </defs>
  <style>
    text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #424a53 }
    .name { font-size: 13.5px; font-weight: 600; fill: #1f2328 }
    .label { fill: #57606a; font-style: italic; paint-order: stroke; stroke: #f6f8fa; stroke-width: 4px }
    .mid { text-anchor: middle }
    .line { fill: none; stroke: #57606a; stroke-width: 1.5; marker-end: url(#head) }
    .ground { fill: #f6f8fa }
    .service { fill: #e3edfb; stroke: #3a6fc4 }
    .gateway { fill: #f3effc; stroke: #7a5cc9 }
    .database { fill: #fdf1dc; stroke: #b7791f }
  </style>
  <rect class="ground" width="$width" height="$height" rx="12"/>
$shapes
</svg>
"""
)


def columns(services: Sequence[Service]) -> Mapping[str, int]:
    """Return each service's column: one to the right of all that call it; those that nobody calls come first.

    Raises:
        ValueError: services call each other in a circle, so that none of them can start, or fail, alone.
    """
    found: dict[str, int] = {}
    left = list(services)
    while left:
        called = {edge.callee for service in left for edge in service.edges}
        free = [service for service in left if service.name not in called]
        if not free:
            raise ValueError(f"services must not call each other in a circle, found {', '.join(sorted(called))}")
        for service in free:
            before = [found[name] for name in callers(services, service.name)]
            found[service.name] = max(before, default=0) + 1
        left = [service for service in left if service not in free]
    return found


def draw(services: Sequence[Service]) -> str:
    """Return the map as SVG."""
    column = columns(services)
    rows: dict[int, list[str]] = {0: [GATEWAY]}
    for service in services:
        rows.setdefault(column[service.name], []).append(service.name)
    place = {
        name: (MARGIN + at * COLUMN, MARGIN + index * ROW)
        for at, names in rows.items()
        for index, name in enumerate(names)
    }
    width = 2 * MARGIN + max(rows) * COLUMN + WIDTH
    height = 2 * MARGIN + (max(map(len, rows.values())) - 1) * ROW + HEIGHT + 100
    return _FRAME.substitute(
        width=width,
        height=height,
        said=escape("; ".join(_sentences(services))),
        shapes="\n".join([*_boxes(services, place), *_lines(services, place)]),
    )


def _sentences(services: Sequence[Service]) -> Iterator[str]:
    for service in services:
        if service.paths:
            yield f"the gateway leads {_paths(service)} to {service.name}"
        for edge in service.edges:
            yield f"{edge.caller} calls {edge.callee}"
        if service.owns_database:
            yield f"{service.name} owns a database"


def _paths(service: Service) -> str:
    return ", ".join(service.paths) + (" (API key)" if service.needs_key else "")


def _boxes(services: Sequence[Service], place: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    yield from _box(GATEWAY, "https", GATEWAY, place[GATEWAY])
    for service in services:
        x, y = place[service.name]
        yield from _box(service.name, f"app/{service.name}", "service", (x, y))
        if service.owns_database:
            yield from _box("PostgreSQL", f"of {service.name} alone", "database", (x, y + 100))
            yield f'  <path class="line" d="M{x + WIDTH // 2} {y + HEIGHT}v{100 - HEIGHT}"/>'


def _box(name: str, what: str, kind: str, at: tuple[int, int]) -> Iterator[str]:
    x, y = at
    yield f'  <rect class="{kind}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    yield f'  <text class="name mid" x="{x + WIDTH // 2}" y="{y + 19}">{escape(name)}</text>'
    yield f'  <text class="mid" x="{x + WIDTH // 2}" y="{y + 37}">{escape(what)}</text>'


def _lines(services: Sequence[Service], place: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for service in services:
        if service.paths:
            yield from _line(place[GATEWAY], place[service.name], _paths(service))
        for edge in service.edges:
            times = "1 retry" if edge.retries == 1 else f"{edge.retries} retries"
            yield from _line(place[edge.caller], place[edge.callee], f"{edge.timeout:g} s, {times}")


def _line(start: tuple[int, int], end: tuple[int, int], label: str) -> Iterator[str]:
    """Yield an arrow; one that passes over a column makes a bow above the boxes of that."""
    x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT // 2, end[0], end[1] + HEIGHT // 2
    if x2 - x1 > COLUMN and y1 == y2:
        top = y1 - HEIGHT
        yield f'  <path class="line" d="M{x1} {y1}C{x1 + 80} {top} {x2 - 80} {top} {x2} {y2}"/>'
        yield f'  <text class="label mid" x="{(x1 + x2) // 2}" y="{top + 6}">{escape(label)}</text>'
    else:
        yield f'  <path class="line" d="M{x1} {y1}L{x2} {y2}"/>'
        yield f'  <text class="label mid" x="{(x1 + x2) // 2}" y="{(y1 + y2) // 2 - 8}">{escape(label)}</text>'


def main() -> None:
    """Write or check one file."""
    parser = argparse.ArgumentParser(prog="python -m docs.system_map", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if the file is out of date")
    arguments = parser.parse_args()
    new = draw(SERVICES)
    if not arguments.check:
        arguments.file.write_text(new, encoding="utf-8")
    elif not arguments.file.is_file() or arguments.file.read_text(encoding="utf-8") != new:
        sys.exit(f"{arguments.file} is not the map of services.py: run `make map`")


if __name__ == "__main__":
    main()
