"""The questions that the kubelet asks a container over HTTP."""

from collections.abc import Collection

from pulumi_kubernetes.core.v1 import HTTPGetActionArgs, ProbeArgs

from components import checks


def http(path: str, *, port: str, of: Collection[str], period_seconds: int, failure_threshold: int) -> ProbeArgs:
    """Return a probe of the port named `port`, which must be one `of` the container's.

    An answer that takes longer than 2 s counts as none.
    """
    checks.field(f"the probe of {path}", lambda name: checks.known_port(name, of), port)
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=path, port=port),
        period_seconds=period_seconds,
        timeout_seconds=2,
        failure_threshold=failure_threshold,
    )
