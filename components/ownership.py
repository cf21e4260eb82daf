"""Whose word counts about an object that this program declares: the program's.

The API server keeps track of who set which field last and refuses to take one from another. What somebody changed by
hand, or what an update that was killed had made, could then not be put right by the next `pulumi up`.
"""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

FORCE = {"pulumi.com/patchForce": "true"}


def owned(
    *,
    labels: Mapping[str, str],
    name: pulumi.Input[str] | None = None,
    namespace: pulumi.Input[str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> ObjectMetaArgs:
    """Return the metadata of an object whose declared fields this program takes back from whoever else set them.

    What is not declared stays whose it is, such as the number of pods beside an autoscaler.
    """
    return ObjectMetaArgs(name=name, namespace=namespace, labels=labels, annotations={**FORCE, **(annotations or {})})
