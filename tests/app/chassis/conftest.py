"""What the tests of the chassis share."""

from collections.abc import Iterator
from threading import Thread

import pytest

from .collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector of the test's own."""
    with Collector() as server:
        Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield server
        server.shutdown()
