"""What the environment decides of catalog, beside what it decides of every service."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chassis.config
from chassis.config import Reader


@dataclass(frozen=True, kw_only=True)
class Config(chassis.config.Config):
    """The configuration of catalog."""

    database_dir: Path = Path("/run/secrets/database")
    """``DATABASE_DIR``: absolute path of the directory whose files say where the database is; see ``database``."""

    @classmethod
    def values(cls, read: Reader) -> dict[str, Any]:
        """Read the value of each field."""
        return {**super().values(read), "database_dir": read.directory("DATABASE_DIR", cls.database_dir)}
