"""What README.md says of a service more: its commands, and the line that people add, for the tests to do the same."""

import os
import re
import subprocess
from pathlib import Path

from tests.checkout import ROOT

UNTIL = "make preview"
"""The first of the commands that needs a platform."""

MADE = (ROOT / "app/order-history").exists()
"""Whether somebody has done it already, in this checkout."""

LISTED = "\nSERVICES = "
"""What the line has to stand before, in `services.py`."""


def blocks() -> list[tuple[str, str]]:
    """Return the section's fenced blocks: of what language each is, and its text."""
    section = (ROOT / "README.md").read_text().partition("\n## A service more\n")[2].partition("\n## ")[0]
    found: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return found


def commands() -> list[str]:
    """Return the commands, in their order."""
    return [line for language, text in blocks() if not language for line in text.splitlines()]


def declare(folder: Path) -> None:
    """Add the line to the map of a checkout."""
    (line,) = [text for language, text in blocks() if language == "python"]
    file = folder / "services.py"
    before, listed, after = file.read_text().partition(LISTED)
    assert listed
    file.write_text(f"{before}{line}{listed}{after}")


def run(command: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a checkout, with what `environ` has beside this process's own environment."""
    # What says that a make is another one's child, or pytest a worker, is not for these.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTEST"))}
    return subprocess.run(  # noqa: S603 - the commands stand in README.md
        ["/bin/bash", "-ec", command],
        cwd=folder,
        env={**env, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
