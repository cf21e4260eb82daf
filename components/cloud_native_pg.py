"""A database by CloudNativePG: a Cluster, which its operator turns into pods, Services, Secrets and certificates.

The connection's files are the operator's Secrets, which it renews: a rotated password does not roll the owner's pods.
Backups are none of this component's, see `engines.CloudNativePg`.
"""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components import connection, network
from components.connection import CA, FILES, Connection, Files
from components.engines import CloudNativePg
from components.network import API_SERVER_PORTS, Flow, Peer
from components.ownership import owned
from components.site import Site

PORT = 5432

STATUS_PORT = 8000
"""Where the operator asks an instance how it is; instances ask each other, too."""

TIMEOUT_SECONDS = 600
"""How long the instances may take to become ready, one after another, before the update counts as failed."""


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Which Cluster."""

    site: Site
    engine: CloudNativePg


def cluster(name: str, args: ClusterArgs, parent: pulumi.Resource) -> Connection:
    """Declare the Cluster `name` and its NetworkPolicy, as children of `parent`."""
    site, engine = args.site, args.engine
    labels = site.labels.of(name, "database")
    limit = pulumi.CustomTimeouts(create=f"{TIMEOUT_SECONDS}s", update=f"{TIMEOUT_SECONDS}s")
    requirements = engine.resources
    serving = CustomResource(
        f"{name}-cluster",
        api_version="postgresql.cnpg.io/v1",
        kind="Cluster",
        metadata=owned(
            name=name,
            namespace=site.namespace,
            labels=labels,
            annotations={"pulumi.com/waitFor": "condition=Ready"},
        ),
        spec={
            "instances": engine.instances,
            **({"imageName": engine.image} if engine.image else {}),
            "inheritedMetadata": {"labels": dict(labels)},
            "bootstrap": {
                "initdb": {
                    "database": site.owner,
                    "owner": site.owner,
                    "dataChecksums": True,
                    "localeCType": "C.UTF-8",
                    "localeCollate": "C.UTF-8",
                }
            },
            "postgresql": {"pg_hba": ["hostnossl all all all reject"]},
            "resources": {
                "requests": requirements.quantities("request"),
                "limits": requirements.quantities("limit"),
            },
            "storage": {
                "size": engine.storage,
                **({"storageClass": engine.storage_class} if engine.storage_class else {}),
            },
        },
        opts=pulumi.ResourceOptions(parent=parent, protect=not site.droppable, custom_timeouts=limit),
    )
    pods = {"cnpg.io/cluster": name}
    each_other = Flow(peer=Peer(pods=pods), ports=[PORT, STATUS_PORT])
    NetworkPolicy(
        f"{name}-network",
        metadata=owned(name=name, namespace=site.namespace, labels=labels),
        spec=network.spec(
            pods,
            ingress=[
                *connection.ingress(site.labels, site.owner, PORT),
                each_other,
                Flow(peer=Peer(namespace=engine.operator_namespace), ports=[PORT, STATUS_PORT]),
            ],
            egress=[each_other, Flow(peer=Peer(addresses=engine.api_server), ports=API_SERVER_PORTS)],
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    connects = Connection(
        owner=site.owner,
        files=[Files(secret=f"{name}-app", names=FILES), Files(secret=f"{name}-ca", names=[CA])],
        flow=Flow(peer=Peer(pods=pods), ports=[PORT]),
    )
    return connects.once(serving.id)
