"""A container image, built from a directory of the checkout and pushed to a registry.

Two builders stand behind one type: `buildkit` (the plugin docker-build; the default) and `docker` (the plugin docker,
for a plain Docker daemon). What comes out is the digest reference, and only that is meant to be deployed: the tag is
for people who look into the registry. It neither deletes images nor signs or scans them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import pulumi
import pulumi_docker_build as docker_build
from pulumi.output import UNKNOWN

from components import checks

Builder = Literal["buildkit", "docker"]
Platform = Literal["linux/amd64", "linux/arm64", "linux/arm", "linux/ppc64le", "linux/riscv64", "linux/s390x"]


DOCKER_PLUGIN = "5.2.0"
"""Version of the plugin docker, which only the builder `docker` needs."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """How to log in to a registry."""

    username: str
    password: pulumi.Input[str]
    """Pass it as a secret Output, so that the state keeps it encrypted."""


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    """What to build, how, and where to push it."""

    context: str
    """Directory to build from, relative to Pulumi.yaml: an absolute path would differ between two clones."""

    dockerfile: str
    """The Dockerfile, likewise. A file of its name with `.dockerignore` after it says what is left out."""

    registry: str
    """`host[:port][/path]` that the repository is made in; its name is the component's."""

    version: str
    """Release that the image says it is; the Dockerfile gets it as build argument APP_VERSION."""

    tag: str
    """Tag that moves to each new build. Nothing is deployed by it."""

    base_image: str
    """Image that the result runs on; the Dockerfile gets it as build argument BASE_IMAGE."""

    build_image: str
    """Image that the build runs in; the Dockerfile gets it as build argument BUILD_IMAGE."""

    platforms: Sequence[Platform]
    """Platforms to build for. `docker` builds for exactly one."""

    builder: Builder

    builder_name: str | None = None
    """Buildx builder, of a driver other than `docker`. Default: the one that `docker buildx use` chose."""

    cache: bool
    """Keep the build cache in the registry, for machines that start without one. It costs a push at every build."""

    ca_certificates: str | None = None
    """File of CA certificates that the build trusts instead of its image's own; BuildKit secret `ca`. Default: none."""

    credentials: Credentials | None = None
    """Default: what `docker login` left on the machine."""

    def __post_init__(self) -> None:
        """Refuse what the chosen builder cannot do."""
        checks.field("registry", checks.registry, self.registry)
        checks.field("base_image", checks.image, self.base_image)
        checks.field("build_image", checks.image, self.build_image)
        for name in ("context", "dockerfile"):
            if Path(getattr(self, name)).is_absolute():
                raise ValueError(f"{name} must be relative to Pulumi.yaml, found {getattr(self, name)!r}")
        if not self.platforms:
            raise ValueError("platforms must name at least one platform, found none")
        if self.builder == "docker":
            for option in ("platforms", "builder_name", "ca_certificates"):
                checks.field(option, partial(check_docker_builder, option), getattr(self, option))


class Image(pulumi.ComponentResource):
    """An image in a registry."""

    ref: pulumi.Output[str]
    """`repository@sha256:...`: what to deploy. Unknown in a preview that would build."""

    def __init__(self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Build and push `args.registry/name`."""
        super().__init__("cloudnative:index:Image", name, None, opts)
        repository = f"{args.registry}/{checks.dns_label(name)}"
        # Destroying a stack must not take away an image that another stack runs by the same digest: a registry's own
        # retention decides what goes.
        hook = pulumi.ErrorHook(f"{name}-image-failed", _explain(repository, args))
        kept = pulumi.ResourceOptions(
            parent=self, retain_on_delete=True, hooks=pulumi.ResourceHookBinding(on_error=[hook])
        )
        build = _with_buildkit if args.builder == "buildkit" else _with_docker
        self.ref = build(f"{name}-image", repository, args, kept)
        self.register_outputs({"ref": self.ref})


def _explain(repository: str, args: ImageArgs) -> Callable[[pulumi.ErrorHookArgs], bool]:
    """Return what says in words what the plugin only calls a deadline; True would be to try again."""
    builder = repr(args.builder_name) if args.builder_name else "that `docker buildx use` chose"

    def explain(failed: pulumi.ErrorHookArgs) -> bool:
        if any("deadline exceeded" in error for error in failed.errors):
            pulumi.log.error(
                f"{repository} was not built: the builder {builder} does not answer. "
                "Look at it with `docker buildx ls`; on the embedded platform, with `make status`."
            )
        return False

    return explain


def check_docker_builder(option: str, value: Any) -> None:
    """Refuse a `value` of the field `option` that the builder `docker` cannot do."""
    remedy = "use the builder buildkit, or leave it out"
    if option == "platforms" and len(value) > 1:
        raise ValueError(f"must be one platform with the builder docker, found {', '.join(value)}; {remedy}")
    if option == "builder_name" and value:
        raise ValueError(f"must be unset with the builder docker, which has one builder, found {value!r}; {remedy}")
    if option == "ca_certificates" and value:
        raise ValueError(f"must be unset with the builder docker, which has no secrets, found {value!r}; {remedy}")


def _with_buildkit(name: str, repository: str, args: ImageArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    cache = f"{repository}:buildcache"
    image = docker_build.Image(
        name,
        docker_build.ImageArgs(
            builder=docker_build.BuilderConfigArgs(name=args.builder_name) if args.builder_name else None,
            context=docker_build.BuildContextArgs(location=args.context),
            dockerfile=docker_build.DockerfileArgs(location=args.dockerfile),
            build_args=_build_args(args),
            platforms=[docker_build.Platform(platform) for platform in args.platforms],
            tags=[f"{repository}:{args.tag}"],
            push=True,
            # A preview shows that the image would change; to build it then would make each preview as slow as an `up`.
            build_on_preview=False,
            registries=[
                docker_build.RegistryArgs(
                    address=_host(args.registry), username=args.credentials.username, password=args.credentials.password
                )
            ]
            if args.credentials
            else None,
            secrets={"ca": Path(args.ca_certificates).read_text(encoding="utf-8")} if args.ca_certificates else None,
            # The machine's bundle changes with each update of its packages; the image does not depend on it.
            ignore_secrets_in_diff_calculation=["ca"],
            cache_from=[docker_build.CacheFromArgs(registry=docker_build.CacheFromRegistryArgs(ref=cache))]
            if args.cache
            else None,
            cache_to=[
                docker_build.CacheToArgs(
                    registry=docker_build.CacheToRegistryArgs(ref=cache, mode=docker_build.CacheMode.MAX)
                )
            ]
            if args.cache
            else None,
        ),
        opts,
    )
    # The plugin's own `ref` carries the tag beside the digest, which would roll the pods when only the tag changes.
    # In a preview that would build, it gives an empty digest, which is to say that the digest is not known yet.
    return image.digest.apply(lambda digest: f"{repository}@{digest}" if digest else cast("str", UNKNOWN))


def _with_docker(name: str, repository: str, args: ImageArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    tagged = f"{repository}:{args.tag}"
    build: dict[str, Any] = {
        "context": args.context,
        "dockerfile": args.dockerfile,
        "args": _build_args(args),
        "platform": args.platforms[0],
        "builderVersion": "BuilderBuildKit",
    }
    if args.cache:
        build["args"]["BUILDKIT_INLINE_CACHE"] = "1"
        build["cacheFrom"] = {"images": [tagged]}
    inputs: dict[str, Any] = {"imageName": tagged, "build": build}
    if args.credentials:
        inputs["registry"] = {
            "server": _host(args.registry),
            "username": args.credentials.username,
            "password": args.credentials.password,
        }
    return _DockerImage(name, inputs, opts).repo_digest


class _DockerImage(pulumi.CustomResource):
    """The Image of the plugin docker, without that plugin's SDK.

    The engine fetches the plugin of every SDK that is installed, used or not: with this one, each `up` began with 2.5 s
    (measured) of trying to. Without it, only those who choose the builder `docker` need the plugin.
    """

    def __init__(self, name: str, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        versioned = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=DOCKER_PLUGIN))
        super().__init__("docker:index/image:Image", name, {**inputs, "repoDigest": None}, versioned)

    @property
    def repo_digest(self) -> pulumi.Output[str]:
        digest: pulumi.Output[str] = pulumi.get(self, "repoDigest")
        return digest


def _build_args(args: ImageArgs) -> dict[str, str]:
    return {"APP_VERSION": args.version, "BASE_IMAGE": args.base_image, "BUILD_IMAGE": args.build_image}


def _host(registry: str) -> str:
    """Return the part of a registry's address that one logs in to."""
    return registry.partition("/")[0]
