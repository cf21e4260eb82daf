"""The platform, started where it is not up, the one stack that most of these tests share, and what they measured."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from pulumi import automation

from local import toolchain
from local.cluster import monitoring
from local.paths import CHECKOUT
from local.toolchain import Toolchain
from tests.e2e.project import Project, eventually

NAMESPACE = "cloudnative-e2e"

Figures = Callable[[str, object], None]
"""Takes down one figure, what it is and its value, for the end of the run's report."""

_TAKEN_DOWN = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Return what takes a figure down; all of them are printed once, when the run has ended."""
    taken_down = pytestconfig.stash.setdefault(_TAKEN_DOWN, [])
    return lambda what, value: taken_down.append((what, str(value)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was taken down."""
    taken_down = config.stash.get(_TAKEN_DOWN, [])
    if taken_down:
        terminalreporter.section("figures")
        width = max(len(what) for what, _ in taken_down)
        for what, value in taken_down:
            terminalreporter.write_line(f"{what:{width}}  {value}")


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    """Start the platform where it is not up, and return its programs; fails with the platform's own words."""
    started = subprocess.run([sys.executable, "-m", "local", "up"], cwd=CHECKOUT, check=False)
    assert started.returncode == 0, "the platform did not start; what it said stands above"
    return toolchain.ensure()


@pytest.fixture(scope="session")
def operator(tools: Toolchain) -> Iterator[None]:
    """The Prometheus Operator in the cluster; it goes again unless a stack of the user's needs it."""
    monitoring.ensure()
    yield
    monitoring.remove_unused()


@pytest.fixture(scope="session")
def undeployed(tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose stack is destroyed in the end, whatever became of it."""
    project = Project(tmp_path_factory.mktemp("project"), tools, like="dev", namespace=NAMESPACE)
    yield project
    project.stack.destroy()


@dataclass(frozen=True)
class Deployed:
    """A project that was deployed, what the first `up` of it said, and what was there then."""

    project: Project
    first: automation.UpResult
    page: str
    replicas: int


@pytest.fixture(scope="session")
def deployed(undeployed: Project) -> Deployed:
    """The project after its first `up`, once its address answers."""
    first = undeployed.up()
    eventually(undeployed.answers, "an answer of the service's address")
    replicas = undeployed.kubectl("get", "deployment", "webapp")["status"]["readyReplicas"]
    return Deployed(undeployed, first, undeployed.page(), replicas)
