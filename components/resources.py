"""How much CPU, memory and disk a container asks for, and how much it may take at most."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

from pulumi_kubernetes.core.v1 import ResourceRequirementsArgs

from components import checks


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Requests and limits of one container, as Kubernetes quantities."""

    cpu_request: str
    cpu_limit: str
    memory_request: str
    memory_limit: str
    ephemeral_storage_request: str
    ephemeral_storage_limit: str
    """Disk for logs, for what is written in the container, and for volumes of type emptyDir that are not in memory."""

    def __post_init__(self) -> None:
        """Refuse what is no quantity, and requests above their limits."""
        for name in ("cpu", "memory", "ephemeral_storage"):
            limit = getattr(self, f"{name}_limit")
            checks.field(f"{name}_request", partial(checks.within, limit=limit), getattr(self, f"{name}_request"))

    def requirements(self) -> ResourceRequirementsArgs:
        """Return them in the form that a container's spec takes."""
        return ResourceRequirementsArgs(requests=self.quantities("request"), limits=self.quantities("limit"))

    def quantities(self, kind: Literal["request", "limit"]) -> dict[str, str]:
        """Return all requests, or all limits, by what Kubernetes calls them."""
        return {
            "cpu": getattr(self, f"cpu_{kind}"),
            "memory": getattr(self, f"memory_{kind}"),
            "ephemeral-storage": getattr(self, f"ephemeral_storage_{kind}"),
        }
