"""One command at a time: a lock that ends with the process that holds it, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.progress import step


@contextmanager
def alone(path: Path, other: str) -> Iterator[None]:
    """Hold the lock file `path`; while somebody else has it, wait and say that it is for `other` to end."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"Waiting for {other}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
