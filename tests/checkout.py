"""A copy of the checkout, for tests that change it or let programs run in it that do."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", "__pycache__", ".*_cache", "rendered")


def copy(to: Path) -> Path:
    """Copy the checkout to the folder `to`, which must not be there yet, and return that.

    The environments are folders of links, made just now: so they are not out of date for make, which would make them
    anew, and with them the ones that the tests run in.
    """
    shutil.copytree(ROOT, to, ignore=LEFT_OUT)
    for name in (".venv", ".venv-dev"):
        (to / name).mkdir()
        for entry in (ROOT / name).iterdir():
            (to / name / entry.name).symlink_to(entry)
    return to
