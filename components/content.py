"""Objects that are called after what is in them: changed content makes a new object, and what refers to it follows.

So changed configuration rolls the pods, old pods keep what they were started with, and the same content has the same
name in every cluster. Not for secrets, whose hash would give away those that can be guessed.
"""

import hashlib
import json
from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap

from components.ownership import owned


def named_after(prefix: str, data: Mapping[str, str]) -> str:
    """Return `prefix` with 8 hexadecimal digits of the hash of `data`."""
    canonical = json.dumps(dict(data), sort_keys=True, separators=(",", ":"))
    return f"{prefix}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


def config_map(
    prefix: str,
    data: Mapping[str, str],
    *,
    namespace: pulumi.Input[str],
    labels: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> ConfigMap:
    """Declare a ConfigMap that is called after `prefix` and its `data`, to Pulumi as well as to Kubernetes.

    To Pulumi, changed data is another resource and not a replacement of the same one: what a failed update has
    replaced, the end of the next one deletes, even where that declares the very same again.
    """
    called = named_after(prefix, data)
    return ConfigMap(called, metadata=owned(name=called, namespace=namespace, labels=labels), data=data, opts=opts)
