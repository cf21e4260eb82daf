"""How the owner of a database connects to it: files in its pods, and the flow to the server.

The contract with what runs in the pods: `FOLDER` holds `host`, `port`, `dbname`, `username` and `password`; and, where
not everybody trusts who signed the server's certificate, `ca.crt`. Connect with `sslmode=verify-full`.
Who may have a connection, `database` decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi
from pulumi_kubernetes.core.v1 import (
    KeyToPathArgs,
    ProjectedVolumeSourceArgs,
    Secret,
    SecretProjectionArgs,
    VolumeArgs,
    VolumeMountArgs,
    VolumeProjectionArgs,
)

from components.labels import Labels
from components.network import Flow, Peer
from components.ownership import owned
from components.site import Site

FOLDER = "/run/secrets/database"
"""Folder in which a pod finds the files."""

FILES = ("host", "port", "dbname", "username", "password")

CA = "ca.crt"

_VOLUME = "database"


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files that are keys of one Secret."""

    secret: pulumi.Input[str]
    """Name of the Secret; another one, and so a rollout, when its content is another."""

    names: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What one service needs to reach its database; ask `Database.connection` for it."""

    owner: str
    """The service."""

    files: Sequence[Files]
    flow: Flow
    """Connections with the server, which the pods' NetworkPolicy has to allow, as egress."""

    def once(self, made: pulumi.Output[Any]) -> "Connection":
        """Return the same for those who are to wait until something is `made`: a server that takes connections."""
        files = [
            replace(one, secret=pulumi.Output.all(one.secret, made).apply(lambda found: str(found[0])))
            for one in self.files
        ]
        return replace(self, files=files)

    def volume(self) -> VolumeArgs:
        """Return the volume with the files."""
        sources = [
            VolumeProjectionArgs(
                secret=SecretProjectionArgs(
                    name=one.secret, items=[KeyToPathArgs(key=name, path=name) for name in one.names]
                )
            )
            for one in self.files
        ]
        return VolumeArgs(name=_VOLUME, projected=ProjectedVolumeSourceArgs(sources=sources, default_mode=0o440))

    def mount(self) -> VolumeMountArgs:
        """Return where a container has it."""
        return VolumeMountArgs(name=_VOLUME, mount_path=FOLDER, read_only=True)


def declare(  # noqa: PLR0913 - one for each file
    name: str,
    *,
    host: str,
    port: int,
    dbname: str,
    username: str,
    password: pulumi.Input[str],
    ca: pulumi.Input[str] | None,
    at: Peer,
    site: Site,
    opts: pulumi.ResourceOptions,
) -> Connection:
    """Declare the Secret of the database `name`, and return the connection; the server is `at` a peer."""
    content: dict[str, pulumi.Input[str]] = {
        "host": host,
        "port": str(port),
        "dbname": dbname,
        "username": username,
        "password": password,
        **({CA: ca} if ca is not None else {}),
    }
    secret = Secret(
        f"{name}-connection",
        # No name of its own: changed content then makes a new object with a new name, which rolls the pods.
        metadata=owned(namespace=site.namespace, labels=site.labels.of(name, "database")),
        string_data=content,
        opts=opts,
    )
    return Connection(
        owner=site.owner,
        files=[Files(secret=secret.metadata.name, names=list(content))],
        flow=Flow(peer=at, ports=[port]),
    )


def migration_of(owner: str) -> str:
    """Return what the migration of a service's database is called; its pods are none of the service's."""
    return f"{owner}-migration"


def clients(labels: Labels, owner: str) -> Sequence[Mapping[str, str]]:
    """Return the labels of the pods that connect as the owner: the service's, and its migration's."""
    return [labels.selector(owner), labels.selector(migration_of(owner))]


def ingress(labels: Labels, owner: str, port: str | int) -> list[Flow]:
    """Return the flows from these pods to the server's `port`."""
    return [Flow(peer=Peer(pods=pods), ports=[port]) for pods in clients(labels, owner)]
