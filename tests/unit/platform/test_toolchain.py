"""When a tool is built, and when what is there serves."""

import hashlib
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from local import toolchain
from local.errors import PlatformError
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


def test_every_module_is_pinned_by_a_sum_file_and_every_wheel_by_its_hash() -> None:
    folders = {
        path.parent.name for name in ("go.mod", "requirements.txt") for path in toolchain.MODULES.glob(f"*/{name}")
    }
    assert folders == {tool.name for tool in TOOLS}
    for tool in TOOLS:
        if tool.wheel:
            pinned = (tool.source / "requirements.txt").read_text().splitlines()
            lines = [line for line in pinned if not line.startswith("#")]
            assert all(re.fullmatch(r"[a-z-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
        else:
            assert (tool.source / "go.sum").exists()


@pytest.mark.slow
@pytest.mark.parametrize("pinned", [f"shop==1 --hash=sha256:{'0' * 64}", "shop==1"])
def test_a_wheel_of_another_hash_than_the_pinned_or_of_none_is_refused(
    pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path)
    (tmp_path / "requirements.txt").write_text(f"{pinned}\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PlatformError, match=r"(?i)hashes"):
        toolchain._install(tmp_path, tmp_path)


@pytest.mark.slow
def test_a_wheels_programs_are_put_beside_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(wheel(tmp_path).read_bytes()).hexdigest()
    (tmp_path / "requirements.txt").write_text(f"shop==1 --hash=sha256:{digest}\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    out = tmp_path / "out"
    out.mkdir()
    toolchain._install(tmp_path, out)
    assert os.access(out / "shop", os.X_OK)


def wheel(folder: Path) -> Path:
    """Make a wheel whose one program is called `shop`, in `folder`."""
    path = folder / "shop-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        program = zipfile.ZipInfo("shop-1.data/scripts/shop")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, "#!/bin/sh\n")
        archive.writestr("shop-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1\n")
        archive.writestr("shop-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("shop-1.dist-info/RECORD", "")
    return path


def test_what_the_platform_does_not_need_is_built_only_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "CACHE", tmp_path)
    monkeypatch.setattr(toolchain, "TOOLS", (Tool(name="coredns"), Tool(name="kube-score", on_demand=True)))
    assert [tool.name for tool in toolchain.missing()] == ["coredns"]
    assert [tool.name for tool in toolchain.missing("kube-score")] == ["kube-score"]
    assert [tool.name for tool in toolchain.missing("coredns")] == ["coredns"]
