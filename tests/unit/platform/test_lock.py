"""The lock that keeps two commands apart."""

import subprocess
import sys
import threading
from pathlib import Path

from local.lock import alone
from local.paths import CHECKOUT

HOLD = "import sys; from pathlib import Path; from local.lock import alone\n"
HOLD += "with alone(Path(sys.argv[1]), 'me'): print('held', flush=True); input()"


def test_a_second_command_waits_until_the_first_has_ended_however_it_ends(tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with alone(tmp_path / "lock", "the first"):
            entered.set()

    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        second = threading.Thread(target=enter)
        second.start()
        assert not entered.wait(0.3)
        first.kill()
    assert entered.wait(10)
    second.join()
