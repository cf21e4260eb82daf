"""The keys of a service's database: a server of the stack's own, one that somebody manages, or CloudNativePG's."""

from typing import Annotated, Literal

import pulumi
from pydantic import AfterValidator, Field

from components import engines
from keys.base import DnsLabel, DnsName, ImageReference, Keys, Networks, Port, Quantity, limits

Schedule = Annotated[str, AfterValidator(engines.daily), limits(engines.DAILY)]


class _Kept(Keys):
    storage: Quantity = Field(default="1Gi", description="Size of the volume for data.")
    storage_class: DnsLabel | None = Field(default=None, description="StorageClass; default: the cluster's default.")
    droppable: bool = Field(
        default=False, description="Whether `pulumi destroy` may delete the database with all that is in it."
    )


class Postgres(_Kept):
    """`database` of kind `postgres`: a server of the stack's own."""

    kind: Literal["postgres"]
    image: ImageReference = Field(description="Image of PostgreSQL.")
    backup_storage: Quantity = Field(default="1Gi", description="Size of the volume for backups.")
    backup_schedule: Schedule = Field(default="0 3 * * *", description="When it is backed up, in UTC.")
    backups_kept: int = Field(default=7, ge=1, le=100, description="Backups that are kept.")

    def engine(self, _password: str) -> engines.Engine:
        """Return it as components take it."""
        return engines.Postgres(**self.model_dump(exclude={"kind", "droppable"}))


class Managed(Keys):
    """`database` of kind `managed`: a server that somebody else runs."""

    kind: Literal["managed"]
    host: DnsName = Field(description="Where the server is.")
    port: Port = Field(default=5432, description="Its port.")
    dbname: str = Field(min_length=1, description="Name of the database.")
    username: str = Field(min_length=1, description="Role that owns it.")
    ca: str | None = Field(
        default=None, min_length=1, description="Who signed its certificate, as PEM; default: whom everybody trusts."
    )
    networks: Networks = Field(description="Networks that the server is in.")

    @property
    def droppable(self) -> bool:
        """Nothing of it is the stack's to drop."""
        return True

    def engine(self, password: str) -> engines.Engine:
        """Return it as components take it."""
        return engines.Managed(**self.model_dump(exclude={"kind"}), password=pulumi.Output.secret(password))


class CloudNativePg(_Kept):
    """`database` of kind `cloudnative-pg`: a Cluster of the operator's."""

    kind: Literal["cloudnative-pg"]
    instances: int = Field(default=3, ge=1, le=9, description="Servers, one of them the primary.")
    image: ImageReference | None = Field(default=None, description="Image of PostgreSQL; default: the operator's.")
    operator_namespace: DnsLabel = Field(default="cnpg-system", description="Namespace of the operator.")
    api_server: Networks = Field(description="Networks of the API server, which each instance asks what it is to be.")

    def engine(self, _password: str) -> engines.Engine:
        """Return it as components take it."""
        return engines.CloudNativePg(**self.model_dump(exclude={"kind", "droppable"}))


Database = Postgres | Managed | CloudNativePg
