"""The product's app, which one worker loads at once and the others when the test has made the file ``release``."""

import os
import time
from pathlib import Path

_DIRECTORY = Path(os.environ["TEST_DIRECTORY"])
try:
    (_DIRECTORY / "first").touch(exist_ok=False)
except FileExistsError:
    while not (_DIRECTORY / "release").exists():
        time.sleep(0.01)

from webapp.wsgi import app  # noqa: E402  loading is what the test holds up

__all__ = ["app"]
