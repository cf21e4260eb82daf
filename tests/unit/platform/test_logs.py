"""Which pods' logs are followed, and what is said where there are none to follow."""

from typing import Any

import pytest

from local import cluster, logs, node
from local.errors import PlatformError
from local.stack import Stack
from local.toolchain import Toolchain

TOOLS = Toolchain({})


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let a platform run that has the stack `dev`, with two deployments."""
    outputs: dict[str, Any] = {"namespace": "shop-dev"}
    monkeypatch.setattr(node, "running", lambda: 1)
    monkeypatch.setattr(Stack, "exists", lambda stack: stack.name == "dev")
    monkeypatch.setattr(Stack, "outputs", lambda _stack: outputs)
    monkeypatch.setattr(cluster, "kubectl", lambda *_arguments: "prometheus webapp")
    return monkeypatch


def test_a_service_is_looked_for_in_its_stacks_namespace(platform: pytest.MonkeyPatch) -> None:
    assert logs.namespace_of("dev", "webapp", TOOLS, {}) == "shop-dev"


def test_each_pod_is_followed_once_and_one_that_comes_later_too() -> None:
    followed: set[str] = set()
    assert logs.beginning(["pod/a", "pod/b"], followed) == ["pod/a", "pod/b"]
    assert logs.beginning(["pod/b", "pod/c"], followed) == ["pod/c"]
    assert logs.beginning(["pod/c"], followed) == []


@pytest.mark.parametrize(
    ("stack", "service", "said"),
    [
        ("dev", "web", "The stack dev runs no web. SERVICE is one of: prometheus, webapp."),
        ("prod", "webapp", "The stack prod is not deployed. 'make up STACK=prod' deploys it."),
    ],
)
def test_what_does_not_run_is_named_with_what_to_do(
    platform: pytest.MonkeyPatch, stack: str, service: str, said: str
) -> None:
    with pytest.raises(PlatformError) as error:
        logs.namespace_of(stack, service, TOOLS, {})
    assert str(error.value) == said


def test_without_a_platform_there_is_nothing_to_follow(platform: pytest.MonkeyPatch) -> None:
    platform.setattr(node, "running", lambda: None)
    with pytest.raises(PlatformError, match="The platform does not run"):
        logs.namespace_of("dev", "webapp", TOOLS, {})
