"""`python -m local.drill STACK`: break a service on purpose, and see the alert reach a person's end.

The stack is deployed with short windows and a webhook of the drill's own, its service is made to answer with errors
while requests come in, and each station of the page is timed: Prometheus, Alertmanager, webhook; then the same for its
end. Afterwards the stack is as its YAML says. Only for stacks that run a Prometheus of their own, and never in
production, where the policy pack refuses faults.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import httpx
import yaml
from rich.markup import escape
from rich.table import Table

from local import node, preflight, pulumi_home, toolchain, web
from local.errors import PlatformError
from local.network import NETWORK
from local.paths import CHECKOUT
from local.progress import console, elapsed, step, wait_for
from local.stack import POLICIES, PROJECT, Stack

T = TypeVar("T")

ALERT = {"alertname": "AvailabilityBudgetBurn", "severity": "page"}
"""Labels of the alert that the faults must set off."""

DIVISOR = 30
"""What windows are divided by: 5 min become 10 s, 1 h becomes 2 min."""

ERROR_PERCENT = 50
"""Share of requests that the service is made to fail."""

PAUSE_SECONDS = 0.05
"""Between two requests of the drill."""

WEBHOOK = "alertWebhookUrl"

Deploy = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Deploys the stack with some values changed, by their paths such as `webapp.faults`, and returns its outputs."""


@dataclass(frozen=True)
class Timed:
    """One station of the drill, and how long it took to get there from the one before."""

    what: str
    seconds: float


@dataclass
class Webhook:
    """What was sent to the webhook."""

    url: str
    received: list[dict[str, Any]] = field(default_factory=list)

    def told(self, status: str) -> bool:
        """Tell whether `ALERT` was received as `firing` or `resolved`."""
        alerts = [alert for message in self.received for alert in message["alerts"]]
        return _is_among(alert for alert in alerts if alert["status"] == status)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """Listen on the node's address, which pods reach and nobody beyond the machine does."""
    command = node.inside(sys.executable, str(Path(__file__).with_name("webhook.py")), str(NETWORK.node))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        lines: IO[str] = process.stdout  # type: ignore[assignment]  # a pipe was asked for
        told = Webhook(lines.readline().strip())

        def listen() -> None:
            told.received.extend(json.loads(line) for line in lines)

        with _aside(listen):
            try:
                yield told
            finally:
                process.terminate()


@contextmanager
def requests(url: str, ca: str | None = None) -> Iterator[None]:
    """Ask for `url`, over and over, while the block runs; what is answered does not matter.

    Args:
        url: What is asked for.
        ca: The authority that https is trusted by, as PEM; None where there is no https.
    """
    over = threading.Event()

    def ask() -> None:
        with web.client(ca) as client:
            while not over.wait(PAUSE_SECONDS):
                try:
                    client.get(url)
                except httpx.TransportError:
                    continue

    with _aside(ask):
        try:
            yield
        finally:
            over.set()


@contextmanager
def _aside(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


class _Clock:
    """Shows each station while it is on its way there, and keeps how long that took."""

    def __init__(self) -> None:
        self.stations: list[Timed] = []

    def timed(self, what: str, act: Callable[[], T]) -> T:
        """Do what leads to a station, and return what came of it."""
        started = time.monotonic()
        with step(what):
            result = act()
        self.stations.append(Timed(what, time.monotonic() - started))
        return result

    def until(self, what: str, holds: Callable[[], bool], see: str) -> None:
        """Wait for a station."""

        def reached() -> bool:
            try:
                return holds()
            except httpx.HTTPError:  # a server whose pod has just been replaced
                return False

        self.timed(what, lambda: wait_for(what, reached, seconds=180, see=see))


def drill(deploy: Deploy) -> list[Timed]:
    """Run the drill and return its stations in their order; the stack is put right again whatever happens.

    Raises:
        PlatformError: a station was not reached; names it, and where to look.
    """
    clock = _Clock()
    with webhook() as told:
        short: dict[str, Any] = {
            "monitoring.windowDivisor": DIVISOR,
            "monitoring.scrapeIntervalSeconds": 1,
            "monitoring.webhookNetworks": [f"{NETWORK.node}/32"],
            WEBHOOK: told.url,
        }
        faults = {**short, "webapp.faults": {"errorPercent": ERROR_PERCENT}}
        try:
            outputs = clock.timed("Short windows and the drill's webhook are deployed", lambda: deploy(short))
            prometheus, alertmanager = outputs["prometheus_url"], outputs["alertmanager_url"]
            alerts, notices = f"{prometheus}/api/v1/alerts", f"{alertmanager}/api/v2/alerts"
            ca = outputs.get("ca_certificate")
            with requests(outputs["url"], ca), web.client(ca) as client:
                ask = partial(_get, client)
                clock.until("Requests are counted, and none fails", lambda: _none_fails(ask, prometheus), prometheus)
                clock.timed(f"Faults are deployed: {ERROR_PERCENT} % of requests fail", lambda: deploy(faults))
                clock.until("The page fires in Prometheus", lambda: _fires(ask(alerts)), alerts)
                clock.until("Alertmanager has it", lambda: _is_among(ask(notices)), notices)
                clock.until("The webhook is told", lambda: told.told("firing"), notices)
                clock.timed("Faults are taken back", lambda: deploy(short))
                clock.until("It is over in Prometheus", lambda: not _fires(ask(alerts)), alerts)
                clock.until("The webhook is told that it is over", lambda: told.told("resolved"), notices)
        finally:
            clock.timed("The stack is as its YAML says", lambda: deploy({}))
    return clock.stations


def _none_fails(ask: Callable[..., Any], prometheus: str) -> bool:
    query = {"query": "service:http_request_errors:ratio_rate1h == 0"}
    return bool(ask(f"{prometheus}/api/v1/query", query)["data"]["result"])


def _fires(said: Mapping[str, Any]) -> bool:
    return _is_among(alert for alert in said["data"]["alerts"] if alert["state"] == "firing")


def _is_among(alerts: Iterable[Mapping[str, Any]]) -> bool:
    return any(ALERT.items() <= alert["labels"].items() for alert in alerts)


def _get(client: httpx.Client, url: str, parameters: Mapping[str, str] | None = None) -> Any:
    answer = client.get(url, params=parameters)
    answer.raise_for_status()
    return answer.json()


def changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stack's configuration with `changes`, by their paths, in it."""
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in config.items()}
    for path, value in changes.items():
        top, _, rest = path.partition(".")
        if rest:
            result.setdefault(f"{PROJECT}:{top}", {})[rest] = value
        else:
            result[f"{PROJECT}:{top}"] = value
    return result


def deployer(stack: Stack, folder: Path) -> Deploy:
    """Return what deploys a stack of this checkout, from a changed copy of its YAML in `folder`."""
    source = yaml.safe_load((CHECKOUT / f"Pulumi.{stack.name}.yaml").read_text())

    def deploy(changes: Mapping[str, Any]) -> Mapping[str, Any]:
        secret = changes.get(WEBHOOK)
        plain = {path: value for path, value in changes.items() if path != WEBHOOK}
        file = folder / "config.yaml"
        file.write_text(yaml.safe_dump({**source, "config": changed(source["config"], plain)}))
        if secret:
            stack.run("config", "set", "--secret", f"--config-file={file}", WEBHOOK, str(secret))
        stack.run("up", "--yes", "--skip-preview", POLICIES, f"--config-file={file}")
        return stack.outputs()

    return deploy


def run(name: str) -> None:
    """Run the drill on the stack called `name`, and print how long each station took."""
    if node.running() is None:
        raise PlatformError("The platform does not run. 'make up' starts it.")
    tools = toolchain.ensure()
    pulumi_home.ensure(tools)
    stack = Stack(name, pulumi_home.environment(tools))
    source = yaml.safe_load((CHECKOUT / f"Pulumi.{name}.yaml").read_text())
    kind = source["config"][f"{PROJECT}:monitoring"]["kind"]
    if kind != "prometheus":
        raise PlatformError(
            f"The drill needs a stack with a Prometheus of its own (monitoring.kind prometheus), and {name} has kind "
            f"{kind}: take another, such as STACK=dev."
        )
    stack.select()
    with tempfile.TemporaryDirectory() as scratch:
        stations = drill(deployer(stack, Path(scratch)))
    table = Table("station", "after", title=f"Drill: {ALERT['alertname']} of {name}, windows divided by {DIVISOR}")
    for station in stations:
        table.add_row(station.what, elapsed(station.seconds))
    console.print(table)


def main() -> None:
    """Run the drill; a problem is said on standard error, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m local.drill", description=__doc__)
    parser.add_argument("stack", help="the stack's name, as in Pulumi.<stack>.yaml")
    arguments = parser.parse_args()
    try:
        preflight.check_user()
        run(arguments.stack)
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
