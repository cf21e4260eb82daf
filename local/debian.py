"""What the platform takes from Debian: packages without a daemon are installed, daemons are only unpacked.

Installing `containerd`, `etcd-server` or `docker-registry` would start and enable their services; the
platform runs those programs itself, in its own namespaces, so their packages are unpacked into the cache instead.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.markup import escape

from local.errors import PlatformError
from local.paths import CACHE
from local.progress import console, run, step

INSTALLED = ("ca-certificates", "containernetworking-plugins", "iproute2", "iptables", "mmdebstrap", "procps", "runc")
UNPACKED = {
    "catatonit": "usr/bin/catatonit",
    "containerd": "usr/bin/containerd",
    "docker-registry": "usr/bin/docker-registry",
    "etcd-server": "usr/bin/etcd",
}
TESTED = {"postgresql-15": "usr/lib/postgresql/15/bin/postgres"}
"""Unpacked likewise, for the tests of the apps alone: `python -m local.debian` gets it, with the libraries it needs."""

LIBRARIES = ("libgssapi-krb5-2", "libicu72", "libldap-2.5-0", "liblz4-1", "libpq5", "libxml2", "libzstd1")

BROWSER = "chromium-headless-shell"
"""Asked for by the test of the page of panels alone; its program has the package's name."""


def installed(package: str) -> bool:
    """Tell whether dpkg has `package` installed."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def unpacked(package: str) -> Path:
    """Return the main program of an unpacked package, a key of `UNPACKED` or `TESTED`; `ensure` puts it there."""
    return CACHE / "debian" / package / (UNPACKED | TESTED)[package]


def ensure(packages: tuple[str, ...] = (*INSTALLED, *UNPACKED)) -> None:
    """Install or unpack those of `packages` that are not there yet."""
    programs = UNPACKED | TESTED
    missing = [name for name in packages if name not in programs and not installed(name)]
    packed = [name for name in packages if name in programs and not unpacked(name).exists()]
    if not missing and not packed:
        return
    with step(f"Debian packages: {', '.join(missing + packed)}"):
        run(["apt-get", "update", "--quiet"], log="apt")
        if missing:
            install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing]
            run(install, log="apt", env={"DEBIAN_FRONTEND": "noninteractive"})
        for name in packed:
            _unpack(name)


def _unpack(package: str) -> None:
    root = CACHE / "debian" / package
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        here = Path(scratch)
        run(["apt-get", "download", "--quiet", "-o", "APT::Sandbox::User=root", package], log="apt", cwd=here)
        (archive,) = here.glob("*.deb")
        run(["dpkg-deb", "--extract", archive, here / "root"], log="apt")
        shutil.rmtree(root, ignore_errors=True)
        (here / "root").rename(root)


if __name__ == "__main__":
    try:
        ensure((*LIBRARIES, *TESTED))
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
