"""What the environment decides of webapp, beside what it decides of every service."""

from dataclasses import dataclass
from typing import Any

import chassis.config
from chassis.config import Call, Reader


@dataclass(frozen=True, kw_only=True)
class Config(chassis.config.Config):
    """The configuration of webapp."""

    catalog: Call | None = None
    """``CATALOG_URL``, ``CATALOG_TIMEOUT_SECONDS`` and ``CATALOG_RETRIES``; without the first, no products."""

    @classmethod
    def values(cls, read: Reader) -> dict[str, Any]:
        """Read the value of each field."""
        return {**super().values(read), "catalog": read.call("catalog")}
