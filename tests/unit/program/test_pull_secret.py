"""The credentials by which nodes pull."""

import json

import pulumi
import pytest

from components.image import Credentials
from components.pull_secret import PullSecret, PullSecretArgs
from tests.unit.program.harness import LABELS, Run, plain_texts, run


@pytest.fixture(scope="module")
def pull_secret() -> Run:
    def declare() -> None:
        args = PullSecretArgs(
            namespace="cloudnative-dev",
            labels=LABELS,
            registry="ghcr.io/team",
            credentials=Credentials(username="ci", password=pulumi.Output.secret("hush")),
        )
        pulumi.export("name", PullSecret("registry", args).secret_name)

    return run(declare)


def test_the_secret_logs_in_to_the_registrys_host(pull_secret: Run) -> None:
    made = pull_secret.one("Secret").inputs
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    login = {"username": "ci", "password": "hush"}
    assert json.loads(made["stringData"][".dockerconfigjson"]) == {"auths": {"ghcr.io": login}}


def test_the_password_stays_secret(pull_secret: Run) -> None:
    assert not [text for text in plain_texts(pull_secret.one("Secret").wire) if "hush" in text]


def test_the_secrets_name_comes_out(pull_secret: Run) -> None:
    assert pull_secret.exports == {"name": "registry-secret-1a2b3c4d"}
