"""What a person sees while the platform works: each step with its elapsed time, on standard error.

Standard output stays free for what a command answers (`python -m local env`).
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from local.errors import PlatformError
from local.paths import BUILD_LOGS

console = Console(stderr=True, highlight=False)
_spinner = threading.Lock()


def elapsed(seconds: float) -> str:
    """Return `seconds` as people say it: `0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show `title` while the block runs, with a spinner on a terminal, and its time once it is done.

    Where there is no terminal, or another step has the spinner, the title is printed at the start too, so that one sees
    what is under way.
    """
    started = time.monotonic()
    spins = console.is_terminal and _spinner.acquire(blocking=False)
    try:
        if spins:
            with console.status(f"{title} …"):
                yield
        else:
            console.print(f"  … {title}", soft_wrap=True)
            yield
    except BaseException:
        console.print(f"  [red]✗[/red] {title}  [dim]{elapsed(time.monotonic() - started)}[/dim]", soft_wrap=True)
        raise
    finally:
        if spins:
            _spinner.release()
    console.print(f"  [green]✓[/green] {title}  [dim]{elapsed(time.monotonic() - started)}[/dim]", soft_wrap=True)


def run(  # noqa: PLR0913 - each is said by name
    command: Sequence[object],
    *,
    log: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    secret: bool = False,
) -> str:
    """Run `command` to its end and return its standard output; all it says goes to the log named `log` too.

    `env` is laid over the environment. With `secret`, standard output is kept out of the log and of errors. Raises
    `PlatformError` with the last lines it said when it fails.
    """
    BUILD_LOGS.mkdir(parents=True, exist_ok=True)
    path = BUILD_LOGS / f"{log}.log"
    words = [str(word) for word in command]
    with path.open("a") as file:
        file.write(f"$ {' '.join(words)}\n")
        file.flush()
        result = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        output = result.stderr if secret else result.stdout + result.stderr
        file.write(output)
    if result.returncode:
        said = "\n".join(output.strip().splitlines()[-15:])
        raise PlatformError(f"{words[0]} failed with exit code {result.returncode} (all it said: {path}):\n{said}")
    return result.stdout


def wait_for(what: str, ready: Callable[[], bool], *, seconds: float, see: str) -> None:
    """Poll `ready` until it holds; raise `PlatformError` naming `what` and where to look (`see`) after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise PlatformError(f"{what} did not happen within {seconds:.0f} s. Look into {see}.")
        time.sleep(0.1)
