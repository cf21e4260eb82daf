"""The product's app with routes that only tests need: slow for as long as a test wants, or broken."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from webapp.wsgi import app

__all__ = ["app"]

_RELEASE = Path(os.environ["TEST_DIRECTORY"]) / "release"


@app.get("/held")
def held() -> str:
    """Answer with the worker's process id once the test has made the file ``release``."""
    while not _RELEASE.exists():
        time.sleep(0.01)
    return str(os.getpid())


@app.get("/api/broken")
def broken() -> str:
    """Fail as code with a bug does."""
    password = "hunter2"
    raise RuntimeError(f"broken on purpose, {len(password)} times")


@app.get("/broken-stream")
def broken_stream() -> Iterator[str]:
    """Fail when Flask has handed the response over to gunicorn already."""
    raise RuntimeError("broken on purpose")
    yield "never"
