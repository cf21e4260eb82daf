"""A service that fails on purpose has its page fire, reach a webhook, and end: `make drill`, on the tests' stack."""

from collections.abc import Mapping
from typing import Any

from pulumi import automation

from local.drill import ERROR_PERCENT, WEBHOOK, Deploy, drill
from local.progress import elapsed
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.project import Project


def deployer(project: Project) -> Deploy:
    """Return what deploys the project with some values changed."""
    file = project.folder / "Pulumi.e2e.yaml"
    own = file.read_text()

    def deploy(changes: Mapping[str, Any]) -> Mapping[str, Any]:
        file.write_text(own)
        project.configure({path: value for path, value in changes.items() if path != WEBHOOK})
        if WEBHOOK in changes:
            secret = automation.ConfigValue(value=changes[WEBHOOK], secret=True)
            project.stack.set_config(f"cloudnative:{WEBHOOK}", secret)
        project.up()
        return {name: output.value for name, output in project.stack.outputs().items()}

    return deploy


def test_a_page_reaches_the_webhook_while_requests_fail_and_ends_when_they_do_not(
    deployed: Deployed, figures: Figures
) -> None:
    stations = drill(deployer(deployed.project))
    for station in stations:
        figures(f"drill: {station.what}", elapsed(station.seconds))
    assert f"Faults are deployed: {ERROR_PERCENT} % of requests fail" in [station.what for station in stations]
    assert deployed.project.changes() == set()
