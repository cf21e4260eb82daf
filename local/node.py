"""The node: one process tree in namespaces of its own, with a supervisor as its first process.

`unshare` keeps the tree together: when it ends, however it ends, the kernel ends every process of the node and takes
back its mounts, its network and its rules. Nothing here knows Kubernetes.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import xmlrpc.client
from contextlib import suppress
from pathlib import Path
from typing import Any

import supervisor
import supervisor.xmlrpc

from local.errors import PlatformError
from local.init import PRIVATE, layout
from local.network import NETWORK
from local.paths import CHECKOUT, LOGS, RUN, STATE
from local.progress import wait_for

PID_FILE = RUN / "node.pid"
STARTED = RUN / "node.started"
CONFIGURATION = ("cni", "config", "registries")
"""Folders of the state whose files the node's programs read when they start."""

CGROUPS = Path("/sys/fs/cgroup")

POD_SHARES = 8192
"""CPU shares of all pods together, where one thread of the machine has 1024. With a group's default, which is as many,
each thread of a build or an update would get as much of the processors as all pods."""


def running() -> int | None:
    """Return the process id of the running node's keeper, or None."""
    try:
        pid, started = PID_FILE.read_text().split()
        return int(pid) if _started(int(pid)) == started else None
    except (OSError, ValueError):
        return None


def _started(pid: int) -> str:
    """Return when a process was started, in ticks since boot: a process id alone may be another's by now."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def outdated() -> bool:
    """Tell whether a node runs that was started with another layout or other files than it would be now."""
    return running() is not None and (not STARTED.exists() or STARTED.read_text() != configuration(STATE))


def configuration(state: Path) -> str:
    """Return the hash of what a node is started with: its layout, its pods' shares, and the files its programs read."""
    files = sorted(path for folder in CONFIGURATION for path in (state / folder).rglob("*") if path.is_file())
    parts = [*layout(NETWORK), str(POD_SHARES), *(f"{path.relative_to(state)}\n{path.read_text()}" for path in files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def start() -> None:
    """Start the node's processes and return when the supervisor answers."""
    clear()
    for folder in (RUN, STATE, LOGS):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (STATE / "kubelet").mkdir(exist_ok=True)
    package = Path(supervisor.__path__[0])
    shutil.copytree(package, STATE / "lib" / "supervisor", dirs_exist_ok=True)
    for folder in _cgroup_roots():
        folder.mkdir(exist_ok=True)
        give_shares(folder, POD_SHARES)
    with (LOGS / "node.log").open("a") as log:
        keeper = subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
                *(sys.executable, "-m", "local.init"),
            ],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    STARTED.write_text(configuration(STATE))
    PID_FILE.write_text(f"{keeper.pid} {_started(keeper.pid)}\n")
    wait_for(
        "The node's start", lambda: bool(states()) or keeper.poll() is not None, seconds=30, see=f"{LOGS}/node.log"
    )
    if keeper.poll() is not None:
        said = (LOGS / "node.log").read_text().strip().splitlines()[-3:]
        raise PlatformError("The node did not start: " + " ".join(said))


def stop() -> None:
    """Stop the node in order, then end what is left of it, and return when nothing is."""
    pid = running()
    if pid is not None:
        try:
            with _supervisor() as proxy:
                proxy.supervisor.shutdown()
            wait_for("The node's orderly stop", lambda: running() is None, seconds=60, see=f"{LOGS}/supervisord.log")
        except (OSError, xmlrpc.client.Error, PlatformError):
            os.kill(pid, signal.SIGKILL)
            wait_for("The node's end", lambda: running() is None, seconds=10, see=f"process {pid}")
    clear()


def clear() -> None:
    """Remove what a node that has ended leaves: its link for a moment, its control groups, its run files."""
    link = Path("/sys/class/net") / NETWORK.interface
    if link.exists():
        subprocess.run(["ip", "link", "delete", NETWORK.interface], capture_output=True, check=False)
    wait_for("The removal of the node's link", lambda: not link.exists(), seconds=10, see="ip link")
    for root in _cgroup_roots():
        for folder, _, _ in os.walk(root, topdown=False):
            Path(folder).rmdir()
    for folder in PRIVATE:
        with suppress(OSError):  # one that is not empty, or not there, is not the node's
            Path(folder).rmdir()
    shutil.rmtree(RUN, ignore_errors=True)


def _cgroup_roots() -> list[Path]:
    """Return the node's control group in every hierarchy: one in version 2, one a controller in version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / "cloudnative"]
    controllers = [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]
    return [path / "cloudnative" for path in controllers]


def give_shares(group: Path, shares: int) -> None:
    """Set a control group's CPU shares, where its hierarchy has such: in version 2 a weight, of which 100 are 1024."""
    for name, value in (("cpu.shares", shares), ("cpu.weight", shares * 100 // 1024)):
        if (group / name).exists():
            (group / name).write_text(str(value))


def _supervisor() -> xmlrpc.client.ServerProxy:
    transport = supervisor.xmlrpc.SupervisorTransport(None, None, f"unix://{RUN}/supervisor.sock")
    return xmlrpc.client.ServerProxy("http://node", transport=transport)


def inside(*command: str) -> list[str]:
    """Return the command line that runs `command` in the node's network; raises `PlatformError` when no node runs."""
    pid = running()
    if pid is None:
        raise PlatformError("The platform does not run. 'make up' starts it.")
    return ["nsenter", f"--target={pid}", "--mount", "--", "nsenter", f"--net={RUN}/netns", "--", *command]


def states() -> dict[str, str]:
    """Return each supervised program's state by its name (`RUNNING`, `BACKOFF`, …); nothing when no node runs."""
    try:
        with _supervisor() as proxy:
            programs: Any = proxy.supervisor.getAllProcessInfo()
    except (OSError, xmlrpc.client.Error):
        return {}
    return {each["name"]: each["statename"] for each in programs}


def start_program(name: str) -> None:
    """Start a program of the node that was stopped."""
    with _supervisor() as proxy:
        proxy.supervisor.startProcess(name)


def stop_program(name: str) -> None:
    """Stop one program of the node, and return when it has ended."""
    with _supervisor() as proxy:
        proxy.supervisor.stopProcess(name)
