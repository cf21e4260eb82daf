"""What must hold before the platform is touched: each check answers with one line that says what to do, or none."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from pathlib import Path

from local.errors import PlatformError
from local.network import NETWORK, Network
from local.paths import CACHE, STATE

# Measured: the Go modules and compiled packages of a first build peak below the first figure; a start adds little.
BUILD_GB = 30
START_GB = 4


def not_debian(os_release: str, machine: str) -> str | None:
    """Return what is wrong when `os_release`, the text of /etc/os-release, is not Debian 12 or later on x86-64."""
    fields = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    name = fields.get("PRETTY_NAME", "an unknown system").strip('"')
    version = fields.get("VERSION_ID", "").strip('"')
    if fields.get("ID") == "debian" and version.isdecimal() and int(version) >= 12 and machine == "x86_64":
        return None
    return (
        f"The embedded platform runs on Debian 12 or later on x86_64; this is {name} on {machine}. "
        "With a cluster and a registry of your own you do not need it: see 'Your own cluster' in README.md."
    )


def not_root(uid: int) -> str | None:
    """Return what is wrong when `uid` is not root's."""
    if uid == 0:
        return None
    return f"The embedded platform needs root for its namespaces; this is user id {uid}. Run it as root (sudo make up)."


def disk_full(free: Mapping[Path, int], needed_gb: int) -> str | None:
    """Return what is wrong when a file system in `free` (bytes by path) has less than `needed_gb` GB (10^9 bytes)."""
    for path, available in free.items():
        if available < needed_gb * 10**9:
            return (
                f"{path} has {available / 10**9:.1f} GB free and {needed_gb} GB are needed. "
                "Make room there, or set XDG_CACHE_HOME to a folder on a larger disk."
            )
    return None


def address_taken(routes: Iterable[Mapping[str, str]], network: Network) -> str | None:
    """Return what is wrong when one of `routes`, as `ip -json route` gives them, leads into the platform's network."""
    for route in routes:
        target = route["dst"]
        if target == "default" or route.get("dev") == network.interface:
            continue
        if IPv4Network(target, strict=False).overlaps(network.whole):
            return (
                f"The platform's network {network.whole} is taken: this machine has a route to {target} "
                f"by {route.get('dev', 'another host')}. Remove that route, or change local/network.py."
            )
    return None


def no_namespaces() -> str | None:
    """Return what is wrong when this machine does not allow what the node is made of."""
    attempt = ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "true"]
    result = subprocess.run(attempt, capture_output=True, text=True, check=False)
    if result.returncode:
        return (
            f"This machine allows no new namespaces ({result.stderr.strip()}). Run on a host or a privileged container."
        )
    for module, trace in (("overlay", "/sys/module/overlay"), ("br_netfilter", "/proc/sys/net/bridge")):
        if Path(trace).exists() or _listed(module):
            continue
        if shutil.which("modprobe"):
            subprocess.run(["modprobe", module], capture_output=True, check=False)
        if not Path(trace).exists():
            return f"The kernel module {module} is not loaded and modprobe did not load it. Load it, then try again."
    return None


def _listed(file_system: str) -> bool:
    return f"\t{file_system}\n" in Path("/proc/filesystems").read_text()


def check_user() -> None:
    """Raise `PlatformError` when it is not root who asks: the platform's files and sockets are root's."""
    problem = not_root(os.geteuid())
    if problem:
        raise PlatformError(problem)


def check_machine(*, building: bool) -> None:
    """Raise `PlatformError` with the first thing that is not as it must be; `building` asks for the room to build."""
    problem = (
        not_debian(Path("/etc/os-release").read_text(), platform.machine())
        or disk_full(_free_space(), BUILD_GB if building else START_GB)
        or address_taken(json.loads(_ip_routes()), NETWORK)
        or no_namespaces()
    )
    if problem:
        raise PlatformError(problem)


def _free_space() -> dict[Path, int]:
    existing = {next(path for path in (folder, *folder.parents) if path.exists()) for folder in (CACHE, STATE)}
    return {path: shutil.disk_usage(path).free for path in existing}


def _ip_routes() -> str:
    if not shutil.which("ip"):
        return "[]"
    command = ["ip", "-json", "-4", "route", "show", "table", "all"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout or "[]"
