"""What `make status` shows: the platform's programs, its add-ons and what they take. It changes nothing."""

import subprocess
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local import cluster, node, toolchain
from local.errors import PlatformError
from local.network import NETWORK
from local.paths import CACHE, KUBECONFIG, STATE


def tree(root: int) -> list[int]:
    """Return the process ids of `root` and of all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def resident(pids: list[int]) -> int:
    """Return the memory that the processes hold resident, in bytes; a page they share counts once (PSS)."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def disk(folder: Path) -> int:
    """Return what `folder` takes on disk, in bytes."""
    if not folder.exists():
        return 0
    said = subprocess.run(["du", "-sxB1", folder], capture_output=True, text=True, check=False).stdout
    return int(said.split()[0])


def show() -> None:
    """Print the report; raises `PlatformError` when the platform does not run."""
    pid = node.running()
    if pid is None:
        raise PlatformError("The platform does not run. 'make up' starts it.")
    table = Table("program or add-on", "state", box=None, title_justify="left")
    for name, state in sorted(node.states().items()):
        table.add_row(name, f"[green]{state}[/green]" if state == "RUNNING" else f"[red]{state}[/red]")
    # What is missing would be built to be asked.
    add_ons = {} if toolchain.missing() else cluster.add_ons_ready(toolchain.ensure())
    for name, ready in sorted(add_ons.items()):
        table.add_row(name, "[green]ready[/green]" if ready else "[red]not ready[/red]")
    pids = tree(pid)
    facts = Table("", "", box=None, show_header=False)
    facts.add_row("API server", NETWORK.api)
    facts.add_row("kubeconfig", str(KUBECONFIG))
    facts.add_row("registry", NETWORK.registry)
    facts.add_row("gateway", str(NETWORK.gateway))
    facts.add_row("processes", f"{len(pids)}, pods' included")
    facts.add_row("memory", f"{resident(pids) / 2**30:.2f} GiB resident")
    facts.add_row("disk", f"{disk(STATE) / 10**9:.1f} GB in {STATE}, {disk(CACHE) / 10**9:.1f} GB in {CACHE}")
    console = Console(highlight=False)
    console.print(table)
    console.print(facts)
