"""The metrics that the app exports, as a file that the program reads: names, labels, and the bounds of buckets.

`python -m docs.app_metrics FILE`, with the app on PYTHONPATH, writes FILE; with `--check` it changes nothing and exits
with 1 if FILE holds something else. It asks the app itself: one that has answered a request shows every sample that it
can have. Nothing of it goes into the image, and it says nothing of the values.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from webapp import create_app, logs
from webapp.config import Config

BUCKET = "le"
"""Label that a histogram's samples have beside its own."""


def exported(families: Iterable[Metric]) -> dict[str, dict[str, Any]]:
    """Return what is told of each metric, by its name.

    Raises:
        ValueError: a metric has no sample, so that its labels are not known.
    """
    return {family.name: _of(family) for family in sorted(families, key=lambda family: family.name)}


def _of(family: Metric) -> dict[str, Any]:
    # Without when it was created: that is not among what the workers keep, so no scrape of theirs shows it.
    samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    if not samples:
        raise ValueError(f"{family.name} has no sample after a request; count something of every request in it")
    buckets = list(dict.fromkeys(sample.labels[BUCKET] for sample in samples if BUCKET in sample.labels))
    return {
        "type": family.type,
        "samples": sorted({sample.name for sample in samples}),
        "labels": sorted({label for sample in samples for label in sample.labels} - {BUCKET}),
        **({"buckets": buckets} if buckets else {}),
    }


def main() -> None:
    """Write or check one file."""
    parser = argparse.ArgumentParser(prog="python -m docs.app_metrics", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if the file is out of date")
    arguments = parser.parse_args()
    logs.configure()
    app = create_app(Config())
    app.test_client().get("/")
    new = json.dumps(exported(app.extensions["metrics"].registry.collect()), indent=2) + "\n"
    if not arguments.check:
        arguments.file.write_text(new, encoding="utf-8")
    elif not arguments.file.is_file() or arguments.file.read_text(encoding="utf-8") != new:
        sys.exit(f"{arguments.file} is not what the app exports: run `make docs`")


if __name__ == "__main__":
    main()
