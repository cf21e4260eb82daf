"""What a root file system is given that no package's script has run in."""

import subprocess
from pathlib import Path

import pytest

from local.images import CERTIFICATES, PACKAGES, RootFs

CONTROL = "Package: shop\nVersion: 1:2-3\nArchitecture: all\nDescription: a shop\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root file system as it is when its packages have just been unpacked."""
    root = tmp_path / "root"
    for folder in ("etc/ssl/certs", "usr/share/ca-certificates/mozilla", "var/cache/apt/archives", "var/lib/dpkg"):
        (root / folder).mkdir(parents=True)
    return root


def run(hook: str, root: Path) -> None:
    """Run a hook as mmdebstrap does."""
    subprocess.run(["sh", "-c", hook, "exec", str(root)], check=True)


def test_hooks_are_of_the_kind_that_is_run_when_packages_are_only_unpacked() -> None:
    command = RootFs(packages=("shop",), unpack_only=True).command(Path("root.tar"))
    assert [word for word in command if "hook" in word] == [
        f"--extract-hook={hook}" for hook in (CERTIFICATES, PACKAGES)
    ]
    assert not [word for word in RootFs(packages=("shop",)).command(Path("root.tar")) if "hook" in word]


def test_the_certificates_are_bundled(root: Path) -> None:
    for name in ("a", "b"):
        (root / f"usr/share/ca-certificates/mozilla/{name}.crt").write_text(f"{name}\n")
    run(CERTIFICATES, root)
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_text() == "a\nb\n"


def test_each_package_is_on_record(root: Path, tmp_path: Path) -> None:
    (tmp_path / "shop/DEBIAN").mkdir(parents=True)
    (tmp_path / "shop/DEBIAN/control").write_text(CONTROL)
    package = root / "var/cache/apt/archives/shop_1%3a2-3_all.deb"
    subprocess.run(["dpkg-deb", "--build", str(tmp_path / "shop"), str(package)], check=True, capture_output=True)
    run(PACKAGES, root)
    assert (root / "var/lib/dpkg/status.d/shop").read_text() == CONTROL
