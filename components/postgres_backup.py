"""The daily backup of a PostgreSQL server of the stack's own, on a volume of its own, and the way back.

A backup is what `pg_dump` writes, read once from end to end before it counts. To restore one is a person's decision:
the CronJob for it never runs by itself, and its job refuses a database that has rows (docs/runbooks.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.batch.v1 import CronJob, CronJobSpecArgs, JobSpecArgs, JobTemplateSpecArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMapVolumeSourceArgs,
    PersistentVolumeClaimVolumeSourceArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components import network, task
from components.account import account
from components.connection import FOLDER, Connection
from components.content import config_map
from components.engines import BACKUP, Postgres
from components.network import Peer
from components.ownership import owned
from components.postgres_server import CONFIG, USER, claim, files
from components.site import Site

_VOLUME = "/backups"

_HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class BackupArgs:
    """What is backed up, and where to."""

    site: Site
    engine: Postgres
    connection: Connection


def clients(name: str, site: Site) -> Sequence[Peer]:
    """Return the pods that connect to the server `name` for its backups."""
    return [Peer(pods=site.labels.selector(f"{name}-{kind}")) for kind in ("backup", "restore")]


def backups(name: str, args: BackupArgs, parent: pulumi.Resource) -> None:
    """Declare the volume and the two CronJobs for the server `name`, as children of `parent`."""
    child = pulumi.ResourceOptions(parent=parent)
    site, engine = args.site, args.engine
    stored = claim(f"{name}-backups", engine.backup_storage, engine.storage_class, site=site, parent=parent)
    texts = files("connect.sh", "backup.sh", "restore.sh", "filled.sql", "rows.sql")
    scripts = config_map(
        f"{name}-scripts", texts, namespace=site.namespace, labels=site.labels.of(name, "database"), opts=child
    )
    volumes = [
        VolumeArgs(
            name="backups",
            persistent_volume_claim=PersistentVolumeClaimVolumeSourceArgs(claim_name=stored.metadata.name),
        ),
        VolumeArgs(name="scripts", config_map=ConfigMapVolumeSourceArgs(name=scripts.metadata.name)),
        args.connection.volume(),
    ]

    def declare(kind: str, *, schedule: str, suspend: bool, tries: int) -> None:
        full = f"{name}-{kind}"
        labels = site.labels.of(full, "database")
        metadata = owned(name=full, namespace=site.namespace, labels=labels)
        what = task.Task(
            image=engine.image,
            command=["sh", f"{CONFIG}/{kind}.sh"],
            variables={
                "BACKUPS": _VOLUME,
                "CONFIG": CONFIG,
                "CONNECTION": FOLDER,
                "KEPT": str(engine.backups_kept),
            },
            user=USER,
            resources=BACKUP,
            volumes=volumes,
            mounts=[
                VolumeMountArgs(name="backups", mount_path=_VOLUME),
                VolumeMountArgs(name="scripts", mount_path=CONFIG, read_only=True),
                args.connection.mount(),
            ],
        )
        runs_as = account(full, metadata, site.pull_secrets, child)
        job = JobSpecArgs(
            backoff_limit=tries - 1,
            active_deadline_seconds=6 * _HOUR,
            template=task.template(full, what, service_account=runs_as.metadata.name, labels=labels),
        )
        CronJob(
            f"{full}-job",
            metadata=metadata,
            spec=CronJobSpecArgs(
                schedule=schedule,
                time_zone="Etc/UTC",
                suspend=suspend,
                concurrency_policy="Forbid",
                # One that was missed for longer, as the cluster was down, is the next day's.
                starting_deadline_seconds=_HOUR,
                successful_jobs_history_limit=1,
                failed_jobs_history_limit=3,
                job_template=JobTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=job),
            ),
            opts=child,
        )
        spec = network.spec(site.labels.selector(full), egress=[args.connection.flow])
        NetworkPolicy(f"{full}-network", metadata=metadata, spec=spec, opts=child)

    declare("backup", schedule=engine.backup_schedule, suspend=False, tries=3)
    # Suspended, so that its schedule is never asked; the API wants one.
    declare("restore", schedule="0 0 1 1 *", suspend=True, tries=1)
