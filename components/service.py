"""A service as the map of the system has it: who calls whom, who owns a database, and what the gateway leads to.

Only what is the same in every environment, so plain values: how much of a service runs, and where, is configuration.
It makes nothing; `web_service`, `database` and `gateway` do, with what `__main__.py` hands them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components import checks
from components.exported_metrics import ExportedMetrics

LONGEST = 30
"""Seconds that one attempt of a call may take at most: as long as a gateway or browser would wait."""

MOST_RETRIES = 5


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One service calls another."""

    caller: str
    callee: str
    timeout: float
    """Seconds that one attempt may take, above 0."""

    retries: int
    """Further attempts, where the first gets no answer in time or none at all, and asking twice does no harm."""

    def __post_init__(self) -> None:
        """Refuse what would wait for ever, or hammer a callee that is in trouble."""
        where = f"{self.caller} calls {self.callee}"
        if not 0 < self.timeout <= LONGEST:
            raise ValueError(f"{where}: timeout must be above 0 and at most {LONGEST} seconds, found {self.timeout}")
        if not 0 <= self.retries <= MOST_RETRIES:
            raise ValueError(f"{where}: retries must be from 0 to {MOST_RETRIES}, found {self.retries}")

    def variables(self, port: int) -> Mapping[str, str]:
        """Return what the caller's environment says of the callee, whose Kubernetes Service has this `port`.

        The short name: the cluster's DNS answers it at its first question, which it would not for a longer one.
        """
        prefix = self.callee.upper().replace("-", "_")
        return {
            f"{prefix}_URL": f"http://{self.callee}" + ("" if port == 80 else f":{port}"),
            f"{prefix}_TIMEOUT_SECONDS": f"{self.timeout:g}",
            f"{prefix}_RETRIES": str(self.retries),
        }


@dataclass(kw_only=True)
class Service:
    """One service; `app/<name>` is what it runs."""

    name: str
    exported: ExportedMetrics
    """What its pods say that they export."""

    owns_database: bool = False
    """Whether it has a PostgreSQL database, which nobody else gets at."""

    paths: Sequence[str] = ()
    """What the gateway leads to it, by the beginning of the path. Default: it cannot be reached from outside."""

    needs_key: bool = False
    """Whether the gateway asks for the API key first."""

    edges: list[Edge] = field(default_factory=list, init=False)
    """The calls that were declared."""

    def __post_init__(self) -> None:
        """Refuse a name that objects could not have, and a key for what is not reached."""
        checks.field("name", checks.component_name, self.name)
        for path in self.paths:
            if not path.startswith("/"):
                raise ValueError(f"paths of {self.name} must begin with /, found {path!r}")
        if self.needs_key and not self.paths:
            raise ValueError(f"needs_key of {self.name} needs paths, found none: nobody outside reaches it at all")

    def calls(self, callee: "Service", *, timeout: float, retries: int) -> None:
        """Declare that this service calls `callee`; arguments are those of `Edge`.

        From this follow the caller's environment, the NetworkPolicies on both sides, the edge's panels and its alert,
        and the line in the map.

        Raises:
            ValueError: the service calls itself, or the call is declared already.
        """
        if callee is self:
            raise ValueError(f"{self.name} must not call itself: what it needs of itself is no call")
        if any(edge.callee == callee.name for edge in self.edges):
            raise ValueError(f"{self.name} calls {callee.name} already; declare each call once")
        self.edges.append(Edge(caller=self.name, callee=callee.name, timeout=timeout, retries=retries))


def package_of(service: str) -> str:
    """Return what the Python package of a service is called."""
    return service.replace("-", "_")


def database_of(owner: str) -> str:
    """Return what the database of the service `owner` is called."""
    return f"{owner}-database"


def callers(services: Sequence[Service], callee: str) -> list[str]:
    """Return the names of those of `services` that call `callee`."""
    return [service.name for service in services if any(edge.callee == callee for edge in service.edges)]


def check(services: Sequence[Service]) -> Sequence[Service]:
    """Return `services` if they are one system: no name and no path twice, and nobody is called who is not there."""
    names = [service.name for service in services]
    paths = [path for service in services for path in service.paths]
    for kind, found in (("name", names), ("path", paths)):
        twice = sorted({one for one in found if found.count(one) > 1})
        if twice:
            raise ValueError(f"each {kind} must belong to one service, found twice: {', '.join(twice)}")
    for service in services:
        for edge in service.edges:
            if edge.callee not in names:
                raise ValueError(f"{service.name} calls {edge.callee}, which is no service of the map")
    return services
