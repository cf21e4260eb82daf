"""`python -m local.logs STACK SERVICE`: follow what all pods of a service write, the ones to come included.

`kubectl logs --follow` stays with the pods that there are when it starts, so each pod gets one of its own. It goes on
until it is interrupted.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping

from rich.markup import escape

from local import cluster, node, pulumi_home, toolchain
from local.errors import PlatformError
from local.progress import console
from local.stack import Stack
from local.toolchain import Toolchain


def namespace_of(name: str, service: str, tools: Toolchain, env: Mapping[str, str]) -> str:
    """Return where a service of the stack called `name` runs; raises `PlatformError` if the stack runs none such."""
    if node.running() is None:
        raise PlatformError("The platform does not run. 'make up' starts it.")
    stack = Stack(name, env)
    namespace: str | None = stack.outputs().get("namespace") if stack.exists() else None
    if namespace is None:
        raise PlatformError(f"The stack {name} is not deployed. 'make up STACK={name}' deploys it.")
    listing = ("get", "deployments", f"--namespace={namespace}", "--output=jsonpath={.items[*].metadata.name}")
    services = cluster.kubectl(tools, *listing).split()
    if service not in services:
        raise PlatformError(f"The stack {name} runs no {service}. SERVICE is one of: {', '.join(services)}.")
    return namespace


def beginning(pods: Iterable[str], followed: set[str]) -> list[str]:
    """Return those of `pods` that are not followed yet, and take them down as followed."""
    new = [pod for pod in pods if pod not in followed]
    followed.update(new)
    return new


def follow(namespace: str, service: str, tools: Toolchain) -> None:
    """Print what the pods of a service write, each from its last lines on, for as long as it is let."""
    kubectl = [str(tools["kubectl"]), f"--kubeconfig={cluster.ADMIN}", f"--namespace={namespace}"]
    running = ["--field-selector=status.phase=Running", f"--selector=app.kubernetes.io/name={service}"]
    followed: set[str] = set()
    while True:
        asked = [*kubectl, "get", "pods", *running, "--output=name"]
        pods = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
        for pod in beginning(pods, followed):
            subprocess.Popen([*kubectl, "logs", "--follow", "--prefix", "--tail=20", pod])
        time.sleep(1)


def main() -> None:
    """Follow until interrupted; a problem is said on standard error, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m local.logs", description=__doc__)
    parser.add_argument("stack", help="the stack's name, as in Pulumi.<stack>.yaml")
    parser.add_argument("service", help="the service's name, such as webapp")
    arguments = parser.parse_args()
    try:
        tools = toolchain.ensure()
        env = pulumi_home.environment(tools)
        follow(namespace_of(arguments.stack, arguments.service, tools, env), arguments.service, tools)
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
