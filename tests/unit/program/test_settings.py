"""The configuration as a whole: how it is read, which of its parts go together, and how errors are worded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings
from keys.database import Postgres
from keys.monitoring import PrometheusOperator, PrometheusServer
from settings import SettingsError
from tests.unit.program.configurations import OPERATOR, VALID, changed, parsed, problem, problems
from tests.unit.program.harness import DIGEST, PROJECT, ROOT, encoded, run


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parsed(VALID).services["webapp"].replicas = 4


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [(VALID["monitoring"], PrometheusServer), (OPERATOR, PrometheusOperator)],
    ids=["own", "operator"],
)
def test_one_key_chooses_who_scrapes(chosen: dict[str, Any], kind: type) -> None:
    assert isinstance(parsed({**VALID, "monitoring": chosen}).monitoring, kind)


def test_certificates_by_a_relative_path_are_refused(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(certificates.parent)
    assert problem(changed("build.caCertificates", "ca.crt")).startswith(
        "build.caCertificates must be the absolute path"
    )


def test_a_collector_and_its_networks_go_together() -> None:
    tracing = {"endpoint": "http://otel.example.com:4318", "networks": ["192.0.2.8/32"]}
    assert parsed(changed("tracing", tracing)).tracing.networks == ("192.0.2.8/32",)
    line = problem(changed("tracing", {"endpoint": tracing["endpoint"]}))
    assert line.startswith("tracing.networks must be set, because tracing.endpoint is;")
    line = problem(changed("tracing", {"networks": tracing["networks"]}))
    assert line.startswith("tracing.networks must not be set, because tracing.endpoint is not")


PINNED = f"10.90.0.1:5000/base/python:3.11@{DIGEST}"


def without_tags(lock: Path, listed: Mapping[str, str]) -> dict[str, Any]:
    """Return values that do not take tags as they are, with a lock that lists these digests."""
    lock.write_text(json.dumps(listed))
    return {**VALID, "allowMutableTags": False, "imageLock": str(lock)}


def test_a_tag_without_a_digest_is_refused_unless_that_is_allowed(tmp_path: Path) -> None:
    lines = problems(without_tags(tmp_path / "lock", {}))
    assert [line.split()[0] for line in lines] == [
        "build.baseImage",
        "build.buildImage",
        "monitoring.image",
        "monitoring.alertmanagerImage",
        "catalog.database.image",
    ]
    for line in lines:
        assert "a tag can be another image tomorrow" in line
        assert "imageLock" in line
        assert "allowMutableTags" in line


def test_a_tag_that_the_lock_lists_is_pinned_to_its_digest(tmp_path: Path) -> None:
    monitoring = VALID["monitoring"]
    database = VALID["catalog"]["database"]["image"]
    tagged = [*VALID["build"].values(), monitoring["image"], monitoring["alertmanagerImage"], database]
    read = parsed(without_tags(tmp_path / "lock", dict.fromkeys(tagged, DIGEST)))
    chosen, _ = read.database("catalog")
    assert isinstance(read.monitoring, PrometheusServer)
    assert isinstance(chosen, Postgres)
    images = [read.build.base_image, read.build.build_image]
    found = [*images, read.monitoring.image, read.monitoring.alertmanager_image, chosen.image]
    assert found == [f"{image}@{DIGEST}" for image in tagged]


def test_an_image_with_a_digest_needs_no_lock() -> None:
    build = {"baseImage": PINNED, "buildImage": PINNED}
    values = {**changed("catalog.database.image", PINNED), "build": build, "monitoring": OPERATOR}
    assert parsed({**values, "allowMutableTags": False}).build.base_image == PINNED


@pytest.mark.parametrize("content", ["", "[]", '"x"', '{"a/b:1": "sha256:1"}', '{"a/b:1": 7}'])
def test_a_lock_that_is_none_is_the_only_thing_reported(content: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(content)
    values = {**VALID, "allowMutableTags": False, "imageLock": str(tmp_path / "lock")}
    assert problem(values).startswith("imageLock must be the path of a readable JSON file")


def test_what_only_buildkit_can_do_is_refused_with_the_docker_builder(certificates: Path) -> None:
    build = {
        **VALID["build"],
        "builder": "docker",
        "builderName": "cloudnative",
        "platforms": ["linux/amd64", "linux/arm64"],
        "caCertificates": str(certificates),
    }
    lines = problems({**VALID, "build": build})
    assert [line.split()[0] for line in lines] == ["build.builderName", "build.platforms", "build.caCertificates"]
    assert all("use the builder buildkit" in line for line in lines)


def test_the_same_is_accepted_with_buildkit(certificates: Path) -> None:
    values = changed("build.caCertificates", str(certificates))
    values["build"]["platforms"] = ["linux/amd64", "linux/arm64"]
    assert parsed(values).build.platforms == ("linux/amd64", "linux/arm64")


def test_a_kubeconfig_that_exists_is_accepted(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    assert parsed(changed("cluster.kubeconfig", str(kubeconfig))).cluster.kubeconfig == str(kubeconfig)


def test_user_and_secret_password_together_are_accepted() -> None:
    values = {**changed("registry.username", "ci"), "registryPassword": "hush"}
    assert parsed(values, "registryPassword").registry_password.get_secret_value() == "hush"


def test_a_user_without_password_is_refused() -> None:
    assert problem(changed("registry.username", "ci")).startswith("registryPassword must be set, because")


def test_a_user_without_password_is_refused_where_the_key_is_left_out() -> None:
    values = changed("registry.username", "ci")
    del values["registryPassword"]
    assert problem(values).startswith("registryPassword must be set, because")


def test_a_password_without_user_is_refused() -> None:
    assert problem({**VALID, "registryPassword": "hush"}, "registryPassword").startswith("registryPassword must not be")


def test_a_plain_password_is_refused_with_the_command_that_encrypts_it() -> None:
    values = {**changed("registry.username", "ci"), "registryPassword": "hush"}
    with pytest.raises(SettingsError, match="registryPassword must be encrypted") as error:
        parsed(values)
    assert "pulumi config set --secret --path 'registryPassword' VALUE" in str(error.value)


def test_a_secret_anywhere_else_is_refused() -> None:
    assert problem(VALID, "webapp") == (
        f"webapp must not hold a secret, which it would not keep; only {', '.join(settings.SECRETS)} do"
    )


def test_a_webhooks_url_is_read_where_it_is_encrypted() -> None:
    values = {**VALID, "alertWebhookUrl": "https://hooks.example.com/hush"}
    assert parsed(values, "alertWebhookUrl").alert_webhook_url.get_secret_value() == values["alertWebhookUrl"]
    assert problem(values) == "alertWebhookUrl must be encrypted, found plain text"


@pytest.mark.parametrize("url", ["hush", "ftp://hush", "https://", "https://hush:x", "https://hush:99999"])
def test_what_is_no_url_of_a_webhook_is_named_and_not_shown(url: str) -> None:
    line = problem({**VALID, "alertWebhookUrl": url}, "alertWebhookUrl")
    assert line.startswith("alertWebhookUrl must be an http or https URL")
    assert "hush" not in line


def test_no_error_shows_the_value_of_a_secret() -> None:
    values = {
        **changed("webapp.replicas", "hush"),
        "registryPassword": "hush",
        "cluster": {"context": "c", "namespace": "Hush"},
        "xyz": "hush",
    }
    values["webapp"]["resources"] = {"cpuLimit": "hush"}
    with pytest.raises(SettingsError) as error:
        parsed(values, "registryPassword", "webapp", "cluster", "xyz")
    assert "hush" not in str(error.value).lower()
    assert "hush" not in repr(
        parsed({**changed("registry.username", "c"), "registryPassword": "hush"}, "registryPassword")
    )


def test_all_that_is_wrong_is_said_at_once() -> None:
    lines = problems(
        {
            "environment": "Dev",
            "allowMutableTags": True,
            "cluster": {"context": ""},
            "registry": {"address": "http://x", "user": "ci"},
            "registryPassword": "hush",
            "build": {"builder": "kaniko", "baseImage": "python"},
            "webapp": {"replicas": 0, "port": 80, "resources": {"cpuLimit": "x"}, "config": {"A-B": "1"}},
            "webap": {},
            **{key: {} for key in settings.SERVICE_KEYS if key not in ("catalog", "webapp")},
            "monitoring": {"kind": "prometheus", "retention": "x"},
        }
    )
    assert [line.split()[0] for line in lines] == [
        "registryPassword",
        "environment",
        "owner",
        "cluster.context",
        "cluster.namespace",
        "registry.address",
        "registry.user",
        "build.builder",
        "build.baseImage",
        "build.buildImage",
        "monitoring.image",
        "monitoring.alertmanagerImage",
        "monitoring.retention",
        "monitoring.apiServer",
        "catalog",
        "webapp.replicas",
        "webapp.port",
        "webapp.resources.cpuLimit",
        'webapp.config["A-B"]',
        "webap",
    ]


def test_the_error_counts_says_that_nothing_was_touched_and_what_to_do() -> None:
    with pytest.raises(SettingsError) as error:
        parsed(changed("webapp.replicas", 0))
    first, _, *rest = str(error.value).splitlines()
    assert first == "the configuration is wrong in 1 place; nothing was touched:"
    assert "pulumi config set --path 'webapp.replicas' VALUE" in rest[0]
    assert "keys of a service that is gone stand in Pulumi.yaml too" in rest[2]


def test_the_configuration_is_read_with_the_projects_name_and_its_secrets() -> None:
    config = {f"{PROJECT}:{key}": encoded(value) for key, value in changed("webapp.replicas", 0).items()}

    with pytest.raises(SettingsError) as error:
        run(settings.load, config={**config, "other:webapp": "x"}, secrets=[f"{PROJECT}:build"])
    lines = [line.strip() for line in str(error.value).splitlines()[1:3]]
    assert [line.split()[0] for line in lines] == ["cloudnative:build", "cloudnative:webapp.replicas"]


def test_pulumi_yaml_declares_exactly_the_keys_and_types_that_are_read() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    schema = settings.schema()["properties"]
    read = {
        key: part["type"] if part.get("type") in ("string", "boolean") else "object" for key, part in schema.items()
    }
    assert {key: part["type"] for key, part in declared.items()} == read


def test_pulumi_yaml_lets_no_key_be_missing_so_that_the_error_here_can_name_all_at_once() -> None:
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    empty = {"string": "", "object": {}, "boolean": False}
    assert {key: part["default"] for key, part in declared.items()} == {
        key: empty[part["type"]] for key, part in declared.items()
    }
