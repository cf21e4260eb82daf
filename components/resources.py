"""How much CPU and memory a container asks for, and how much it may take at most."""

from dataclasses import dataclass
from functools import partial

from pulumi_kubernetes.core.v1 import ResourceRequirementsArgs

from components import checks


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Requests and limits of one container, as Kubernetes quantities."""

    cpu_request: str
    cpu_limit: str
    memory_request: str
    memory_limit: str

    def __post_init__(self) -> None:
        """Refuse what is no quantity, and requests above their limits."""
        checks.field("cpu_request", partial(checks.within, limit=self.cpu_limit), self.cpu_request)
        checks.field("memory_request", partial(checks.within, limit=self.memory_limit), self.memory_request)

    def requirements(self) -> ResourceRequirementsArgs:
        """Return them in the form that a container's spec takes."""
        return ResourceRequirementsArgs(
            requests={"cpu": self.cpu_request, "memory": self.memory_request},
            limits={"cpu": self.cpu_limit, "memory": self.memory_limit},
        )
