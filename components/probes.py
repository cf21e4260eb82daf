"""The questions that the kubelet asks a container over HTTP."""

from pulumi_kubernetes.core.v1 import HTTPGetActionArgs, ProbeArgs


def http(path: str, *, period_seconds: int, failure_threshold: int) -> ProbeArgs:
    """Return a probe of the port named `http`; an answer that takes longer than 2 s counts as none."""
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=path, port="http"),
        period_seconds=period_seconds,
        timeout_seconds=2,
        failure_threshold=failure_threshold,
    )
