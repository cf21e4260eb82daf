"""One PostgreSQL server: a StatefulSet of one pod on one volume, reached by TLS and by its owner alone.

It is stopped by PostgreSQL's fast shutdown (SIGINT, by `pg_ctl stop`), which ends connections and writes everything; on
SIGTERM, all that Kubernetes knows, it would wait for its clients to leave. While its one pod is replaced, for some
seconds, nobody can connect. It has no PodDisruptionBudget: of a single pod, that would forbid every drain or none.

The image's entry point is not used: PostgreSQL's programs are found on its PATH, and `components/postgres` has the
scripts and the configuration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet, StatefulSetSpecArgs
from pulumi_kubernetes.core.v1 import (
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvVarArgs,
    ExecActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpecArgs,
    PersistentVolumeClaimVolumeSourceArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    Secret,
    SecretVolumeSourceArgs,
    Service,
    ServicePortArgs,
    ServiceSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
    VolumeResourceRequirementsArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components import connection, network, probes, security
from components.account import account
from components.certificates import Certificate
from components.connection import FOLDER, Connection
from components.content import config_map
from components.engines import Postgres
from components.exposure import await_annotations
from components.network import Flow, Peer
from components.ownership import owned
from components.random_token import token
from components.site import Site

PORT = 5432

USER = 65432
"""User and group that PostgreSQL's pods run as; `components/postgres/passwd` gives the number its name."""

CONFIG = "/etc/database"
"""Folder in which a pod finds scripts and configuration."""

TIMEOUT_SECONDS = 300
"""How long the server may take to become ready before the update counts as failed: it may have to recover first."""

_SCRIPTS = Path(__file__).parent / "postgres"
_VOLUME = "/data"
_SOCKET = "/run/postgresql"
_TLS = "/run/secrets/tls"


def files(*names: str) -> dict[str, str]:
    """Return the texts of `components/postgres` by their names."""
    return {name: (_SCRIPTS / name).read_text() for name in names}


def claim(
    name: str, size: str, storage_class: str | None, *, site: Site, parent: pulumi.Resource
) -> PersistentVolumeClaim:
    """Declare a volume that, unless the site says otherwise, no destroy and no update deletes."""
    return PersistentVolumeClaim(
        f"{name}-volume",
        metadata=owned(
            name=name,
            namespace=site.namespace,
            labels=site.labels.of(name, "database"),
            # Many a class gives a volume only when a pod asks for it, and a backup's pod comes at night.
            annotations={"pulumi.com/skipAwait": "true"},
        ),
        spec=PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            storage_class_name=storage_class,
            resources=VolumeResourceRequirementsArgs(requests={"storage": size}),
        ),
        opts=pulumi.ResourceOptions(parent=parent, protect=not site.droppable),
    )


@dataclass(frozen=True, kw_only=True)
class ServerArgs:
    """Which server, and who may connect beside its owner and the owner's migration."""

    site: Site
    engine: Postgres
    certificate: Certificate
    """For the names by which it is reached, see `names`."""

    also: Sequence[Peer]
    """Who may connect, too."""


def names(name: str, site: Site) -> Sequence[str]:
    """Return what the server `name` is called by those who connect to it."""
    return [name, f"{name}.{site.namespace_name}", f"{name}.{site.namespace_name}.svc"]


def server(name: str, args: ServerArgs, parent: pulumi.Resource) -> Connection:
    """Declare the server `name` and all that it needs, as children of `parent`; the objects are called `name` too."""
    child = pulumi.ResourceOptions(parent=parent)
    limit = pulumi.CustomTimeouts(create=f"{TIMEOUT_SECONDS}s", update=f"{TIMEOUT_SECONDS}s")
    site, engine = args.site, args.engine
    labels, selector = site.labels.of(name, "database"), site.labels.selector(name)
    metadata = owned(name=name, namespace=site.namespace, labels=labels)

    connects = connection.declare(
        name,
        host=name,
        port=PORT,
        dbname=site.owner,
        username=site.owner,
        password=token(f"{name}-password", child),
        ca=args.certificate.issuer,
        at=Peer(pods=selector),
        site=site,
        opts=child,
    )
    tls = Secret(
        f"{name}-tls",
        # No name of its own: a new certificate then makes a new object with a new name, which restarts the server.
        metadata=owned(namespace=site.namespace, labels=labels),
        type="kubernetes.io/tls",
        string_data={"tls.crt": args.certificate.certificate, "tls.key": args.certificate.key},
        opts=child,
    )
    texts = files("start.sh", "owner.sql", "postgresql.conf", "pg_hba.conf", "passwd")
    texts["pg_hba.conf"] = Template(texts["pg_hba.conf"]).substitute(owner=site.owner)
    config = config_map(f"{name}-config", texts, namespace=site.namespace, labels=labels, opts=child)
    data = claim(f"{name}-data", engine.storage, engine.storage_class, site=site, parent=parent)
    pod = _pod(
        name,
        args,
        runs_as=account(name, metadata, site.pull_secrets, child).metadata.name,
        volumes=[
            VolumeArgs(
                name="data",
                persistent_volume_claim=PersistentVolumeClaimVolumeSourceArgs(claim_name=data.metadata.name),
            ),
            VolumeArgs(name="config", config_map=ConfigMapVolumeSourceArgs(name=config.metadata.name)),
            VolumeArgs(name="tls", secret=SecretVolumeSourceArgs(secret_name=tls.metadata.name, default_mode=0o440)),
            connects.volume(),
            VolumeArgs(name="socket", empty_dir=EmptyDirVolumeSourceArgs(size_limit="1Mi")),
        ],
        connects=connects,
    )
    serving = StatefulSet(
        f"{name}-server",
        metadata=metadata,
        spec=StatefulSetSpecArgs(
            replicas=1,
            service_name=name,
            # With the default, a pod that was never ready would have to be deleted by hand before a better one comes.
            pod_management_policy="Parallel",
            selector=LabelSelectorArgs(match_labels=selector),
            template=PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod),
        ),
        opts=pulumi.ResourceOptions(parent=parent, custom_timeouts=limit),
    )
    Service(
        f"{name}-service",
        metadata=owned(name=name, namespace=site.namespace, labels=labels, annotations=await_annotations("ClusterIP")),
        spec=ServiceSpecArgs(
            type="ClusterIP",
            selector=selector,
            ports=[ServicePortArgs(name="postgres", port=PORT, target_port="postgres")],
        ),
        opts=child,
    )
    visitors = [Flow(peer=peer, ports=["postgres"]) for peer in args.also]
    allowed = [*connection.ingress(site.labels, site.owner, "postgres"), *visitors]
    NetworkPolicy(f"{name}-network", metadata=metadata, spec=network.spec(selector, ingress=allowed), opts=child)
    return connects.once(serving.metadata)


def _pod(
    name: str, args: ServerArgs, *, runs_as: pulumi.Input[str], volumes: Sequence[VolumeArgs], connects: Connection
) -> PodSpecArgs:
    """Return the pod: one container that prepares the volume at each start, and one that serves."""
    variables = {
        "CONFIG": CONFIG,
        "CONNECTION": FOLDER,
        "OWNER": args.site.owner,
        "PGDATA": f"{_VOLUME}/pgdata",
        "PGHOST": _SOCKET,
    }
    mounts = [
        VolumeMountArgs(name="data", mount_path=_VOLUME),
        VolumeMountArgs(name="config", mount_path=CONFIG, read_only=True),
        # PostgreSQL asks who the number is that it runs as.
        VolumeMountArgs(name="config", mount_path="/etc/passwd", sub_path="passwd", read_only=True),
        VolumeMountArgs(name="tls", mount_path=_TLS, read_only=True),
        VolumeMountArgs(name="socket", mount_path=_SOCKET),
    ]

    def container(of: str, command: Sequence[str], *also: VolumeMountArgs) -> ContainerArgs:
        return ContainerArgs(
            name=of,
            image=args.engine.image,
            image_pull_policy="IfNotPresent",
            command=command,
            env=[EnvVarArgs(name=key, value=value) for key, value in variables.items()],
            resources=args.engine.resources.requirements(),
            security_context=security.of_container(),
            termination_message_policy="FallbackToLogsOnError",
            volume_mounts=[*mounts, *also],
        )

    serving = container(name, ["postgres", "-c", f"config_file={CONFIG}/postgresql.conf"])
    serving.ports = [ContainerPortArgs(name="postgres", container_port=PORT)]
    # Status 1 is a server that says that it does not serve yet, as while it recovers from a crash: it is alive.
    answers = ["sh", "-c", "pg_isready --quiet || [ $? -eq 1 ]"]
    serving.startup_probe = probes.command(answers, period_seconds=1, failure_threshold=60)
    serving.readiness_probe = probes.command(["pg_isready", "--quiet"], period_seconds=5, failure_threshold=2)
    serving.liveness_probe = probes.command(answers, period_seconds=10, failure_threshold=6)
    stop = ["pg_ctl", "stop", "--mode=fast", "--no-wait"]
    serving.lifecycle = LifecycleArgs(pre_stop=LifecycleHandlerArgs(exec_=ExecActionArgs(command=stop)))
    return PodSpecArgs(
        service_account_name=runs_as,
        automount_service_account_token=False,
        enable_service_links=False,
        # To write what is in memory to a slow disk takes longer than the 30 s of Kubernetes' default may be.
        termination_grace_period_seconds=120,
        security_context=security.of_pod(USER),
        init_containers=[container("start", ["sh", f"{CONFIG}/start.sh"], connects.mount())],
        containers=[serving],
        volumes=volumes,
    )
