"""The database of a service `catalog` in a program of its own, by each engine."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.certificates import Authority, AuthorityArgs
from components.database import Database, DatabaseArgs
from components.engines import CloudNativePg, Engine, Managed, Postgres
from tests.unit.program.harness import LABELS, Cloud, Run, run

NAME = "catalog-database"
IMAGE = "registry.example.com/base/postgres@sha256:" + "e1" * 32

POSTGRES = Postgres(image=IMAGE)
MANAGED = Managed(
    host="db.example.com",
    dbname="shop",
    username="app",
    password=pulumi.Output.secret("hush"),
    networks=["198.51.100.0/24"],
)
OPERATED = CloudNativePg(api_server=["10.90.0.1/32"])


def declared(engine: Engine = POSTGRES, *, name: str = NAME, cloud: Cloud | None = None, **changed: Any) -> Run:
    """Declare a database of the service `catalog`, and export what a Deployment would take of its connection."""

    def declare() -> None:
        authority = Authority("stack", AuthorityArgs(common_name="cloudnative-dev"))
        args = {
            "namespace": "shop",
            "namespace_name": "shop",
            "labels": LABELS,
            "owner": "catalog",
            "engine": engine,
            "authority": authority,
            **changed,
        }
        database = Database(name, DatabaseArgs(**args))
        made = database.connection(args["owner"])
        pulumi.export("authority", authority.certificate)
        pulumi.export("files", [{"secret": one.secret, "names": list(one.names)} for one in made.files])
        pulumi.export("rules", [group.name for group in database.rules])

    return run(declare, cloud=cloud)


def pods(result: Run) -> dict[str, dict[str, Any]]:
    """Return the templates of all pods by the name of what makes them."""
    found = {made.name: made.inputs["spec"]["template"] for made in result.all("StatefulSet")}
    for made in result.all("CronJob"):
        found[made.name] = made.inputs["spec"]["jobTemplate"]["spec"]["template"]
    return found


def containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]
