"""Runs the whole program once with a mock engine, in this process: `bench.services` starts it and takes the time.

Unlike the tests' harness it keeps nothing and looks at nothing, as that would be measured too. It says how many
Deployments were declared, so that a program which declares less cannot pass for a fast one.
"""

import json
import runpy
import sys
from collections.abc import Callable

import pulumi
from pulumi.runtime import set_all_config, set_mocks

from local.paths import CHECKOUT
from tests.unit.program.harness import PROJECT, Cloud, encoded

Program = Callable[[], None]

in_pulumi_runtime: Callable[[Program], Program] = pulumi.runtime.test


def program() -> None:
    """Declare all that the checkout declares, by the first `services.py` on the path."""
    runpy.run_path(str(CHECKOUT / "__main__.py"), run_name="__main__")


def main() -> None:
    """Run the program as standard input asks for."""
    asked = json.load(sys.stdin)
    cloud = Cloud()
    set_mocks(cloud, project=PROJECT, stack="bench", preview=asked["preview"])
    set_all_config({key: encoded(value) for key, value in asked["config"].items()}, [])
    in_pulumi_runtime(program)()
    deployments = [made for made in cloud.seen if made.typ.endswith(":Deployment")]
    sys.stdout.write(f"{len(deployments)} Deployments\n")


if __name__ == "__main__":
    main()
