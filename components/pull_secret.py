"""The credentials by which a cluster's nodes pull images from a private registry."""

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Secret

from components.image import Credentials
from components.labels import Labels
from components.ownership import owned


@dataclass(frozen=True, kw_only=True)
class PullSecretArgs:
    """Which registry, and how to log in to it."""

    namespace: pulumi.Input[str]
    labels: Labels
    registry: str
    """`host[:port]`, with or without a path."""

    credentials: Credentials


class PullSecret(pulumi.ComponentResource):
    """A Secret of type `kubernetes.io/dockerconfigjson`."""

    secret_name: pulumi.Output[str]
    """Name to give to service accounts as an image pull secret."""

    def __init__(self, name: str, args: PullSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the Secret."""
        super().__init__("cloudnative:index:PullSecret", name, None, opts)
        login = {"username": args.credentials.username, "password": args.credentials.password}
        config = {"auths": {args.registry.partition("/")[0]: login}}
        secret = Secret(
            f"{name}-secret",
            metadata=owned(namespace=args.namespace, labels=args.labels.of(name, "credentials")),
            type="kubernetes.io/dockerconfigjson",
            string_data={".dockerconfigjson": pulumi.Output.json_dumps(config)},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.secret_name = secret.metadata.name
        self.register_outputs({"secretName": self.secret_name})
