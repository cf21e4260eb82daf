"""When a tool is built, and when what is there serves."""

import shutil
from pathlib import Path

import pytest

from local import toolchain
from local.toolchain import TOOLS, OnPath, Tool


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ("v3.259.0", True),
        ("v3.300.1-dev", True),
        ("v3.258.9", False),
        ("v4.0.0", False),
        ("no version here", False),
    ],
)
def test_a_newer_minor_version_of_the_same_major_fits(said: str, fits: bool) -> None:
    assert OnPath(binary="pulumi", arguments=(), version=(3, 259)).fits(said) is fits


def test_kubernetes_components_must_be_of_the_same_minor_version() -> None:
    kubelet = OnPath(binary="kubelet", arguments=(), version=(1, 34), same_minor=True)
    assert kubelet.fits("Kubernetes v1.34.9")
    assert not kubelet.fits("Kubernetes v1.35.0")


def test_a_fitting_tool_on_path_is_used_and_an_old_one_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\necho v3.270.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (pulumi,) = (tool for tool in TOOLS if tool.name == "pulumi")
    assert pulumi.installed() == {"pulumi": program}
    program.write_text("#!/bin/sh\necho v3.100.0\n")
    assert pulumi.installed() == {}


def test_a_changed_source_or_a_changed_version_is_another_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "MODULES", tmp_path)
    shutil.copytree(Path(toolchain.__file__).parent / "coredns", tmp_path / "coredns")
    first = Tool(name="coredns", binaries=("coredns",))
    digests = {first.digest(), Tool(name="coredns", binaries=("coredns",), set_=(("main.version", "2"),)).digest()}
    (tmp_path / "coredns" / "go.mod").write_text("module other\n")
    digests.add(first.digest())
    assert len(digests) == 3


def test_every_module_is_pinned_by_a_sum_file() -> None:
    folders = {path.name for path in toolchain.MODULES.iterdir() if (path / "go.mod").exists()}
    assert folders == {tool.name for tool in TOOLS}
    assert all((tool.source / "go.sum").exists() for tool in TOOLS)


def test_what_the_platform_does_not_need_is_built_only_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "CACHE", tmp_path)
    monkeypatch.setattr(toolchain, "TOOLS", (Tool(name="coredns"), Tool(name="kube-score", on_demand=True)))
    assert [tool.name for tool in toolchain.missing()] == ["coredns"]
    assert [tool.name for tool in toolchain.missing("kube-score")] == ["kube-score"]
    assert [tool.name for tool in toolchain.missing("coredns")] == ["coredns"]
