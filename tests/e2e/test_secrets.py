"""A secret of the configuration reaches the pods as a file, and stands in plain text nowhere else.

The secret is looked for, as it is and in Base64, in all that a deployment leaves behind. That the search works
there shows in a mark, which is no secret: it goes where the secret could, and has to be found.
"""

import base64
import gzip
import json
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pulumi import automation

from local import manifests, stack
from local.network import NETWORK
from local.paths import LOGS
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.project import Project, eventually

SECRET = secrets.token_hex(24)
MARK = secrets.token_hex(24)

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

PROCESSES = """
import pathlib, sys
for file in ("environ", "cmdline"):
    for path in pathlib.Path("/proc").glob(f"[0-9]*/{file}"):
        sys.stdout.write(path.read_text() + "\\n")
"""


def forms(text: str) -> set[bytes]:
    """Return what `text` is recognised by: itself, and Base64 of it, wherever in what was encoded it stood."""
    plain = text.encode()
    found = {plain}
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + plain)
        # The first and the last characters hold bits of what stands beside it as well.
        found.add(encoded[-(-shift * 8 // 6) : (shift + len(plain)) * 8 // 6])
    return found


@dataclass(frozen=True)
class Place:
    """Where something may stand, and what is known to stand there."""

    contents: Sequence[bytes]
    mark: str = MARK

    def hits(self, text: str) -> int:
        """Return how often `text` stands there."""
        return sum(content.count(form) for content in self.contents for form in forms(text))


@pytest.fixture(scope="module")
def project(deployed: Deployed) -> Iterator[Project]:
    """The stack with a secret and marks; afterwards as it was before."""
    project = deployed.project
    files = [project.folder / file for file in ("Pulumi.e2e.yaml", "app/webapp/webapp/greeting.py")]
    before = [file.read_text() for file in files]
    project.greet(MARK)
    project.configure({"webapp.version": MARK, "webapp.config": {"MARK": MARK}})
    project.stack.set_config("cloudnative:webappSecrets.token", automation.ConfigValue(SECRET, secret=True), path=True)
    webhook = automation.ConfigValue(f"https://hooks.example.com/{SECRET}", secret=True)
    project.stack.set_config("cloudnative:alertWebhookUrl", webhook)
    try:
        yield project
    finally:
        for file, text in zip(files, before, strict=True):
            file.write_text(text)
        project.up()


@pytest.fixture(scope="module")
def said(project: Project) -> dict[str, bytes]:
    """What Pulumi said while it brought out the secret."""
    preview = project.stack.preview(diff=True, color="never")
    up = project.stack.up(diff=True, color="never")
    return {"preview": f"{preview.stdout}{preview.stderr}".encode(), "up": f"{up.stdout}{up.stderr}".encode()}


def pods(project: Project) -> list[str]:
    """Return the names of the webapp's pods that are not about to go."""
    found = project.kubectl("get", "pods", "--selector=app.kubernetes.io/name=webapp")["items"]
    return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


def pulumi(project: Project, *arguments: str) -> bytes:
    """Return what a Pulumi command says of the stack."""
    command, env = ["pulumi", *arguments, "--stack=e2e"], {**project.env, **project.stack.workspace.env_vars}
    return subprocess.run(command, cwd=project.folder, env=env, capture_output=True, check=True).stdout


def contents(folder: Path) -> list[bytes]:
    """Return the content of all files below a folder."""
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def rendered(project: Project, said: dict[str, bytes]) -> Path:
    """The folder with what `make render` writes of the stack."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "CHECKOUT", project.folder)
        patch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
        patch.setattr(manifests, "check", lambda _: [])  # whether they are good manifests is another question
        stack.render(stack.Stack("e2e", {**project.env, **project.stack.workspace.env_vars}))
    return project.folder / "rendered" / "e2e"


@pytest.fixture(scope="module")
def logged(project: Project, said: dict[str, bytes]) -> bytes:
    """The logs of all pods of the stack, of which the webapp's have answered a request whose id is the mark."""
    project.get(headers={"X-Request-ID": MARK}).raise_for_status()

    def logs() -> str:
        options = ("--selector=app.kubernetes.io/part-of=cloudnative", "--all-containers", "--tail=-1")
        return project.plain_kubectl("logs", f"--namespace={project.namespace}", *options)

    eventually(lambda: MARK in logs(), "the request in a pod's log")
    return logs().encode()


@pytest.fixture(scope="module")
def image(project: Project, said: dict[str, bytes]) -> dict[str, list[bytes]]:
    """The image that runs, as its registry has it: for each platform, its configuration and all its layers."""
    repository, _, digest = project.image("webapp").removeprefix(f"{NETWORK.registry}/").partition("@")
    found: dict[str, list[bytes]] = {"config": [], "layers": []}
    with httpx.Client(base_url=f"http://{NETWORK.registry}/v2/{repository}", trust_env=False) as registry:
        wanted = [digest]
        while wanted:
            answer = registry.get(f"/manifests/{wanted.pop()}", headers={"Accept": ", ".join(MANIFESTS)})
            manifest = answer.raise_for_status().json()
            wanted += [each["digest"] for each in manifest.get("manifests", [])]
            for kind, blobs in (("config", [manifest.get("config")]), ("layers", manifest.get("layers", []))):
                contents = (
                    registry.get(f"/blobs/{blob['digest']}").raise_for_status().content for blob in blobs if blob
                )
                found[kind] += [gzip.decompress(each) if kind == "layers" else each for each in contents]
    return found


PLACES = (
    "preview --diff",
    "up --diff",
    "stack output",
    "stack export",
    "the stack's YAML",
    "the state's files",
    "the rendered manifests",
    "the cluster's objects but Secrets",
    "the cluster's events",
    "the pods' environments and arguments",
    "the pods' logs",
    "the platform's logs",
    "the image's configuration",
    "the image's layers",
)


@pytest.fixture(scope="module")
def places(
    project: Project, said: dict[str, bytes], rendered: Path, logged: bytes, image: dict[str, list[bytes]]
) -> dict[str, Place]:
    """What a deployment leaves behind, by the names of the places."""
    running = pods(project)
    found = (
        Place([said["preview"]]),
        Place([said["up"]]),
        Place([pulumi(project, "stack", "output", "--json")], mark=project.namespace),
        Place([pulumi(project, "stack", "export")]),
        Place([(project.folder / "Pulumi.e2e.yaml").read_bytes()]),
        Place(contents(project.folder.parent / "backend")),
        Place(contents(rendered)),
        Place([json.dumps(project.objects(but={"secrets"})).encode()]),
        Place([json.dumps(project.kubectl("get", "events")).encode()], mark=running[0]),
        Place([project.python(pod, PROCESSES).encode() for pod in running]),
        Place([logged]),
        Place(contents(LOGS), mark=project.namespace),
        Place(image["config"]),
        Place(image["layers"]),
    )
    return dict(zip(PLACES, found, strict=True))


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_stands_nowhere_in_plain_text(places: dict[str, Place], place: str, figures: Figures) -> None:
    searched = places[place]
    hits, marks, size = searched.hits(SECRET), searched.hits(searched.mark), sum(map(len, searched.contents))
    figures(f"hits of a secret in {place}", f"{hits} (of a mark: {marks}, in {size} bytes)")
    assert marks, "the search would not find anything there"
    assert not hits


def test_each_pod_has_the_secret_as_a_file_with_exactly_its_content(project: Project, said: dict[str, bytes]) -> None:
    read = "import pathlib, sys; sys.stdout.write(pathlib.Path('/run/secrets/app/token').read_text())"
    assert [project.python(pod, read) for pod in pods(project)] == [SECRET] * 3


def test_the_search_finds_the_secret_where_it_does_stand(project: Project, said: dict[str, bytes]) -> None:
    assert Place([pulumi(project, "stack", "export", "--show-secrets")]).hits(SECRET)
    assert Place([json.dumps(project.kubectl("get", "secrets")).encode()]).hits(SECRET)


@pytest.mark.parametrize("beside", range(4))
def test_base64_is_found_wherever_in_what_was_encoded_the_secret_stood(beside: int) -> None:
    assert Place([base64.b64encode(b"x" * beside + SECRET.encode() + b"x" * beside)]).hits(SECRET)
