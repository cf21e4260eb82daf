"""`python -m local.stack up|preview|refresh|rollback|render|destroy STACK [SERVICE]`: what make does with a stack.

Pulumi commands on the embedded platform. A stack that leaves scraping to the Prometheus Operator gets one before it is
deployed. After `up` it proves what was promised: the app answers and Prometheus sees every replica. A stack elsewhere
needs none of this: there it is `pulumi up`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic.alias_generators import to_camel
from rich.markup import escape

from local import manifests, node, preflight, pulumi_home, toolchain, web
from local.cluster import monitoring
from local.errors import PlatformError
from local.paths import BACKEND, CHECKOUT
from local.progress import console, elapsed, step, wait_for

PROJECT = "cloudnative"
POLICIES = "--policy-pack=policy"
"""What no stack may do; a path in the checkout."""


class Stack:
    """One Pulumi stack of this checkout, in the platform's backend unless `env` says otherwise."""

    def __init__(self, name: str, env: Mapping[str, str]) -> None:
        """Take the stack called `name`, with `env` laid over the environment of every command."""
        self.name = name
        self.env = {**os.environ, **env}

    def run(self, *arguments: str) -> None:
        """Run a Pulumi command, shown as it runs; raises `PlatformError` when it fails."""
        command = ["pulumi", *arguments, f"--stack={self.name}"]
        code = subprocess.run(command, cwd=CHECKOUT, env=self.env, check=False).returncode
        self._forget_salt()
        if code:
            raise PlatformError(f"'{' '.join(command)}' failed with exit code {code}; what it said stands above.")

    def select(self) -> None:
        """Make the stack where it does not exist yet, and the one that plain `pulumi` commands mean."""
        self._ask("stack", "select", "--create")
        self._forget_salt()

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs by name."""
        outputs: dict[str, Any] = json.loads(self._ask("stack", "output", "--json"))
        return outputs

    def wants_operator(self) -> bool:
        """Tell whether the stack leaves scraping to the cluster's Prometheus Operator."""
        config = yaml.safe_load((CHECKOUT / f"Pulumi.{self.name}.yaml").read_text())["config"]
        return bool(config[f"{PROJECT}:monitoring"]["kind"] == "operator")

    def exists(self) -> bool:
        """Tell whether the backend knows the stack."""
        stacks = subprocess.run(
            ["pulumi", "stack", "ls", "--json"],
            cwd=CHECKOUT,
            env=self.env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return any(stack["name"] == self.name for stack in json.loads(stacks))

    def _forget_salt(self) -> None:
        """Take the passphrase's salt out of the checkout: it is this machine's, and the state has it too."""
        path = CHECKOUT / f"Pulumi.{self.name}.yaml"
        text = path.read_text()
        kept = without_salt(text)
        if kept != text:
            path.write_text(kept)

    def _ask(self, *arguments: str) -> str:
        command = ["pulumi", *arguments, f"--stack={self.name}"]
        result = subprocess.run(command, cwd=CHECKOUT, env=self.env, capture_output=True, text=True, check=False)
        if result.returncode:
            raise PlatformError(f"'{' '.join(command)}' failed: {result.stderr.strip()}")
        return result.stdout


def without_salt(text: str) -> str:
    """Return a stack's YAML without `encryptionsalt`, unless something in it was encrypted with that."""
    lines = text.splitlines(keepends=True)
    if any(line.split(":")[0].strip() == "secure" for line in lines):
        return text
    return "".join(line for line in lines if not line.startswith("encryptionsalt:"))


def targets_up(said: Mapping[str, Any], monitors: str | None = None) -> tuple[int, int]:
    """Return how many of Prometheus' active targets are up, and how many there are.

    Args:
        said: Its answer to /api/v1/targets.
        monitors: Namespace of the ServiceMonitors whose targets count; all targets if there are no ServiceMonitors.
    """
    active = [
        target
        for target in said["data"]["activeTargets"]
        if monitors is None or target["scrapePool"].startswith(f"serviceMonitor/{monitors}/")
    ]
    return sum(target["health"] == "up" for target in active), len(active)


def prove(outputs: Mapping[str, Any], operators: str | None = None) -> str:
    """Wait until the app answers and all targets of the stack are up; say so, and where Prometheus is.

    Args:
        outputs: The stack's.
        operators: URL of the Prometheus Operator's Prometheus; None where the stack has a Prometheus of its own.
    """
    url, prometheus = outputs["url"], operators or outputs["prometheus_url"]
    monitors = outputs["namespace"] if operators else None
    targets = (0, 0)
    ca: str | None = outputs.get("ca_certificate")

    def served() -> bool:
        answer = _get(url, ca)
        return answer is not None and answer.status_code == httpx.codes.OK

    def scraped() -> bool:
        nonlocal targets
        answer = _get(f"{prometheus}/api/v1/targets?state=active", ca)
        targets = targets_up(answer.json(), monitors) if answer is not None and answer.is_success else (0, 0)
        return 0 < targets[0] == targets[1]

    with step("The app answers and its targets are up"):
        wait_for(f"A 200 from {url}", served, seconds=60, see="kubectl get pods")
        wait_for("Health of all of Prometheus' targets", scraped, seconds=60, see=f"{prometheus}/api/v1/targets")
    return f"200 from {url}, {targets[0]}/{targets[1]} targets up, as {prometheus} sees them"


def _get(url: str, ca: str | None) -> httpx.Response | None:
    try:
        with web.client(ca, timeout=2) as client:
            return client.get(url)
    except httpx.TransportError:
        return None


def up(stack: Stack) -> None:
    """Deploy the stack and prove that it serves."""
    started = time.monotonic()
    operated = stack.wants_operator()
    if operated:
        monitoring.ensure()
    stack.select()
    stack.run("up", "--yes", "--skip-preview", POLICIES)
    proven = prove(stack.outputs(), monitoring.url("prometheus") if operated else None)
    console.print(f"[green]{proven}[/green]  [dim]{elapsed(time.monotonic() - started)}[/dim]", soft_wrap=True)


def preview(stack: Stack) -> None:
    """Show what `up` would change, property by property."""
    stack.select()
    stack.run("preview", "--diff", POLICIES)


def refresh(stack: Stack) -> None:
    """Take into the state what was changed behind Pulumi's back, and show it; the next `up` puts it right."""
    stack.run("refresh", "--yes", "--skip-preview", "--diff")


def rollback(stack: Stack, service: str) -> None:
    """Pin a service of the stack to the image that it ran before this one, and deploy that."""
    images = stack.outputs().get("images", {})
    if service not in images:
        raise PlatformError(
            f"{stack.name} runs no service {service!r}. SERVICE is one of: {', '.join(sorted(images))}."
        )
    running, key = images[service], f"{to_camel(service.replace('-', '_'))}.image"
    before = next((image for image in deployed(BACKEND, stack.name, service) if image != running), None)
    if before is None:
        raise PlatformError(
            f"{service} has run with no other image than {running} in {stack.name}. To run a certain one: "
            f"pulumi config set --path {key} REPOSITORY@sha256:…"
        )
    console.print(f"From {running}\nback to {before}", soft_wrap=True)
    stack.run("config", "set", "--path", key, before)
    up(stack)
    console.print(
        f"Pulumi.{stack.name}.yaml now pins this image, and builds nothing. When what was wrong is mended: "
        f"pulumi config rm --path {key}, and make up",
        soft_wrap=True,
    )


def deployed(backend: Path, stack: str, service: str) -> list[str]:
    """Return the images that updates of a stack which succeeded put out for a service, the newest first."""
    images = []
    history = backend / ".pulumi" / "history" / PROJECT / stack
    for record in sorted(history.glob("*.history.json"), reverse=True):
        update = json.loads(record.read_text())
        if update["kind"] != "update" or update["result"] != "succeeded":
            continue
        checkpoint = json.loads(Path(str(record).replace(".history.", ".checkpoint.")).read_text())
        resources = checkpoint["checkpoint"]["latest"].get("resources", [])
        outputs = [one.get("outputs", {}) for one in resources if one["type"] == "pulumi:pulumi:Stack"]
        images += [put_out["images"][service] for put_out in outputs if service in put_out.get("images", {})]
    return images


def render(stack: Stack) -> None:
    """Write what `up` would apply to `rendered/<stack>`, one file an object, and check it.

    The image is built and pushed, as manifests name it by digest; nothing is done to a cluster. Secrets are left out:
    what they hold is not for files.
    """
    folder = CHECKOUT / "rendered" / stack.name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = yaml.safe_load((CHECKOUT / f"Pulumi.{stack.name}.yaml").read_text())
        config = Path(scratch, "config.yaml")
        config.write_text(yaml.safe_dump(for_rendering(source, Path(scratch, "out"))))
        copy = Stack(stack.name, {**stack.env, "PULUMI_BACKEND_URL": pulumi_home.backend_url(Path(scratch))})
        copy.env.pop("KUBECONFIG", None)  # the provider takes that or a folder
        copy.select()
        copy.run("up", "--yes", "--skip-preview", POLICIES, f"--config-file={config}")
        written = arranged(Path(scratch, "out"), folder)
    console.print(f"{len(written)} objects in {folder.relative_to(CHECKOUT)}")
    problems = manifests.check(folder)
    if problems:
        raise PlatformError("\n".join(problems))


def for_rendering(source: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a stack's YAML so changed that its program writes manifests to `folder`, with names that stay the same."""
    config = dict(source["config"])
    config[f"{PROJECT}:cluster"] = {**config[f"{PROJECT}:cluster"], "renderTo": str(folder)}
    # By default the engine adds random digits to names that the program does not give.
    config["pulumi:autonaming"] = {"mode": "verbatim"}
    return {**source, "config": config}


ORDER = (
    "Namespace",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
)
"""Kinds in the order in which they have to be there; all others come after."""


def arranged(source: Path, target: Path) -> list[Path]:
    """Write the objects of the YAML files below `source` to `target`, in the order of their names; return the files."""
    found = [yaml.safe_load(file.read_text()) for file in source.rglob("*.yaml")]
    objects = [one for one in found if one["kind"] != "Secret"]
    rank = {kind: index for index, kind in enumerate(ORDER)}
    objects.sort(key=lambda one: (rank.get(one["kind"], len(ORDER)), one["kind"], one["metadata"]["name"]))
    target.mkdir(parents=True)
    written = []
    for index, one in enumerate(objects):
        written.append(target / f"{index:02}-{one['kind'].lower()}-{one['metadata']['name']}.yaml")
        written[-1].write_text(yaml.safe_dump(one, sort_keys=True))
    return written


def destroy(stack: Stack) -> None:
    """Remove everything the stack declares."""
    if not stack.exists():
        console.print(f"There is no stack called {stack.name}.")
        return
    # With the preview, which refuses what is protected; without, everything else would be gone by then.
    stack.run("destroy", "--yes")
    if stack.wants_operator():
        monitoring.remove_unused()


COMMANDS = {
    "up": up,
    "preview": preview,
    "refresh": refresh,
    "render": render,
    "destroy": destroy,
}


def run(command: str, name: str, service: str) -> None:
    """Run `command` on the stack called `name`; raises `PlatformError` for one that the checkout does not declare."""
    if not (CHECKOUT / f"Pulumi.{name}.yaml").exists():
        known = ", ".join(sorted(path.suffixes[0][1:] for path in CHECKOUT.glob("Pulumi.*.yaml")))
        raise PlatformError(f"There is no Pulumi.{name}.yaml. STACK is one of: {known}.")
    if node.running() is None and command == "destroy":
        console.print("The platform does not run, and so does nothing of the stack.")
    elif node.running() is None:
        raise PlatformError("The platform does not run. 'make up' starts it.")
    else:
        tools = toolchain.ensure()
        pulumi_home.ensure(tools)
        stack = Stack(name, pulumi_home.environment(tools))
        if command == "rollback":
            rollback(stack, service)
        else:
            COMMANDS[command](stack)


def main() -> None:
    """Run one command; a problem is said on standard error, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, "rollback"])
    parser.add_argument("stack", help="the stack's name, as in Pulumi.<stack>.yaml")
    parser.add_argument("service", nargs="?", default="", help="with rollback: which service goes back")
    arguments = parser.parse_args()
    try:
        preflight.check_user()
        run(arguments.command, arguments.stack, arguments.service)
    except PlatformError as error:
        console.print("[red]error:[/red]", escape(str(error)), soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
