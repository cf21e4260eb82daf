"""`make bench`: what the stack costs, each part in a run of its own on this machine; see the parts' own words."""

import argparse
import sys
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from bench import instrumentation, monitoring, services, updates

PARTS: Mapping[str, Callable[[int], Table]] = {
    "updates": updates.measure,
    "instrumentation": instrumentation.measure,
    "monitoring": monitoring.measure,
    "services": services.measure,
}


def main() -> None:
    """Measure, and print a table for each part."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs that count (default: 5)")
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for part in arguments.parts or PARTS:
        Console(file=sys.stdout, highlight=False).print(PARTS[part](arguments.runs))


if __name__ == "__main__":
    main()
