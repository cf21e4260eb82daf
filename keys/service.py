"""The keys of one service.

`keys_of` makes the ones of a certain service: what it exports, and whether it owns a database, is the map's to say.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, create_model, field_validator

from components import checks, objective, resources, web_service
from components.exported_metrics import ExportedMetrics
from components.exposure import ServiceType
from components.service import Service
from keys.base import EnvName, Keys, Networks, Percent, PinnedImage, Port, Quantity, UnprivilegedPort, limits
from keys.database import Database

_RELEASE = "1 to 128 letters, digits, dots, hyphens, underscores or plus signs"


class Resources(Keys):
    """`resources`: what one pod asks for, and may take at most."""

    # Limits first: a request is compared with its limit, and a validator sees only the fields before its own.
    cpu_limit: Quantity = Field(default="1", description="CPU that a pod may use.")
    cpu_request: Quantity = Field(default="50m", description="CPU that is kept for a pod; not above `cpuLimit`.")
    memory_limit: Quantity = Field(default="256Mi", description="Memory above which a pod is killed.")
    memory_request: Quantity = Field(
        default="96Mi", description="Memory that is kept for a pod; not above `memoryLimit`."
    )
    ephemeral_storage_limit: Quantity = Field(default="256Mi", description="Disk above which a pod is evicted.")
    ephemeral_storage_request: Quantity = Field(
        default="32Mi", description="Disk that is kept for a pod; not above `ephemeralStorageLimit`."
    )

    @field_validator("cpu_request", "memory_request", "ephemeral_storage_request")
    @classmethod
    def _within_limit(cls, value: str, info: ValidationInfo) -> str:
        limit = info.data.get((info.field_name or "").replace("request", "limit"))
        if limit is not None:
            checks.within(value, limit)
        return value

    def of_pod(self) -> resources.Resources:
        """Return them as components take them."""
        return resources.Resources(**self.model_dump())


class Autoscaling(Keys):
    """`autoscaling`: how far the number of pods may grow."""

    max_replicas: int = Field(ge=2, le=100, description="The most pods; above `replicas`, which are then the fewest.")
    cpu_percent: int = Field(
        default=70, ge=1, le=100, description="Average share of the CPU asked for, above which pods are added."
    )


class Objective(Keys):
    """`objective`: what the users of the service are promised."""

    exported: ClassVar[ExportedMetrics]
    """What the service exports, which the objective is held against."""

    availability_percent: Percent = Field(
        default=99.9, description="Share of requests that are not answered with a server's error."
    )
    latency_percent: Percent = Field(default=99.0, description="Share of requests answered within `latencySeconds`.")
    latency_seconds: Annotated[float, Field(gt=0), limits("a bucket of the service's histogram")] = Field(
        default=0.25, description="Time in which a request counts as fast."
    )
    days: int = Field(default=30, ge=1, le=90, description="Days that the error budget is for.")

    @field_validator("latency_seconds")
    @classmethod
    def _is_a_bucket(cls, value: float) -> float:
        return objective.bucket(value, cls.exported)

    def of_service(self) -> objective.Objective:
        """Return it as components take it."""
        return objective.Objective(**self.model_dump())


class Faults(Keys):
    """`faults`: what goes wrong on purpose."""

    error_percent: float = Field(
        default=0,
        ge=0,
        le=100,
        description="Share of the requests answered with 500, to try alerts; not in production.",
    )
    delay_seconds: float = Field(
        default=0, ge=0, le=30, description="Delay of each request, to try alerts; not in production."
    )


class WebService(Keys):
    """A service that answers HTTP; one key a service."""

    reserved: ClassVar[frozenset[str]]
    """Variables that the service gets from its component."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,128}$"), limits(_RELEASE)] = Field(
        default="dev", description="Release that the service shows as its own."
    )
    image: PinnedImage | None = Field(
        default=None, description="Image to run instead of building one; `make rollback` sets it."
    )
    replicas: int = Field(default=3, ge=1, le=100, description="Pods; with `autoscaling`, the fewest of them.")
    autoscaling: Autoscaling | None = None
    port: UnprivilegedPort = Field(default=8080, description="Port of the container.")
    metrics_port: UnprivilegedPort = Field(
        default=9102, description="Port of the container for metrics; another than `port`."
    )
    service_port: Port = Field(default=80, description="Port of the Service.")
    service_type: ServiceType = Field(default="ClusterIP", description="How the Service is reached.")
    source_ranges: Networks | None = Field(
        default=None,
        description="Networks that may reach the Service; default: all, where it is published, and else none.",
    )
    timeout_seconds: int = Field(
        default=120, ge=10, le=3600, description="Time in which the pods must be ready, else the update has failed."
    )
    resources: Resources = Resources()
    objective: Objective
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level logged."
    )
    config: dict[EnvName, str] = Field(default={}, description="Further environment variables; not for secrets.")
    faults: Faults | None = None

    @property
    def most_replicas(self) -> int:
        """The most pods that there may be, but for a rollout."""
        return self.autoscaling.max_replicas if self.autoscaling else self.replicas

    @field_validator("autoscaling")
    @classmethod
    def _above_replicas(cls, value: Autoscaling | None, info: ValidationInfo) -> Autoscaling | None:
        replicas = info.data.get("replicas")
        if value and replicas and value.max_replicas <= replicas:
            raise ValueError(
                f"must have maxReplicas above replicas ({replicas}), found {value.max_replicas}; "
                "for a fixed number of pods leave autoscaling out"
            )
        return value

    @field_validator("metrics_port")
    @classmethod
    def _another_port(cls, value: int, info: ValidationInfo) -> int:
        if value == info.data.get("port"):
            raise ValueError(f"must not be port, found {value} for both")
        return value

    @field_validator("config")
    @classmethod
    def _not_reserved(cls, value: dict[str, str]) -> dict[str, str]:
        checks.environment(value, cls.reserved)
        return value


class Owner(WebService):
    """A service that owns a database."""

    database: Database = Field(discriminator="kind", description="What the service's database runs on.")


def keys_of(service: Service) -> type[WebService]:
    """Return the keys of one service of the map."""
    of_calls = {name for edge in service.edges for name in edge.variables(80)}
    objective_keys = type("Objective", (Objective,), {"exported": service.exported, "__module__": __name__})
    base = Owner if service.owns_database else WebService
    return create_model(
        base.__name__,
        __base__=type(base.__name__, (base,), {"reserved": web_service.RESERVED | of_calls, "__module__": __name__}),
        objective=(objective_keys, objective_keys()),
    )
