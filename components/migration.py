"""The migration of a service's database: a Job that brings the tables to what the service's new pods expect.

It runs before these pods and beside the old ones, so it must leave tables that both can use. An update waits for it and
fails, with what it said last, when it does; its pods may run more than once, and so the migration must take up what
another has left. It goes neither back nor by itself: to undo one is another migration.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.networking.v1 import NetworkPolicy

from components import checks, network, task
from components.account import account
from components.connection import Connection, migration_of
from components.content import named_after
from components.labels import Labels
from components.ownership import owned
from components.quota import Demand
from components.resources import Resources
from components.web_service import USER

TRIES = 2

_SLACK_SECONDS = 30
"""How much longer the update waits than the Job may take, so that it is the Job that says what went wrong."""


@dataclass(frozen=True, kw_only=True)
class MigrationArgs:
    """What to run, and on which database."""

    namespace: pulumi.Input[str]
    labels: Labels
    image: pulumi.Input[str]
    """Image by digest: the service's own."""

    command: Sequence[str]
    connection: Connection
    resources: Resources
    config: Mapping[str, str] = field(default_factory=dict)
    """Environment variables, not secret."""

    timeout_seconds: int = 300
    """How long all tries may take together before the update counts as failed."""

    pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Names of image pull secrets in the namespace. Default: the nodes can pull by themselves."""

    def __post_init__(self) -> None:
        """Refuse what the API server would refuse later."""
        if not self.command:
            raise ValueError("command must have at least 1 word, found none; the image's own is the service")
        if not 10 <= self.timeout_seconds <= 86_400:
            raise ValueError(f"timeout_seconds must be from 10 to 86400, found {self.timeout_seconds}")
        checks.field("config", lambda names: checks.environment(names, ()), self.config)


def demand(owner: str, resources: Resources) -> Demand:
    """Return what the migration of a service's database asks the namespace's quota for."""
    return Demand(name=migration_of(owner), pods=1, resources=resources)


class Migration(pulumi.ComponentResource):
    """The Job, and what guards its pod; what must not start before it has run depends on it."""

    def __init__(self, name: str, args: MigrationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the migration; its objects are called after the connection's owner."""
        super().__init__("cloudnative:index:Migration", checks.component_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        called = migration_of(args.connection.owner)
        labels = args.labels.of(called, "migration")
        metadata = owned(name=called, namespace=args.namespace, labels=labels)
        runs_as = account(name, metadata, args.pull_secrets, child)
        policy = NetworkPolicy(
            f"{name}-network",
            metadata=metadata,
            spec=network.spec(args.labels.selector(called), egress=[args.connection.flow]),
            opts=child,
        )
        what = task.Task(
            image=args.image,
            command=args.command,
            variables=args.config,
            user=USER,
            resources=args.resources,
            volumes=[args.connection.volume()],
            mounts=[args.connection.mount()],
        )
        stated = {"command": json.dumps(list(args.command)), "config": json.dumps(dict(args.config), sort_keys=True)}
        secrets = [one.secret for one in args.connection.files]
        limit = f"{args.timeout_seconds + _SLACK_SECONDS}s"
        Job(
            f"{name}-job",
            metadata=owned(
                # Another image or another Secret is another Job; an update that was killed finds its own again.
                name=pulumi.Output.all(args.image, *secrets).apply(
                    lambda found: named_after(called, {**stated, "found": json.dumps(found)})
                ),
                namespace=args.namespace,
                labels=labels,
                # One that has failed stays failed: the next update makes it anew.
                annotations={"pulumi.com/replaceUnready": "true"},
            ),
            spec=JobSpecArgs(
                backoff_limit=TRIES - 1,
                active_deadline_seconds=args.timeout_seconds,
                template=task.template(called, what, service_account=runs_as.metadata.name, labels=labels),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[policy],
                # What is taken back after a failure, or is to run once more, has the name that it had before.
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create=limit, update=limit),
            ),
        )
        self.register_outputs({})
