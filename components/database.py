"""The database of one service: on one of three engines, and a connection that nobody but that service gets.

A service has a database of its own, and others ask its API: what its tables look like is then its own matter. What
creates and changes tables is its migration, see `migration`.
"""

from dataclasses import dataclass

import pulumi

from components import alerts, cloud_native_pg, connection, postgres_backup, postgres_server
from components.certificates import Authority, Certificate, CertificateArgs
from components.connection import Connection
from components.engines import CloudNativePg, Engine, Managed, Postgres
from components.network import Peer
from components.rules import Group
from components.site import Site, checked


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs(Site):
    """Whose database it is, where, and on what."""

    engine: Engine
    authority: Authority
    """Who issues the certificate of a server of the stack's own."""


class Database(pulumi.ComponentResource):
    """What the engine needs, and the one connection."""

    rules: list[Group]
    """Alerts about it; of the engines that others run, none."""

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the database `name`; the server and its objects have that name too."""
        super().__init__("cloudnative:index:Database", checked(name), None, opts)
        self._name, self.rules = name, []
        child = pulumi.ResourceOptions(parent=self)
        match args.engine:
            case Postgres() as engine:
                names = postgres_server.names(name, args)
                self._connection = postgres_server.server(
                    name,
                    postgres_server.ServerArgs(
                        site=args,
                        engine=engine,
                        certificate=Certificate(name, CertificateArgs(authority=args.authority, names=names)),
                        also=postgres_backup.clients(name, args),
                    ),
                    self,
                )
                backed_up = postgres_backup.BackupArgs(site=args, engine=engine, connection=self._connection)
                postgres_backup.backups(name, backed_up, self)
                self.rules = [alerts.of_database(name, namespace=args.namespace_name, owner=args.owner)]
            case Managed() as engine:
                self._connection = connection.declare(
                    name,
                    host=engine.host,
                    port=engine.port,
                    dbname=engine.dbname,
                    username=engine.username,
                    password=engine.password,
                    ca=engine.ca,
                    at=Peer(addresses=engine.networks),
                    site=args,
                    opts=child,
                )
            case CloudNativePg() as engine:
                declared = cloud_native_pg.ClusterArgs(site=args, engine=engine)
                self._connection = cloud_native_pg.cluster(name, declared, self)
        self.register_outputs({})

    def connection(self, owner: str) -> Connection:
        """Return how `owner` connects.

        Raises:
            ValueError: the database is somebody else's.
        """
        if owner != self._connection.owner:
            raise ValueError(
                f"the database {self._name} belongs to {self._connection.owner}, and {owner} asks for it; a service "
                f"has a database of its own: let {owner} call {self._connection.owner}'s API"
            )
        return self._connection
