"""Building and pushing, with either builder."""

from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.image import DOCKER_PLUGIN, Credentials, Image, ImageArgs, _explain
from tests.unit.program.harness import DIGEST, Cloud, Registered, Run, plain_texts, run


def args(**changes: Any) -> ImageArgs:
    return ImageArgs(
        **{
            "context": "app",
            "dockerfile": "app/webapp/Dockerfile",
            "registry": "10.90.0.1:5000/team",
            "tag": "dev",
            "version": "1.2.3",
            "base_image": "base/python:3.11",
            "build_image": "base/python-build:3.11",
            "platforms": ["linux/amd64"],
            "builder": "buildkit",
            "cache": False,
            **changes,
        }
    )


def image(**changes: Any) -> Run:
    """Declare an image; a callable is called inside the program, where Outputs can be made."""

    def declare() -> None:
        made = {key: value() if callable(value) else value for key, value in changes.items()}
        pulumi.export("ref", Image("webapp", args(**made)).ref)

    return run(declare)


def built(**changes: Any) -> Registered:
    return image(**changes).one("Image", "webapp-image")


def credentials() -> Callable[[], Credentials]:
    return lambda: Credentials(username="ci", password=pulumi.Output.secret("hush"))


@pytest.mark.parametrize("builder", ["buildkit", "docker"])
def test_what_comes_out_is_repository_and_digest_without_a_tag(builder: str) -> None:
    assert image(builder=builder).exports["ref"] == f"10.90.0.1:5000/team/webapp@{DIGEST}"


@pytest.mark.parametrize("builder", ["buildkit", "docker"])
def test_versions_and_images_reach_the_dockerfile_as_build_arguments(builder: str) -> None:
    inputs = built(builder=builder).inputs
    arguments = inputs["buildArgs"] if builder == "buildkit" else inputs["build"]["args"]
    assert arguments == {
        "APP_VERSION": "1.2.3",
        "BASE_IMAGE": "base/python:3.11",
        "BUILD_IMAGE": "base/python-build:3.11",
    }


@pytest.mark.parametrize("builder", ["buildkit", "docker"])
def test_destroying_a_stack_leaves_the_image_in_the_registry(builder: str) -> None:
    assert built(builder=builder).retain_on_delete


@pytest.mark.parametrize("builder", ["buildkit", "docker"])
def test_credentials_are_for_the_registrys_host_and_the_password_stays_secret(builder: str) -> None:
    made = built(builder=builder, credentials=credentials())
    (login,) = made.inputs["registries"] if builder == "buildkit" else [made.inputs["registry"]]
    assert login.get("address", login.get("server")) == "10.90.0.1:5000"
    assert (login["username"], login["password"]) == ("ci", "hush")
    assert "hush" not in list(plain_texts(made.wire))


@pytest.mark.parametrize("builder", ["buildkit", "docker"])
def test_without_credentials_none_are_sent(builder: str) -> None:
    assert not {"registries", "registry"} & built(builder=builder).inputs.keys()


def test_buildkit_pushes_under_the_tag_and_builds_nothing_in_a_preview() -> None:
    inputs = built().inputs
    assert (inputs["push"], inputs["tags"]) == (True, ["10.90.0.1:5000/team/webapp:dev"])
    assert inputs["buildOnPreview"] is False


def test_buildkit_uses_the_builder_that_is_named() -> None:
    assert built(builder_name="cloudnative").inputs["builder"] == {"name": "cloudnative"}
    assert "builder" not in built().inputs


def test_buildkit_builds_for_every_platform() -> None:
    assert built(platforms=["linux/amd64", "linux/arm64"]).inputs["platforms"] == ["linux/amd64", "linux/arm64"]


def test_a_registry_cache_is_both_read_and_written() -> None:
    inputs = built(cache=True).inputs
    ref = "10.90.0.1:5000/team/webapp:buildcache"
    assert inputs["cacheFrom"] == [{"registry": {"ref": ref}}]
    (written,) = inputs["cacheTo"]
    assert (written["registry"]["ref"], written["registry"]["mode"]) == (ref, "max")
    assert not {"cacheFrom", "cacheTo"} & built().inputs.keys()


def test_certificates_reach_the_build_as_the_secret_ca(certificates: Path) -> None:
    assert built(ca_certificates=str(certificates)).inputs["secrets"] == {"ca": certificates.read_text()}
    assert "secrets" not in built().inputs


def test_changed_certificates_do_not_build_again(certificates: Path) -> None:
    assert built(ca_certificates=str(certificates)).inputs["ignoreSecretsInDiffCalculation"] == ["ca"]


def test_docker_builds_for_its_one_platform_with_an_inline_cache() -> None:
    build = built(builder="docker", cache=True, platforms=["linux/arm64"]).inputs["build"]
    assert (build["platform"], build["dockerfile"]) == ("linux/arm64", "app/webapp/Dockerfile")
    assert build["cacheFrom"] == {"images": ["10.90.0.1:5000/team/webapp:dev"]}
    assert build["args"]["BUILDKIT_INLINE_CACHE"] == "1"


@pytest.mark.parametrize(
    "cloud", [Cloud(unknown=["docker-build:index:Image"]), Cloud(digest="")], ids=["none", "empty"]
)
def test_in_a_preview_that_would_build_the_reference_is_unknown(cloud: Cloud) -> None:
    def declare() -> None:
        pulumi.export("ref", Image("webapp", args()).ref)

    assert run(declare, cloud=cloud, allow_unknown=True).exports == {"ref": None}
    with pytest.raises(AssertionError, match="stack output ref is unknown"):
        run(declare, cloud=cloud)


def test_only_the_docker_builder_asks_for_its_plugin_and_names_the_version() -> None:
    assert built(builder="docker").version == DOCKER_PLUGIN
    installed = {distribution.name for distribution in distributions()}
    assert "pulumi_docker_build" in installed
    assert "pulumi_docker" not in installed, "the engine would try to fetch its plugin in every run"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"platforms": ["linux/amd64", "linux/arm64"]}, "platforms must be one platform with the builder docker"),
        ({"builder_name": "mine"}, "builder_name must be unset with the builder docker"),
        ({"ca_certificates": "/ca"}, "ca_certificates must be unset with the builder docker"),
    ],
    ids=["platforms", "builder_name", "ca_certificates"],
)
def test_what_only_buildkit_can_do_is_refused_with_docker(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}.* use the builder buildkit"):
        args(builder="docker", **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": "/srv/app"}, "context must be relative to Pulumi.yaml, found '/srv/app'"),
        ({"dockerfile": "/srv/Dockerfile"}, "dockerfile must be relative to Pulumi.yaml, found '/srv/Dockerfile'"),
        ({"registry": "https://ghcr.io"}, "registry must be host"),
        ({"base_image": "python"}, "base_image must be an image with a digest or a tag"),
        ({"build_image": "python:latest"}, "build_image must be an image with a digest or a tag"),
        ({"platforms": []}, "platforms must name at least one platform"),
    ],
    ids=["context", "dockerfile", "registry", "base_image", "build_image", "platforms"],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (
            ["context deadline exceeded"],
            ["10.90.0.1:5000/team/webapp was not built: the builder 'mine' does not answer."],
        ),
        (["failed to solve: process did not complete"], []),
    ],
)
def test_a_builder_that_does_not_answer_is_named(
    errors: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", logged.append)
    failed = pulumi.ErrorHookArgs("urn", "", "webapp-image", "docker-build:index:Image", errors=errors)
    retry = _explain("10.90.0.1:5000/team/webapp", args(builder_name="mine"))(failed)
    assert not retry
    assert [line.partition(" Look")[0] for line in logged] == said
