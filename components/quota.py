"""How much a namespace may hold at a time, and whether what is declared in it fits.

Pure: the ResourceQuota itself is made by `guardrails`. Requests are what counts, as the scheduler goes by them; limits
are each container's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from components import checks
from components.resources import Resources


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The most that one workload asks for at a time: in a rollout, old and new pods together."""

    name: str
    pods: int
    resources: Resources
    """Of one pod."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """The most that all pods of a namespace may ask for together."""

    pods: int
    cpu: str
    memory: str
    ephemeral_storage: str

    def __post_init__(self) -> None:
        """Refuse what is no quantity."""
        for name in ("cpu", "memory", "ephemeral_storage"):
            checks.field(name, checks.quantity, getattr(self, name))

    def check(self, demands: Sequence[Demand]) -> None:
        """Refuse what would not fit: the API server would refuse single pods, in the middle of a rollout."""
        for name in ("pods", "cpu", "memory", "ephemeral_storage"):
            limit = getattr(self, name)
            shares = {demand.name: _share(demand, name) for demand in demands}
            if sum(shares.values()) > checks.quantity(str(limit)):
                asked = ", ".join(f"{service} {_words(share, name)}" for service, share in shares.items())
                raise ValueError(
                    f"must hold what all services ask for at most, a rollout's old and new pods together: "
                    f"{name} {_words(sum(shares.values(), Decimal(0)), name)} ({asked}), found {limit}; "
                    "raise it, or lower replicas or requests"
                )

    def hard(self) -> dict[str, str]:
        """Return it in the form that a ResourceQuota's spec takes."""
        return {
            "pods": str(self.pods),
            "requests.cpu": self.cpu,
            "requests.memory": self.memory,
            "requests.ephemeral-storage": self.ephemeral_storage,
        }


def _share(demand: Demand, name: str) -> Decimal:
    each = Decimal(1) if name == "pods" else checks.quantity(getattr(demand.resources, f"{name}_request"))
    return demand.pods * each


def _words(amount: Decimal, name: str) -> str:
    if name in ("memory", "ephemeral_storage"):
        return f"{-(-amount // 2**20)}Mi"
    return f"{amount.normalize():f}"
