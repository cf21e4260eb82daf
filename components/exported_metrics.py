"""What a service exports, from the file in which it says so: so that nothing is asked of it that it does not have.

The file stands beside the app, such as `app/webapp/metrics.json`; the app itself writes it, by `make docs`. It is read
and not imported: the program does not depend on what its services run on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, kw_only=True)
class ExportedMetrics:
    """The samples that a service's pods show on their metrics port."""

    names: frozenset[str]
    """Names of samples, as queries have them: a histogram's end with `_bucket`, `_count` and `_sum`."""

    buckets: Mapping[str, tuple[float, ...]]
    """The upper bounds of each histogram's buckets, rising to infinity, by the histogram's name."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return what the file says.

        Raises:
            ValueError: the file cannot be read, or is not one that `make docs` wrote.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                names=frozenset(name for metric in found.values() for name in metric["samples"]),
                buckets={
                    name: tuple(float(bound) for bound in metric["buckets"])
                    for name, metric in found.items()
                    if metric["type"] == "histogram"
                },
            )
        except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
            raise ValueError(
                f"{path} must say what metrics the service exports, found {type(error).__name__}: {error}; "
                "write it by `make docs`"
            ) from error
