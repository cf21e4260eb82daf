"""One changed line of the app to rolled out, and nothing changed, by Pulumi and by hand.

By hand means `buildctl build`, `kubectl apply` of the very objects that the stack declares, and `kubectl rollout
status`: what a script would do that knows nothing. Both sides build the same source, run the same objects on the same
platform and end when the new pods are available. They take turns, so that a noisy machine disturbs both; the figure to
quote is the ratio of each pair, by its median.
"""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from local import toolchain
from local.network import NETWORK
from local.paths import RUN
from local.progress import step
from tests.e2e.project import Project, eventually

BY_PULUMI = "cloudnative-bench-pulumi"
BY_HAND = "cloudnative-bench-hand"
KINDS = (
    "resourcequotas,limitranges,networkpolicies,serviceaccounts,configmaps,roles,rolebindings,services,deployments,"
    "poddisruptionbudgets"
)
SET_BY_THE_SERVER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")


def declared(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the cluster as it was declared, for the namespace `BY_HAND`."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in SET_BY_THE_SERVER}
    metadata["namespace"] = BY_HAND
    metadata["annotations"] = {
        name: value for name, value in metadata.get("annotations", {}).items() if not name.startswith("deployment.")
    }
    copy = {**item, "metadata": metadata}
    copy.pop("status", None)
    if item["kind"] == "Service":
        spec = {key: value for key, value in item["spec"].items() if key not in {"clusterIPs", "clusterIP"}}
        for port in spec["ports"]:
            port.pop("nodePort", None)
        copy["spec"] = {**spec, **({"clusterIP": "None"} if item["spec"]["clusterIP"] == "None" else {})}
    if item["kind"] == "RoleBinding":
        copy["subjects"] = [{**subject, "namespace": BY_HAND} for subject in item["subjects"]]
    return copy


class ByHand:
    """The same objects, deployed by buildctl and kubectl."""

    def __init__(self, project: Project, folder: Path) -> None:
        """Take the objects of `project`, which has to be deployed, and deploy them once."""
        self.project = project
        self.manifest = folder / "objects.yaml"
        self.metadata = folder / "image.json"
        listed = project.kubectl("get", KINDS, "--selector=app.kubernetes.io/managed-by=pulumi")["items"]
        self.objects = [declared(item) for item in listed]
        namespace = project.kubectl("get", "namespace", project.namespace)
        self.objects.insert(0, {**declared(namespace), "metadata": {"name": BY_HAND}})
        self.image = project.image("webapp")

    def up(self) -> None:
        """Build, push, apply, and wait for the rollout."""
        app = self.project.folder / "app"
        build = self.project.config()["build"]
        repository = f"{NETWORK.registry}/{BY_HAND}/webapp"
        self._run(
            *("buildctl", f"--addr=unix://{RUN}/buildkitd.sock", "--timeout=600", "build", "--frontend=dockerfile.v0"),
            *(f"--local=context={app}", f"--local=dockerfile={app / 'webapp'}", f"--metadata-file={self.metadata}"),
            f"--opt=build-arg:BASE_IMAGE={build['baseImage']}",
            f"--opt=build-arg:BUILD_IMAGE={build['buildImage']}",
            "--opt=build-arg:APP_VERSION=dev",
            f"--output=type=image,name={repository}:dev,push=true",
        )
        digest = json.loads(self.metadata.read_text())["containerimage.digest"]
        text = yaml.safe_dump_all(self.objects).replace(self.image, f"{repository}@{digest}")
        self.manifest.write_text(text)
        self._run("kubectl", "apply", f"--filename={self.manifest}")
        for deployment in ("webapp", "prometheus", "alertmanager"):
            self._run("kubectl", f"--namespace={BY_HAND}", "rollout", "status", f"deployment/{deployment}")

    def destroy(self) -> None:
        """Remove the objects."""
        self._run("kubectl", "delete", "namespace", BY_HAND, "--ignore-not-found")

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self.project.env, capture_output=True, check=True)


def settle(project: Project) -> None:
    """Wait until no pod of either side is still ending: the next run must not pay for the last one."""

    def settled() -> bool:
        pods = project.kubectl("get", "pods", "--all-namespaces")["items"]
        return not any("deletionTimestamp" in pod["metadata"] for pod in pods)

    eventually(settled, "no pod is ending any more", seconds=120)


def timed(run: Callable[[], object]) -> float:
    """Return how long `run` took, in seconds."""
    started = time.monotonic()
    run()
    return time.monotonic() - started


def compare(project: Project, by_hand: ByHand, *, changed: bool, runs: int) -> list[tuple[float, float]]:
    """Return the seconds by Pulumi and by hand of each pair of runs."""

    def by_pulumi() -> None:
        command = ["pulumi", "up", "--yes", "--skip-preview", "--stack=e2e"]
        env = {**project.env, **project.stack.workspace.env_vars}
        subprocess.run(command, cwd=project.folder, env=env, capture_output=True, check=True)

    pairs = []
    for count in range(runs + 1):
        pair = []
        for side, run in enumerate((by_pulumi, by_hand.up)):
            if changed:
                project.greet(f"Hello, Run {count}.{side}!")
            settle(project)
            pair.append(timed(run))
        pairs.append((pair[0], pair[1]))
    return pairs[1:]  # the first pair warms up


def measure(runs: int) -> Table:
    """Return what was measured in `runs` pairs."""
    table = Table("", "pulumi up", "by hand", "ratio", "ratios", title=f"{runs} pairs, medians")
    with tempfile.TemporaryDirectory() as scratch:
        project = Project(Path(scratch, "project"), toolchain.ensure(), like="dev", namespace=BY_PULUMI)
        by_hand: ByHand | None = None
        try:
            with step("Deploying the stack, and its objects by hand"):
                project.up()
                by_hand = ByHand(project, Path(scratch))
                by_hand.up()
            for changed, title in ((True, "one line of the app changed"), (False, "nothing changed")):
                with step(f"{title}: {runs + 1} pairs"):
                    pairs = compare(project, by_hand, changed=changed, runs=runs)
                ratios = sorted(one / other for one, other in pairs)
                table.add_row(
                    title,
                    *(f"{statistics.median(side):.2f} s" for side in zip(*pairs, strict=True)),
                    f"{statistics.median(ratios):.2f}",
                    f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
                )
        finally:
            with step("Removing both"):
                if by_hand is not None:
                    by_hand.destroy()
                project.stack.destroy()
    return table
