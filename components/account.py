"""The ServiceAccount that pods run as: by it their image is pulled, and by itself it gives them no token.

A pod that asks the API server says so itself, and what it may ask is said where that is made.
"""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.core.v1 import LocalObjectReferenceArgs, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs


def account(
    name: str, metadata: ObjectMetaArgs, pull_secrets: Sequence[pulumi.Input[str]], opts: pulumi.ResourceOptions
) -> ServiceAccount:
    """Declare the account of the pods of `name`, with `metadata` of its own."""
    return ServiceAccount(
        f"{name}-account",
        metadata=metadata,
        automount_service_account_token=False,
        image_pull_secrets=[LocalObjectReferenceArgs(name=secret) for secret in pull_secrets] or None,
        opts=opts,
    )
