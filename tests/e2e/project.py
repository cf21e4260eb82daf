"""A copy of the checkout with a stack, a backend and a namespace of its own, driven by Pulumi's Automation API.

Nothing of it is a user's: the checkout is copied, the state is in a temporary folder, and the namespace is the tests'.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import httpx
import yaml
from pulumi import automation
from pulumi.automation import OpType

from local import web
from local.paths import CHECKOUT
from local.pulumi_home import backend_url, environment, home
from local.toolchain import Toolchain
from tests import checkout

GREETING = "Hello, Cloud Native!"


class Project:
    """One stack, and what it needs to be changed, deployed and looked at."""

    def __init__(self, folder: Path, tools: Toolchain, *, like: str, namespace: str) -> None:
        """Copy the checkout to `folder` and make the stack `e2e` there, configured as the stack `like` is."""
        self.folder = folder / "checkout"
        self._where: dict[str, str] = {}
        self.namespace = namespace
        self.env = {**os.environ, **environment(tools)}
        # What a run that was killed left behind goes first.
        delete = ["kubectl", "delete", "namespace", namespace, "--ignore-not-found"]
        subprocess.run(delete, env=self.env, capture_output=True, check=True)
        checkout.copy(self.folder)
        self.backend = folder / "backend"
        self.backend.mkdir()
        settings = yaml.safe_load((CHECKOUT / f"Pulumi.{like}.yaml").read_text())
        settings.pop("encryptionsalt", None)
        self._write_settings(settings)
        self.configure(
            {
                "cluster.namespace": namespace,
                "registry.address": f"{self.config()['registry']['address']}/{namespace}",
                "gateway.host": f"{namespace}.test",
                "gateway.rateLimit": None,
                "webapp.timeoutSeconds": 60,
                "catalog.timeoutSeconds": 60,
            }
        )
        self.stack = automation.create_or_select_stack(
            "e2e",
            work_dir=str(self.folder),
            opts=automation.LocalWorkspaceOptions(
                pulumi_command=automation.PulumiCommand(str(home())),
                env_vars={
                    **{name: value for name, value in self.env.items() if name != "PULUMI_CONFIG_PASSPHRASE_FILE"},
                    "PULUMI_BACKEND_URL": backend_url(self.backend),
                    "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(),
                },
            ),
        )

    def config(self) -> dict[str, Any]:
        """Return the stack's configuration: the project's keys, without their prefix."""
        config: dict[str, Any] = yaml.safe_load((self.folder / "Pulumi.e2e.yaml").read_text())["config"]
        return {key.removeprefix("cloudnative:"): value for key, value in config.items()}

    def configure(self, values: dict[str, Any]) -> None:
        """Set values by their paths, such as `webapp.replicas`; None removes one."""
        path = self.folder / "Pulumi.e2e.yaml"
        settings = yaml.safe_load(path.read_text())
        for key, value in values.items():
            top, *rest = key.split(".")
            where, last = settings["config"], f"cloudnative:{top}"
            for part in rest:
                where, last = where[last], part
            where[last] = value
            if value is None:
                del where[last]
        self._write_settings(settings)

    def _write_settings(self, settings: dict[str, Any]) -> None:
        (self.folder / "Pulumi.e2e.yaml").write_text(yaml.safe_dump(settings))

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace `old` by `new` in a file of the copy; `old` must be there."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} does not hold {old!r}"
        path.write_text(text.replace(old, new))

    def greet(self, message: str) -> None:
        """Change the one line of the app that says what its page greets with."""
        path = self.folder / "app/webapp/webapp/greeting.py"
        lines = path.read_text().splitlines(keepends=True)
        (index,) = (index for index, line in enumerate(lines) if line.startswith("MESSAGE ="))
        lines[index] = f'MESSAGE = "{message}"\n'
        path.write_text("".join(lines))

    def up(self, policy_packs: list[str] | None = None) -> automation.UpResult:
        """Run `pulumi up`; raises `automation.errors.CommandError`, with all that it said, when that fails."""
        return self.stack.up(color="never", policy_packs=policy_packs)

    def changes(self) -> set[OpType]:
        """Run `pulumi up` and return what kinds of changes it made; that objects were read or left alone is none."""
        return set(self.up().summary.resource_changes or {}) - {OpType.SAME, OpType.READ}

    def gone(self) -> list[str]:
        """Return the URNs of what the state knows and the cluster does not have."""
        found: list[str] = []

        def take(event: automation.EngineEvent) -> None:
            if event.res_outputs_event and event.res_outputs_event.metadata.op == OpType.DELETE:
                found.append(event.res_outputs_event.metadata.urn)

        self.stack.preview_refresh(color="never", on_event=take)
        return found

    def uids(self, kinds: str) -> dict[str, str]:
        """Return the UIDs of the objects of these kinds, by kind and name."""
        items = self.kubectl("get", kinds)["items"]
        return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["uid"] for one in items}

    def fails(self, policy_packs: list[str] | None = None) -> str:
        """Run `pulumi up`, which has to fail, and return what it said."""
        try:
            self.up(policy_packs)
        except automation.errors.CommandError as error:
            return str(error)
        raise AssertionError("pulumi up went through, and should have failed")

    def output(self, name: str) -> str:
        """Return one of the stack's outputs."""
        return str(self.stack.outputs()[name].value)

    def image(self, service: str) -> str:
        """Return the image that a service runs."""
        return str(self.stack.outputs()["images"].value[service])

    def page(self) -> str:
        """Return the app's page as it is served; raises when it is not answered with 200."""
        answer = self.get()
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.text

    def get(self, path: str = "", **options: Any) -> httpx.Response:
        """Get a path of what the stack serves; `options` are those of httpx."""
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request to what the stack serves, by https and the name that it is served by."""
        served = self._served()
        with web.client(served["ca_certificate"]) as client:
            return client.request(method, f"{served['url']}{path}", **options)

    def _served(self) -> dict[str, str]:
        """Return where, once for the project: neither changes, and to ask takes Pulumi a second."""
        if not self._where:
            self._where = {name: self.output(name) for name in ("url", "ca_certificate")}
        return self._where

    def answers(self) -> bool:
        """Tell whether the page is served: an address that was just given out takes kube-proxy a moment."""
        try:
            return bool(self.page())
        except httpx.TransportError:
            return False

    def shows(self, text: str) -> None:
        """Wait until the page holds `text`: just after a rollout, an old pod that is ending may still answer."""
        eventually(lambda: text in self.page(), f"{text!r} on the page")

    def kubectl(self, *arguments: str) -> Any:
        """Return what `kubectl … --output=json` says of the stack's namespace."""
        return json.loads(self.plain_kubectl(f"--namespace={self.namespace}", *arguments, "--output=json"))

    def objects(self, *, but: Collection[str]) -> list[Any]:
        """Return all objects of the stack's namespace, of every kind but those given, such as `secrets`."""
        kinds = self.plain_kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
        found: list[Any] = self.kubectl("get", ",".join(sorted(set(kinds) - set(but))))["items"]
        return found

    def plain_kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what a kubectl command prints; in the namespace that its arguments name."""
        command = ["kubectl", *arguments]
        result = subprocess.run(command, env=self.env, input=stdin, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
        return result.stdout

    def python(self, pod: str, program: str, *arguments: str) -> str:
        """Run a Python program in a pod of the namespace, and return what it printed.

        Args:
            pod: Its name, and what kubectl is to know beside that, such as `NAME --container=NAME`.
            program: Its source.
            arguments: Given to it.
        """
        where = [f"--namespace={self.namespace}", *pod.split()]
        return self.plain_kubectl("exec", *where, "--", "/usr/bin/python3", "-c", program, *arguments)


def get(url: str) -> httpx.Response:
    """Get `url` by a connection of its own, past any proxy."""
    return httpx.get(url, timeout=5, trust_env=False)


def eventually(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until `holds`; fail, saying `what`, when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
