"""The metrics that each app exports, as a file that the program reads: names, labels, and the bounds of buckets.

`python -m docs.app_metrics` writes `app/<name>/metrics.json` of every app; with `--check` it changes nothing and exits
with 1 if one holds something else. It asks the apps themselves: one that has answered a request shows every sample that
it can have. Nothing of it goes into an image, and it says nothing of the values.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from prometheus_client import Metric

ROOT = Path(__file__).parents[1]
REQUESTS = {
    # A call that fails shows the samples of one that does not.
    "webapp": ("/", {"CATALOG_URL": "http://127.0.0.1:1", "CATALOG_RETRIES": "0"}),
    "catalog": ("/api/products", {"DATABASE_DIR": "/nonexistent"}),
}
"""By app: the request that shows all that it exports, and the environment to answer it in, without any other server."""

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


def of_app(name: str) -> str:
    """Return the text of an app's file."""
    path, environ = REQUESTS[name]
    app = import_module(name).create_app(import_module(f"{name}.config").Config.from_env(environ))
    app.test_client().get(path)
    return json.dumps(exported(app.extensions["metrics"].registry.collect()), indent=2) + "\n"


def main() -> None:
    """Write or check the file of each app."""
    parser = argparse.ArgumentParser(prog="python -m docs.app_metrics", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a file is out of date")
    arguments = parser.parse_args()
    folders = sorted(file.parent for file in (ROOT / "app").glob("*/Dockerfile"))
    # Each app is found as in its image: beside the chassis.
    sys.path += [str(ROOT / "app/chassis"), *map(str, folders)]
    import_module("chassis.logs").configure()
    logging.disable()  # what fails here is meant to
    for folder in folders:
        file, new = folder / "metrics.json", of_app(folder.name)
        if not arguments.check:
            file.write_text(new, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != new:
            sys.exit(f"{file.relative_to(ROOT)} is not what the app exports: run `make docs`")


if __name__ == "__main__":
    main()
