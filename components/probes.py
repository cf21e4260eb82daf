"""The questions that the kubelet asks a container: over HTTP, or by a command in it."""

from collections.abc import Collection, Sequence

from pulumi_kubernetes.core.v1 import ExecActionArgs, HTTPGetActionArgs, ProbeArgs

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


def command(words: Sequence[str], *, period_seconds: int, failure_threshold: int) -> ProbeArgs:
    """Return a probe by a program of the container, whose exit status 0 means yes.

    One that takes longer than 5 s counts as no: to start a program takes its time on a busy node.
    """
    return ProbeArgs(
        exec_=ExecActionArgs(command=words),
        period_seconds=period_seconds,
        timeout_seconds=5,
        failure_threshold=failure_threshold,
    )
