"""README.md's way to a service more, in a copy of the checkout, until it needs a platform; tests/e2e goes on there."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

import pytest

from tests import checkout, walkthrough

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(walkthrough.MADE, reason="README's service is one of the map already"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkout.copy(tmp_path / "checkout")


def state(folder: Path) -> Mapping[str, str]:
    """Return the content of each file of a checkout, but for environments and caches."""
    own = [entry for entry in folder.iterdir() if not re.match(r"\.venv|\..*_cache", entry.name)]
    files = [file for entry in own for file in [entry, *entry.rglob("*")] if file.is_file()]
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
        if "__pycache__" not in file.parts
    }


def test_a_service_that_cannot_be_made_whole_is_not_made(folder: Path, tmp_path: Path) -> None:
    before = state(folder)
    without_packages = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}
    result = walkthrough.run(walkthrough.commands()[0], folder, **without_packages)
    assert result.returncode != 0
    assert "`make lock LOCKS=app/order-history/requirements` failed" in result.stderr
    assert "Nothing was changed." in result.stderr
    assert state(folder) == before


def test_the_commands_of_the_readme_make_a_service_that_passes_all_checks(folder: Path) -> None:
    if (checkout.ROOT / ".mypy_cache").exists():  # which saves most of the time
        shutil.copytree(checkout.ROOT / ".mypy_cache", folder / ".mypy_cache")
    before = state(folder)
    first, *others = takewhile(lambda command: command != walkthrough.UNTIL, walkthrough.commands())
    made = walkthrough.run(first, folder)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Then `make preview`, and `make up`." in made.stdout
    shared = {name for name, digest in before.items() if state(folder).get(name) != digest}
    assert shared <= {"services.py", "Pulumi.yaml", "docs/map.svg", "README.md"}
    walkthrough.declare(folder)
    assert len(others) > 1
    for command in others:
        result = walkthrough.run(command, folder)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def test_make_takes_the_environments_of_a_copy_as_they_are(folder: Path) -> None:
    """To make them anew would be to take away the ones that these tests run in."""
    for lock in folder.glob("requirements*.lock"):
        assert lock.stat().st_mtime <= (folder / ".venv").stat().st_mtime
    assert walkthrough.run("make --question .venv .venv-dev", folder).returncode == 0
