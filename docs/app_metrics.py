"""The metrics that each app exports, as a file that the program reads: names, labels, and the bounds of buckets.

`python -m docs.app_metrics` writes `app/<name>/metrics.json` of every app; with `--check` it changes nothing and exits
with 1 if one holds something else. It asks the apps themselves: one that was asked on each of its routes shows every
sample that it can have. Nothing of it goes into an image, and it says nothing of the values.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from flask import Flask
from prometheus_client import Metric

from components.service import Service, package_of
from services import SERVICES

ROOT = Path(__file__).parents[1]
NOBODY = "http://127.0.0.1:1"
"""Where nothing answers, and that at once."""

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


def alone(service: Service) -> Mapping[str, str]:
    """Return the environment in which a service can be asked without any other server.

    A call that fails shows the samples of one that does not; so does a request that finds no database.
    """
    return {
        name: NOBODY if name.endswith("_URL") else value
        for edge in service.edges
        for name, value in edge.variables(80).items()
    }


def app_of(name: str, environ: Mapping[str, str]) -> Flask:
    """Return an app, which is found as in its image: beside the chassis."""
    sys.path += [str(ROOT / "app/chassis"), str(ROOT / "app" / name)]
    package = package_of(name)
    app: Flask = import_module(package).create_app(import_module(f"{package}.config").Config.from_env(environ))
    return app


def paths(app: Flask) -> Iterator[str]:
    """Yield the path of each route of an app that can be asked with no more than the path."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and not rule.arguments:
            yield rule.rule


def of_app(name: str, environ: Mapping[str, str]) -> str:
    """Return the text of an app's file."""
    app = app_of(name, environ)
    import_module("chassis.logs").configure()
    logging.disable()  # what fails here is meant to
    try:
        for path in paths(app):
            app.test_client().get(path)
    finally:
        logging.disable(logging.NOTSET)
    return json.dumps(exported(app.extensions["metrics"].registry.collect()), indent=2) + "\n"


def main() -> None:
    """Write or check the file of each app."""
    parser = argparse.ArgumentParser(prog="python -m docs.app_metrics", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a file is out of date")
    arguments = parser.parse_args()
    for service in SERVICES:
        file, new = ROOT / "app" / service.name / "metrics.json", of_app(service.name, alone(service))
        if not arguments.check:
            file.write_text(new, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != new:
            sys.exit(f"{file.relative_to(ROOT)} is not what the app exports: run `make docs`")


if __name__ == "__main__":
    main()
