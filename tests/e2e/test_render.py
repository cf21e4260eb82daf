"""Every stack as plain manifests: what the API's schema and the linter accept, and the same each time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local.paths import CHECKOUT, KUBECONFIG
from local.toolchain import Toolchain


def rendered(stack: str, **variables: str) -> dict[str, str]:
    """Render a stack with these variables, which has to pass its checks; return the files' contents by their names."""
    command = [sys.executable, "-m", "local.stack", "render", stack]
    env = {**os.environ, **variables}
    result = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return {file.name: file.read_text() for file in sorted(Path(CHECKOUT, "rendered", stack).iterdir())}


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_a_stack_is_rendered_to_manifests_that_pass_every_check(stack: str, tools: Toolchain) -> None:
    files = rendered(stack)
    objects = [yaml.safe_load(text) for text in files.values()]
    assert objects[0]["kind"] == "Namespace"
    assert {"Deployment", "Service", "NetworkPolicy", "ResourceQuota"} <= {one["kind"] for one in objects}
    assert "Secret" not in {one["kind"] for one in objects}
    (deployment,) = [one for one in objects if (one["kind"], one["metadata"]["name"]) == ("Deployment", "webapp")]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert "/webapp@sha256:" in container["image"]


def test_the_same_source_gives_the_same_manifests_in_any_shell(tools: Toolchain) -> None:
    assert rendered("prod") == rendered("prod", KUBECONFIG=str(KUBECONFIG))
