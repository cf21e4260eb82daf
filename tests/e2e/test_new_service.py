"""README's way to a service more, to its first answer through the gateway; in the end, the stack is as it was."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from local.network import NETWORK
from tests import walkthrough
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.project import Project, eventually

PATH = "/api/order-history"
SHARED = ("services.py", "Pulumi.yaml", "README.md", "docs/map.svg")
OWN = ("app/order-history", "tests/app/order_history")

pytestmark = pytest.mark.skipif(walkthrough.MADE, reason="README's service is one of the map already")


def identities(project: Project) -> Mapping[str, str]:
    """Return the UID of each object that a service consists of, but for pods, by kind and name."""
    objects = project.kubectl("get", "deployments,statefulsets,services,networkpolicies,persistentvolumeclaims")
    return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["uid"] for one in objects["items"]}


@pytest.fixture
def project(deployed: Deployed) -> Iterator[Project]:
    """The project, whose new service goes after the test, and nothing else with it."""
    project = deployed.project
    before, kept = identities(project), {name: (project.folder / name).read_bytes() for name in SHARED}
    yield project
    for name, content in kept.items():
        (project.folder / name).write_bytes(content)
    for name in OWN:
        shutil.rmtree(project.folder / name)
    project.up()
    assert identities(project) == before


def test_the_commands_of_the_readme_lead_to_an_answer_through_the_gateway(
    project: Project, figures: Figures, tmp_path: Path
) -> None:
    commands = walkthrough.commands()
    needing_a_platform = commands[commands.index(walkthrough.UNTIL) :]
    # Here on this project's stack instead of the user's, which is asked by the name that it is served by.
    assert needing_a_platform[:3] == ["make preview", "make up", 'eval "$(make -s env)"']
    ask = "\n".join(needing_a_platform[3:])
    host = project.output("url").removeprefix("https://")
    (tmp_path / ".curlrc").write_text(f"resolve = {host}:443:{NETWORK.gateway}\n")
    env = {**project.env, **project.stack.workspace.env_vars, "CURL_HOME": str(tmp_path)}
    env.pop("PULUMI_CONFIG_PASSPHRASE_FILE")

    begun = time.monotonic()
    made = walkthrough.run(commands[0], project.folder)
    assert made.returncode == 0, made.stderr
    walkthrough.declare(project.folder)
    project.stack.preview(color="never")
    project.up()
    answers: list[str] = []

    def answered() -> bool:
        answers.append(walkthrough.run(ask, project.folder, **env).stdout)
        return "items" in answers[-1]

    eventually(answered, f"a list of items, as the last of {answers}")
    figures("seconds from `make new-service` to an answer through the gateway", round(time.monotonic() - begun, 1))
    assert [item["id"] for item in json.loads(answers[-1])["items"]] == ["first", "second"]

    assert project.get(PATH).status_code == 401
    missing = project.get(f"{PATH}/nothing", auth=("api", project.output("api_key")))
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")
