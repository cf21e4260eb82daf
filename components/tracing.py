"""Where services send the spans of their requests, by OTLP over HTTP.

The app sends them, told by a variable that OpenTelemetry defines and its chassis reads. The collector is not this
program's: here is only how to reach it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from components import checks
from components.network import Flow, Peer

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

COLLECTOR = "the URL of an OTLP/HTTP collector with its port, such as http://otel.example.com:4318"

_COLLECTOR = re.compile(r"https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[1-9][0-9]{0,4}")


def collector(value: str) -> str:
    """Return `value` if it says how to reach a collector: without a port, no network policy could name it."""
    if not _COLLECTOR.fullmatch(value) or int(value.rpartition(":")[2]) > 65535:
        raise ValueError(f"must be {COLLECTOR}, found {value!r}")
    return value


@dataclass(frozen=True, kw_only=True)
class Tracing:
    """A collector of spans, and who it is in the network."""

    endpoint: str
    """Its URL without a path, with the port."""

    at: Peer
    """Whom the pods may then talk to, on that port."""

    def __post_init__(self) -> None:
        """Refuse an endpoint that the app would refuse when it starts."""
        checks.field("endpoint", collector, self.endpoint)

    def variables(self) -> Mapping[str, str]:
        """Return the variable by which the app is told."""
        return {ENDPOINT: self.endpoint}

    def flow(self) -> Flow:
        """Return the flow to the collector, from the pods that send spans."""
        port = urlsplit(self.endpoint).port
        return Flow(peer=self.at, ports=[port] if port else [])
