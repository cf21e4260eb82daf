"""`python -m local up|down|status|env|clean`: the embedded platform's commands.

`up` may be repeated at any time; it builds and starts only what is missing. Nothing here knows the Pulumi program.
"""

import argparse
import hashlib
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rich.markup import escape

from local import cluster, debian, images, node, preflight, pulumi_home, report, toolchain
from local.errors import PlatformError
from local.lock import alone
from local.paths import CACHE, HERE, RUN, STATE
from local.progress import console, elapsed, step

UP = RUN / "up"
LOCK = STATE / "lock"
OTHER = "another command that changes the platform"


def up() -> None:
    """Bring the platform up: whatever is missing of tools, processes, cluster and images."""
    started = time.monotonic()
    preflight.check_machine(building=bool(toolchain.missing()))
    with alone(LOCK, OTHER):
        if _is_up():
            console.print(f"The platform is up  [dim]{elapsed(time.monotonic() - started)}[/dim]")
            return
        debian.ensure()
        with ThreadPoolExecutor() as aside:
            unpacked = aside.submit(images.unpack)
            tools = toolchain.ensure()
            unpacked.result()
        pulumi_home.ensure(tools)
        cluster.configure(tools)
        if node.outdated():
            with step("Stopping the node, which another version of this code started"):
                node.stop()
        with step("The node: registry, BuildKit, containerd, etcd, Kubernetes"):
            if not node.running():
                node.start()
            cluster.start_programs()
            cluster.wait_for_api(tools)
        images.ensure(tools)
        cluster.start_pods(tools)
        cluster.add_ons(tools)
        UP.write_text(_fingerprint())
    console.print(f"The platform is up  [dim]{elapsed(time.monotonic() - started)}[/dim]")


def _is_up() -> bool:
    """Tell whether `up` has nothing to do: it once went through with this very code, and everything still runs."""
    if not node.running() or not UP.exists() or UP.read_text() != _fingerprint():
        return False
    states = node.states()
    return bool(states) and set(states.values()) == {"RUNNING"}


def _fingerprint() -> str:
    """Return what tells one version of the platform from another: its code and its templates."""
    files = sorted(path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return hashlib.sha256(b"\n".join(path.read_bytes() for path in files)).hexdigest()


def down() -> None:
    """Stop the platform; its state stays, so that `up` brings back what ran."""
    with alone(LOCK, OTHER), step("Stopping the platform"):
        node.stop()


def clean() -> None:
    """Stop the platform and remove all it keeps on this machine: its state, its images, its caches."""
    down()
    with step(f"Removing {STATE} and {CACHE}"):
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.rmtree(STATE, ignore_errors=True)


def status() -> None:
    """Show what runs, where, and what it takes."""
    report.show()


def env() -> None:
    """Print the exports for a shell: `eval "$(make -s env)"`."""
    if toolchain.missing():
        raise PlatformError("The platform was not set up yet on this machine. Run 'make up' first.")
    tools = toolchain.ensure()
    pulumi_home.ensure(tools)
    for name, value in pulumi_home.environment(tools).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


COMMANDS: dict[str, Callable[[], None]] = {"up": up, "down": down, "status": status, "env": env, "clean": clean}


def main() -> None:
    """Run one command; a problem that is not the code's is one line on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m local", description="The embedded platform.")
    parser.add_argument("command", choices=COMMANDS, help="what to do")
    command = parser.parse_args().command
    try:
        preflight.check_user()
        COMMANDS[command]()
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Interrupted; the same command goes on where this one stopped.")
        sys.exit(130)


if __name__ == "__main__":
    main()
