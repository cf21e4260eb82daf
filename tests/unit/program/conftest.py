"""What the tests of the program share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.program.harness import ROOT


@pytest.fixture(autouse=True, scope="package")
def _no_machine() -> Iterator[None]:
    """Keep what this machine is set up for (its kubeconfig, its stack) out of the tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(ROOT)
        for name in ("KUBECONFIG", "PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS"):
            monkeypatch.delenv(name, raising=False)
        yield


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Return a file that can pass for a bundle of certificates."""
    file = tmp_path / "ca.crt"
    file.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    return file
