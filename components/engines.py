"""What a service's database runs on: a server of the stack's own, one that somebody manages, or CloudNativePG's.

Typed choices that check themselves, and what each asks the namespace's quota for. The objects are made by
`postgres_server` and `postgres_backup`, by `database`, and by `cloud_native_pg`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi

from components import checks
from components.quota import Demand
from components.resources import Resources

# Measured: 18 MB at rest; a connection takes 2 to 10 more, and shared buffers fill up to 32.
SERVER = Resources(
    cpu_request="50m",
    cpu_limit="1",
    memory_request="64Mi",
    memory_limit="256Mi",
    ephemeral_storage_request="16Mi",
    ephemeral_storage_limit="128Mi",
)

INSTANCE = replace(SERVER, memory_request="256Mi", memory_limit="512Mi")
"""Of CloudNativePG, whose own manager is in the pod too, and which leaves PostgreSQL its 128 MB of shared buffers."""

BACKUP = Resources(
    cpu_request="10m",
    cpu_limit="1",
    memory_request="32Mi",
    memory_limit="128Mi",
    ephemeral_storage_request="16Mi",
    ephemeral_storage_limit="64Mi",
)

_DAILY = re.compile(r"([0-9]|[1-5][0-9]) ([0-9]|1[0-9]|2[0-3]) \* \* \*")


DAILY = "a minute and an hour in cron's notation, such as 0 3 * * *"


def daily(value: str) -> str:
    """Return `value` if it is a moment of each day, in cron's notation."""
    if not _DAILY.fullmatch(value):
        raise ValueError(f"must be {DAILY}, found {value!r}: an alert waits for a backup a day")
    return value


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """One PostgreSQL server of the stack's own, on a volume, with a daily backup on another.

    Backups are in the same cluster: they help against a wrong DELETE and a broken volume, not against the loss of the
    cluster. There is no second server, and no recovery to a moment between two backups: where that is needed, take one
    of the others. It does not upgrade a volume to another major version of PostgreSQL: back up, and restore.
    """

    image: str
    """Image with PostgreSQL's programs on its PATH, such as docker.io/library/postgres; by digest."""

    storage: str = "1Gi"
    """Size of the volume, a Kubernetes quantity; up to 0.3 GiB of it are the server's log of changes."""

    storage_class: str | None = None
    """Default: the cluster's default."""

    backup_storage: str = "1Gi"
    """Size of the volume for backups."""

    backup_schedule: str = "0 3 * * *"
    """Minute and hour of the daily backup, in cron's notation and UTC."""

    backups_kept: int = 7
    resources: Resources = SERVER

    def __post_init__(self) -> None:
        """Refuse what is no size, and a backup that is not a daily one."""
        checks.field("image", checks.image, self.image)
        checks.field("storage", checks.quantity, self.storage)
        checks.field("backup_storage", checks.quantity, self.backup_storage)
        checks.field("backup_schedule", daily, self.backup_schedule)
        if not 1 <= self.backups_kept <= 100:
            raise ValueError(f"backups_kept must be from 1 to 100, found {self.backups_kept}")


@dataclass(frozen=True, kw_only=True)
class Managed:
    """A database that somebody else runs, such as a cloud's; its backups are theirs."""

    host: str
    """DNS name, for which the server has a certificate."""

    port: int = 5432
    dbname: str
    username: str
    password: pulumi.Input[str]
    """Pass a secret Output, so that the state encrypts it."""

    ca: str | None = None
    """Who signed the server's certificate, as PEM. Default: an authority that everybody trusts."""

    networks: Sequence[str]
    """Networks that the server is in, in CIDR notation."""

    def __post_init__(self) -> None:
        """Refuse an address that is none."""
        checks.field("host", checks.dns_name, self.host)
        checks.field("networks", checks.networks, self.networks)
        if not self.networks:
            raise ValueError("networks must name at least one network, found none: nobody could connect")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port must be from 1 to 65535, found {self.port}")


@dataclass(frozen=True, kw_only=True)
class CloudNativePg:
    """A Cluster of CloudNativePG, whose operator has to run in the Kubernetes cluster already.

    The operator's backups need an object store or volume snapshots, which are the platform's matter: none is declared.
    """

    instances: int = 3
    storage: str = "1Gi"
    """Size of each instance's volume, a Kubernetes quantity."""

    storage_class: str | None = None
    """Default: the cluster's default."""

    image: str | None = None
    """Default: what the operator has."""

    operator_namespace: str = "cnpg-system"
    api_server: Sequence[str]
    """Networks of the API server, in CIDR notation: each instance asks it what it is to be."""

    resources: Resources = INSTANCE

    def __post_init__(self) -> None:
        """Refuse what is no size, and a cluster of nothing."""
        checks.field("storage", checks.quantity, self.storage)
        checks.field("api_server", checks.networks, self.api_server)
        checks.field("operator_namespace", checks.dns_label, self.operator_namespace)
        if not 1 <= self.instances <= 9:
            raise ValueError(f"instances must be from 1 to 9, found {self.instances}")
        if not self.api_server:
            raise ValueError("api_server must name at least one network, found none: no instance would start")


Engine = Postgres | Managed | CloudNativePg


def demands(name: str, engine: Engine) -> Sequence[Demand]:
    """Return what the database `name` asks the namespace's quota for, at most."""
    match engine:
        case Postgres():
            # A backup and a restore may run beside the server, which is never there twice.
            return [
                Demand(name=name, pods=1, resources=engine.resources),
                Demand(name=f"{name}-backup", pods=2, resources=BACKUP),
            ]
        case CloudNativePg():
            # One more: the operator makes an instance by a job.
            return [Demand(name=name, pods=engine.instances + 1, resources=engine.resources)]
        case Managed():
            return []
