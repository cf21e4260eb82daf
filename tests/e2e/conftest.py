"""The platform, started where it is not up, and the one stack that most of these tests share."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pulumi import automation

from local import toolchain
from local.paths import CHECKOUT
from local.toolchain import Toolchain
from tests.e2e.project import Project

NAMESPACE = "cloudnative-e2e"


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    """Start the platform where it is not up, and return its programs; fails with the platform's own words."""
    started = subprocess.run([sys.executable, "-m", "local", "up"], cwd=CHECKOUT, check=False)
    assert started.returncode == 0, "the platform did not start; what it said stands above"
    return toolchain.ensure()


@pytest.fixture(scope="session")
def undeployed(tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose stack is destroyed in the end, whatever became of it."""
    project = Project(tmp_path_factory.mktemp("project"), tools, like="dev", namespace=NAMESPACE)
    yield project
    project.stack.destroy()


@dataclass(frozen=True)
class Deployed:
    """A project that was deployed, and what the first `up` of it said."""

    project: Project
    first: automation.UpResult


@pytest.fixture(scope="session")
def deployed(undeployed: Project) -> Deployed:
    """The project after its first `up`."""
    return Deployed(undeployed, undeployed.up())
