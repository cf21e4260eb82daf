"""A service's configuration: read from the environment once, validated whole, immutable.

``Config`` is what every service reads; one with more derives its own class, adds fields, and says in ``values`` which
variables they are read from. Deliberately not here: secrets, which are files, and anything that changes while the
service runs.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

LOG_LEVELS = ("debug", "info", "warning", "error")


class ConfigError(Exception):
    """The environment holds bad values; the message names all of them, one a line."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A service that this one calls, as it was declared."""

    callee: str
    """Name of the service that is called."""
    url: str
    """``<CALLEE>_URL``: where it answers, as http://HOST[:PORT]."""
    timeout_seconds: float = 0.5
    """``<CALLEE>_TIMEOUT_SECONDS``: how long one attempt may take, 0.01 to 30, may be fractional."""
    retries: int = 2
    """``<CALLEE>_RETRIES``: how many more attempts a call may take, 0 to 5."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the environment decides. Each field names its variable, its unit and its limits."""

    version: str = "dev"
    """``APP_VERSION``: the release that runs; set by the image."""
    pod: str = "local"
    """``POD_NAME``: the pod's name (downward API)."""
    environment: str = "local"
    """``ENVIRONMENT``: the stack's name, for people to read; nothing in the app depends on it."""
    host: str = "0.0.0.0"  # noqa: S104  a pod is reached by its own address
    """``HOST``: the IP address that both ports listen on."""
    port: int = 8080
    """``PORT``: HTTP, 1024 to 65535 (the app never runs as root)."""
    metrics_port: int = 9102
    """``METRICS_PORT``: Prometheus metrics, 1024 to 65535, another one than ``PORT``."""
    metrics_dir: Path | None = None
    """``PROMETHEUS_MULTIPROC_DIR``: absolute path of a directory of this pod's own, best on a tmpfs, in which the
    workers keep their counts. Set by the image. Needed under gunicorn, to be left unset without it.
    The variable's name is prometheus_client's."""
    workers: int = 2
    """``WORKERS``: processes that serve, 1 to 64."""
    threads: int = 4
    """``THREADS``: requests that one worker serves at a time, 1 to 256."""
    drain_seconds: float = 5.0
    """``DRAIN_SECONDS``: how long, after SIGTERM, requests are still accepted while /readyz fails; 0 to 300, may be
    fractional. Long enough for every load balancer to have seen the pod leave."""
    graceful_timeout_seconds: int = 20
    """``GRACEFUL_TIMEOUT_SECONDS``: how long, after the drain, requests in flight may take to finish; 1 to 300.
    Drain and this together must stay below the pod's terminationGracePeriodSeconds (30 unless set)."""
    log_level: str = "info"
    """``LOG_LEVEL``: debug, info, warning or error."""
    otlp_endpoint: str | None = None
    """``OTEL_EXPORTER_OTLP_ENDPOINT``: where spans are sent to by OTLP over HTTP, as http://HOST:PORT or https://; none
    are if it is unset. The variable's name is OpenTelemetry's."""
    fault_error_percent: float = 0.0
    """``FAULT_ERROR_PERCENT``: share of the requests that are answered with 500, to try alerts; 0 to 100, may be
    fractional."""
    fault_delay_seconds: float = 0.0
    """``FAULT_DELAY_SECONDS``: what each request is delayed by, likewise; 0 to 30, may be fractional."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables named above; an unset one takes its field's default.

        Raises:
            ConfigError: at least one variable has a bad value; all of them are named.
        """
        read = Reader(environ)
        config = cls(**cls.values(read))
        if config.port == config.metrics_port:
            read.refuse("METRICS_PORT", f"{config.port} is PORT already; metrics need a port of their own")
        if read.problems:
            service = cls.__module__.partition(".")[0]
            raise ConfigError("\n".join([f"{service} cannot start, its environment is wrong:", *read.problems]))
        return config

    @classmethod
    def values(cls, read: "Reader") -> dict[str, Any]:
        """Read the value of each field. A derived class adds those of its own."""
        return {
            "version": read.name("APP_VERSION", cls.version),
            "pod": read.name("POD_NAME", cls.pod),
            "environment": read.name("ENVIRONMENT", cls.environment),
            "host": read.address("HOST", cls.host),
            "port": read.whole("PORT", cls.port, 1024, 65535),
            "metrics_port": read.whole("METRICS_PORT", cls.metrics_port, 1024, 65535),
            "metrics_dir": read.directory("PROMETHEUS_MULTIPROC_DIR", cls.metrics_dir),
            "workers": read.whole("WORKERS", cls.workers, 1, 64),
            "threads": read.whole("THREADS", cls.threads, 1, 256),
            "drain_seconds": read.number("DRAIN_SECONDS", cls.drain_seconds, 0, 300, "seconds"),
            "graceful_timeout_seconds": read.whole("GRACEFUL_TIMEOUT_SECONDS", cls.graceful_timeout_seconds, 1, 300),
            "log_level": read.choice("LOG_LEVEL", cls.log_level, LOG_LEVELS),
            "otlp_endpoint": read.endpoint("OTEL_EXPORTER_OTLP_ENDPOINT", cls.otlp_endpoint),
            "fault_error_percent": read.number("FAULT_ERROR_PERCENT", cls.fault_error_percent, 0, 100, "percent"),
            "fault_delay_seconds": read.number("FAULT_DELAY_SECONDS", cls.fault_delay_seconds, 0, 30, "seconds"),
        }


class Reader:
    """Reads typed values and, instead of stopping at the first bad one, keeps a list of them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def refuse(self, variable: str, problem: str) -> None:
        """Note what is wrong with a variable."""
        self.problems.append(f"  {variable}: {problem}")

    def name(self, variable: str, default: str) -> str:
        """Read a name for people to read."""
        value = self._environ.get(variable, default)
        # The longest of the three is a pod's name: 253 characters, as any Kubernetes object's.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,252}", value):
            self.refuse(
                variable,
                f"{value!r} is not a name; give 1 to 253 letters, digits, '.', '_', '+' or '-', "
                "the first one a letter or digit",
            )
        return value

    def address(self, variable: str, default: str) -> str:
        """Read an IPv4 address."""
        value = self._environ.get(variable, default)
        try:
            ipaddress.IPv4Address(value)
        except ValueError:
            self.refuse(variable, f"{value!r} is not an IPv4 address; give 0.0.0.0 for all of the pod's or 127.0.0.1")
        return value

    def directory(self, variable: str, default: Path | None) -> Path | None:
        """Read an absolute path."""
        value = self._environ.get(variable)
        if value is None:
            return default
        if not value.startswith("/"):
            self.refuse(variable, f"{value!r} is not an absolute path; give one such as /tmp/metrics")
        return Path(value)

    def endpoint(self, variable: str, default: str | None) -> str | None:
        """Read the address of a server, as http:// or https://HOST[:PORT]."""
        value = self._environ.get(variable)
        if value is None:
            return default
        if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?", value):
            self.refuse(variable, f"{value!r} is not the address of a server; give one such as http://otel:4318")
        return value.rstrip("/")

    def whole(self, variable: str, default: int, low: int, high: int) -> int:
        """Read a whole number."""
        value = self._environ.get(variable, str(default))
        if re.fullmatch(r"[0-9]{1,9}", value) and low <= int(value) <= high:
            return int(value)
        self.refuse(variable, f"{value!r} is not a whole number from {low} to {high}")
        return default

    def number(self, variable: str, default: float, low: float, high: int, unit: str) -> float:
        """Read a number that may be fractional."""
        value = self._environ.get(variable, str(default))
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value) and low <= float(value) <= high:
            return float(value)
        self.refuse(variable, f"{value!r} is not a number of {unit} from {low} to {high}, such as 5 or 0.5")
        return default

    def choice(self, variable: str, default: str, choices: tuple[str, ...]) -> str:
        """Read one of some words."""
        value = self._environ.get(variable, default)
        if value not in choices:
            self.refuse(variable, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def call(self, callee: str) -> Call | None:
        """Read whom a declared call leads to, and how patiently; None where no address is set."""
        prefix = callee.upper().replace("-", "_")
        url = self.endpoint(f"{prefix}_URL", None)
        timeout = self.number(f"{prefix}_TIMEOUT_SECONDS", Call.timeout_seconds, 0.01, 30, "seconds")
        retries = self.whole(f"{prefix}_RETRIES", Call.retries, 0, 5)
        return Call(callee=callee, url=url, timeout_seconds=timeout, retries=retries) if url else None
