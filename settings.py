"""The stack's configuration: the only reader of `Pulumi.<stack>.yaml`.

`load` gives frozen, validated settings, or raises one error that names every wrong key, what it may be and what was
found, before any resource is registered. The engine checks `Pulumi.yaml`'s types before that, but stops at the first
key and does not show the value; there, the keys are therefore few and mostly objects, and what is in them is checked
here.

It decides nothing: which components there are, and what they get, stands in `__main__.py`.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic.alias_generators import to_camel

import config_schema
from components import alertmanager, checks, engines, migration, network, prometheus, quota, web_service
from components.image import Builder, Platform, check_docker_builder
from components.quota import Demand
from components.service import database_of, package_of
from config_schema import Problem
from image_lock import LOCK, Pins, read_lock
from keys.base import DnsLabel, ImageReference, Keys, Quantity, SecretName, limits
from keys.database import Database, Managed
from keys.gateway import Gateway
from keys.monitoring import WEBHOOK, PrometheusOperator, PrometheusServer, Tracing
from keys.service import Owner, WebService, keys_of
from services import SERVICES

PASSWORD = "registryPassword"  # noqa: S105 - the key, not a password

_FIELDS = {service.name: package_of(service.name) for service in SERVICES}
"""Fields of the settings by the services' names; their keys are these in camel case, others have something after it."""

SERVICE_KEYS = tuple(to_camel(field) for field in _FIELDS.values())

SECRETS = (
    PASSWORD,
    WEBHOOK,
    *(to_camel(f"{field}_secrets") for field in _FIELDS.values()),
    *(to_camel(f"{_FIELDS[service.name]}_database_password") for service in SERVICES if service.owns_database),
)
"""The keys that may hold secrets, and must not hold anything else."""


class SettingsError(pulumi.RunError):
    """The configuration is wrong; the message names every wrong key. Pulumi prints it without a traceback."""


def _lock(value: str) -> str:
    if value:
        read_lock(value)
    return value


def _webhook(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        checks.port_of(value.get_secret_value())
    return value


def _readable_certificates(value: str) -> str:
    path = Path(value)
    try:
        if path.is_absolute() and "BEGIN CERTIFICATE" in path.read_text(encoding="utf-8"):
            return value
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"must be {_CERTIFICATES}, found {value!r} ({error})") from error
    raise ValueError(f"must be {_CERTIFICATES}, found {value!r}")


_CERTIFICATES = "the absolute path of a readable file with certificates in PEM"


class Cluster(Keys):
    """`cluster`: where the stack is deployed to."""

    context: Annotated[
        str, Field(min_length=1, description="Context of the kubeconfig."), limits("a context of the kubeconfig")
    ]
    kubeconfig: str | None = Field(
        default=None, description="Path of the kubeconfig; default: `KUBECONFIG`, `~/.kube/config`."
    )
    render_to: str | None = Field(
        default=None, min_length=1, description="Folder to write manifests to, instead of deploying; see `make render`."
    )
    namespace: DnsLabel = Field(description="Namespace of the stack; made and destroyed with it.")

    @field_validator("kubeconfig")
    @classmethod
    def _exists(cls, value: str | None) -> str | None:
        if value is not None and not Path(value).expanduser().is_file():
            raise ValueError(f"must be the path of a kubeconfig, found {value!r}, which is no file")
        return value


class Registry(Keys):
    """`registry`: where images are pushed to, and pulled from."""

    address: Annotated[str, AfterValidator(checks.registry), limits(checks.REGISTRY)] = Field(
        description="Registry, with a path if repositories are to be made below one."
    )
    username: str | None = Field(
        default=None, min_length=1, description=f"User to log in as, with `{PASSWORD}`; default: no login."
    )


class Build(Keys):
    """`build`: how images are built."""

    builder: Builder = Field(default="buildkit", description="`docker` is for a plain Docker daemon.")
    builder_name: str | None = Field(
        default=None,
        min_length=1,
        description="Buildx builder, for `buildkit`; default: the one `docker buildx use` chose.",
    )
    platforms: tuple[Platform, ...] = Field(
        default=("linux/amd64",), min_length=1, description="Platforms to build for."
    )
    base_image: ImageReference = Field(description="Image that services run on.")
    build_image: ImageReference = Field(description="Image that services are built in.")
    cache: bool = Field(default=False, description="Keep the build cache in the registry; costs a push at every build.")
    ca_certificates: Annotated[str, AfterValidator(_readable_certificates), limits(_CERTIFICATES)] | None = Field(
        default=None, description="CA certificates that builds trust instead of their image's own, for `buildkit`."
    )

    @field_validator("builder_name", "platforms", "ca_certificates")
    @classmethod
    def _suits_builder(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("builder") == "docker" and info.field_name:
            check_docker_builder(info.field_name, value)
        return value


class Quota(Keys):
    """`quota`: the most that the namespace's pods may ask for together."""

    pods: int = Field(default=50, ge=1, le=10000, description="Pods of the namespace, at most.")
    cpu: Quantity = Field(default="4", description="CPU that they may ask for together.")
    memory: Quantity = Field(default="8Gi", description="Memory that they may ask for together.")
    ephemeral_storage: Quantity = Field(default="8Gi", description="Disk that they may ask for together.")

    def of_namespace(self) -> quota.Quota:
        """Return it as components take it."""
        return quota.Quota(**self.model_dump())


class Settings(Keys):
    """All keys of a stack; those of its services are added below."""

    environment: DnsLabel = Field(description="Name of the environment, which people see in labels and pages.")
    owner: DnsLabel = Field(description="Team to ask about the stack, which people see in labels.")
    cluster: Cluster
    registry: Registry
    registry_password: Annotated[
        SecretStr,
        Field(default="", description="Password for `registry.username`; a secret."),
        limits("a secret string"),
    ]
    image_lock: Annotated[str, AfterValidator(_lock), limits(LOCK)] = Field(
        default="", description="File with the digests of images that are given by tag here; default: none."
    )
    allow_mutable_tags: bool = Field(
        default=False, description="Take images by tags without a digest; for stacks that nothing depends on."
    )
    build: Build
    gateway: Gateway | None = None
    alert_webhook_url: Annotated[
        SecretStr,
        Field(default="", description="Where alerts are sent, by POST; default: nowhere; a secret."),
        AfterValidator(_webhook),
        limits("a secret http or https URL"),
    ]
    monitoring: PrometheusServer | PrometheusOperator = Field(
        discriminator="kind",
        description="Who scrapes: a server of the stack's own, or the cluster's Prometheus Operator.",
    )

    tracing: Tracing = Tracing()
    quota: Quota = Quota()

    @property
    def services(self) -> Mapping[str, WebService]:
        """The keys of each service of the map, by its name."""
        return {name: getattr(self, field) for name, field in _FIELDS.items()}

    def secrets(self, service: str) -> Mapping[str, SecretStr]:
        """Return what the pods of a service find as files, by name."""
        found: Mapping[str, SecretStr] = getattr(self, f"{_FIELDS[service]}_secrets")
        return found

    @property
    def demands(self) -> Sequence[Demand]:
        """What each workload asks the namespace's quota for, at most."""
        found = [
            web_service.demand(name, keys.most_replicas, keys.resources.of_pod())
            for name, keys in self.services.items()
        ]
        for name, keys in self.services.items():
            if isinstance(keys, Owner):
                engine = keys.database.engine("")
                found += [*engines.demands(database_of(name), engine), migration.demand(name, keys.resources.of_pod())]
        if isinstance(self.monitoring, PrometheusServer):
            found += [prometheus.demand("prometheus"), alertmanager.demand("alertmanager")]
        return found

    def database(self, service: str) -> tuple[Database, str]:
        """Return what the database of a service runs on, and the password for one that somebody manages."""
        keys = self.services[service]
        if not isinstance(keys, Owner):
            raise TypeError(f"{service} owns no database")
        password: SecretStr = getattr(self, f"{_FIELDS[service]}_database_password")
        return keys.database, password.get_secret_value()

    def contradictions(self) -> Iterator[Problem]:
        """Yield what is right by itself and does not go together."""
        try:
            self.quota.of_namespace().check(self.demands)
        except ValueError as error:
            yield Problem("quota", str(error))
        yield from self._unpublishable()
        guarded = [service.name for service in SERVICES if service.needs_key]
        if self.gateway and guarded and not self.gateway.extensions:
            yield Problem(
                "gateway.extensions",
                f"must be traefik, as the gateway is to ask for an API key before {', '.join(guarded)}, found none; "
                "set it where the class is Traefik's, or take `needs_key` out of services.py and let the class do it",
            )
        for name in (service.name for service in SERVICES if service.owns_database):
            keys, password = self.database(name)
            key = to_camel(f"{_FIELDS[name]}_database_password")
            if isinstance(keys, Managed) and not password:
                yield Problem(key, f"must be set, because {to_camel(_FIELDS[name])}.database is of kind managed")
            if not isinstance(keys, Managed) and password:
                yield Problem(
                    key,
                    f"must not be set, because {to_camel(_FIELDS[name])}.database is of kind {keys.kind}, which makes "
                    "its own",
                )

    def _unpublishable(self) -> Iterator[Problem]:
        if not isinstance(self.monitoring, PrometheusServer) or not self.monitoring.published:
            return
        if not self.gateway:
            yield Problem(
                "monitoring.published",
                "must not be true, because there is no gateway to lead to the servers; set gateway, or serviceType",
            )
        elif not self.gateway.extensions and not set(network.ANYWHERE) <= set(self.monitoring.source_ranges):
            yield Problem(
                "monitoring.sourceRanges",
                "must not be set with published, because gateway.extensions is not and the Gateway API has no such "
                "thing; set that to traefik where the class is Traefik's, or take it out and let the class do it",
            )

    @field_validator("registry_password")
    @classmethod
    def _belongs_to_username(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        registry = info.data.get("registry")
        if registry and registry.username and not value.get_secret_value():
            raise ValueError("must be set, because registry.username is; or remove that")
        if registry and not registry.username and value.get_secret_value():
            raise ValueError("must not be set, because registry.username is not; or set that")
        return value


def _model() -> type[Settings]:
    """Return the settings with the keys of each service of the map."""
    fields: dict[str, Any] = {}
    for service in SERVICES:
        field = _FIELDS[service.name]
        fields[field] = (keys_of(service), ...)
        fields[f"{field}_secrets"] = (
            dict[SecretName, Annotated[SecretStr, limits("a secret string")]],
            Field(default={}, description="What the pods find as files in /run/secrets/app, by name; all secrets."),
        )
        if service.owns_database:
            fields[f"{field}_database_password"] = (
                Annotated[SecretStr, limits("a secret string")],
                Field(default="", description="Password for a database of kind `managed`; a secret."),
            )
    return create_model("Settings", __base__=Settings, **fields)


_MODEL = _model()


def load() -> Settings:
    """Return the settings of the stack that runs.

    Raises:
        SettingsError: with every wrong key of the project's namespace; other namespaces are not looked at.
    """
    prefix = f"{pulumi.get_project()}:"
    raw = {key.removeprefix(prefix): value for key, value in CONFIG.get().items() if key.startswith(prefix)}
    return parse(raw, secrets={key for key in raw if is_config_secret(prefix + key)}, prefix=prefix)


def parse(raw: Mapping[str, str], *, secrets: Collection[str], prefix: str = "") -> Settings:
    """Return the settings that `raw` holds: texts as such, everything else as JSON, which is how the engine sends it.

    Args:
        raw: Values by key.
        secrets: Keys whose value is encrypted in the stack's file, wholly or in part.
        prefix: What error messages put before each key.

    Raises:
        SettingsError: with every wrong key.
    """
    settings = None
    problems = list(_misplaced_secrets(raw, secrets))
    values = {key: _decoded(key, text) for key, text in raw.items()}
    # Pulumi.yaml has an object here, as for each key; an empty one is none.
    if values.get("gateway") == {}:
        del values["gateway"]
    try:
        # From JSON rather than from Python values, as only then may an array become a tuple although types are strict.
        settings = _MODEL.model_validate_json(json.dumps(values), context=_pins(values))
    except ValidationError as error:
        problems += config_schema.problems(schema(), error.errors(include_url=False), hidden={*SECRETS, *secrets})
    if settings and not problems:
        problems += settings.contradictions()
    if settings and not problems:
        return settings
    first = problems[0].path
    secret = "--secret " if first.partition(".")[0] in SECRETS else ""
    places = "1 place" if len(problems) == 1 else f"{len(problems)} places"
    raise SettingsError(
        "\n".join(
            [
                f"the configuration is wrong in {places}; nothing was touched:",
                *(f"  {prefix}{problem.path} {problem.text}" for problem in problems),
                f"Set a value with `pulumi config set {secret}--path '{prefix}{first}' VALUE`,",
                "take a key out with `pulumi config rm --path KEY`, or edit the stack's Pulumi.<stack>.yaml;",
                "keys of a service that is gone stand in Pulumi.yaml too. README.md lists all keys.",
            ]
        )
    )


def _decoded(key: str, text: str) -> Any:
    fields = {field.alias: field for field in _MODEL.model_fields.values()}
    if key not in fields or fields[key].annotation in (str, SecretStr):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _misplaced_secrets(raw: Mapping[str, str], secrets: Collection[str]) -> Iterator[Problem]:
    for key in SECRETS:
        if raw.get(key) not in (None, "", "{}") and key not in secrets:
            yield Problem(key, "must be encrypted, found plain text")
    for key in sorted(set(secrets) - set(SECRETS)):
        yield Problem(key, f"must not hold a secret, which it would not keep; only {', '.join(SECRETS)} do")


def _pins(values: Mapping[str, Any]) -> Pins:
    """Return what the two keys about images say; one that is wrong is reported by itself, and holds up nothing else."""
    try:
        digests = read_lock(values["imageLock"]) if values.get("imageLock") else {}
    except (TypeError, ValueError):
        return Pins(tags_will_do=True)
    return Pins(digests=digests, tags_will_do=values.get("allowMutableTags", False) is not False)


@cache
def schema() -> Mapping[str, Any]:
    """Return the JSON schema of all keys."""
    return _MODEL.model_json_schema()
