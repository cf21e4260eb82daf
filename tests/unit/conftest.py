"""What all unit tests share."""

from pathlib import Path

import pytest

from local import toolchain


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Return upstream's promtool, built where it is missing: Debian's knows no `kubernetes_sd_configs`."""
    return toolchain.ensure("prometheus")["promtool"]
