"""The stack's configuration: the only reader of `Pulumi.<stack>.yaml`.

`load` gives frozen, validated settings, or raises one error that names every wrong key, what it may be and what was
found, before any resource is registered. The engine checks `Pulumi.yaml`'s types before that, but stops at the first
key and does not show the value; there, the keys are therefore few and mostly objects, and what is in them is checked
here.

It decides nothing: which components there are, and what they get, stands in `__main__.py`.
"""

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.alias_generators import to_camel

import config_schema
from components import checks
from components.exposure import ServiceType
from components.image import Builder, Platform, check_docker_builder
from components.web_service import RESERVED

PASSWORD = "registryPassword"  # noqa: S105 - the key, not a password
"""The one key that may, and must, hold a secret."""


class SettingsError(pulumi.RunError):
    """The configuration is wrong; the message names every wrong key. Pulumi prints it without a traceback."""


def _limits(text: str) -> Any:
    """Keep the words for what a value may be; error messages and the reference in README.md use them."""
    return Field(json_schema_extra={"limits": text})


def _quantity(value: str) -> str:
    checks.quantity(value)
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
_RELEASE = "1 to 128 letters, digits, dots, hyphens, underscores or plus signs"
_DURATION = "a whole number with a unit (s, m, h, d, w, y), such as 12h or 1d"

DnsLabel = Annotated[str, AfterValidator(checks.dns_label), _limits(checks.DNS_LABEL)]
EnvName = Annotated[str, AfterValidator(checks.env_name), _limits(checks.ENV_NAME)]
ImageReference = Annotated[str, AfterValidator(checks.image), _limits(checks.IMAGE)]
Quantity = Annotated[str, AfterValidator(_quantity), _limits(checks.QUANTITY)]
Port = Annotated[int, Field(ge=1, le=65535)]
UnprivilegedPort = Annotated[int, Field(ge=1024, le=65535)]
ScrapeInterval = Annotated[int, Field(ge=1, le=300)]


class _Keys(BaseModel):
    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_default=True,
        hide_input_in_errors=True,
    )


class Cluster(_Keys):
    """`cluster`: where the stack is deployed to."""

    context: Annotated[
        str, Field(min_length=1, description="Context of the kubeconfig."), _limits("a context of the kubeconfig")
    ]
    kubeconfig: str | None = Field(
        default=None, description="Path of the kubeconfig; default: `KUBECONFIG`, `~/.kube/config`."
    )
    namespace: DnsLabel = Field(description="Namespace of the stack; made and destroyed with it.")

    @field_validator("kubeconfig")
    @classmethod
    def _exists(cls, value: str | None) -> str | None:
        if value is not None and not Path(value).expanduser().is_file():
            raise ValueError(f"must be the path of a kubeconfig, found {value!r}, which is no file")
        return value


class Registry(_Keys):
    """`registry`: where images are pushed to, and pulled from."""

    address: Annotated[str, AfterValidator(checks.registry), _limits(checks.REGISTRY)] = Field(
        description="Registry, with a path if repositories are to be made below one."
    )
    username: str | None = Field(
        default=None, min_length=1, description=f"User to log in as, with `{PASSWORD}`; default: no login."
    )


class Build(_Keys):
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
    ca_certificates: Annotated[str, AfterValidator(_readable_certificates), _limits(_CERTIFICATES)] | None = Field(
        default=None, description="CA certificates that builds trust instead of their image's own, for `buildkit`."
    )

    @field_validator("builder_name", "platforms", "ca_certificates")
    @classmethod
    def _suits_builder(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("builder") == "docker" and info.field_name:
            check_docker_builder(info.field_name, value)
        return value


class Resources(_Keys):
    """`resources`: what one pod asks for, and may take at most."""

    # Limits first: a request is compared with its limit, and a validator sees only the fields before its own.
    cpu_limit: Quantity = Field(default="1", description="CPU that a pod may use.")
    cpu_request: Quantity = Field(default="50m", description="CPU that is kept for a pod; not above `cpuLimit`.")
    memory_limit: Quantity = Field(default="256Mi", description="Memory above which a pod is killed.")
    memory_request: Quantity = Field(
        default="96Mi", description="Memory that is kept for a pod; not above `memoryLimit`."
    )

    @field_validator("cpu_request", "memory_request")
    @classmethod
    def _within_limit(cls, value: str, info: ValidationInfo) -> str:
        limit = info.data.get((info.field_name or "").replace("request", "limit"))
        if limit is not None:
            checks.within(value, limit)
        return value


class WebService(_Keys):
    """A service that answers HTTP; one key a service."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._+-]{1,128}$"), _limits(_RELEASE)] = Field(
        default="dev", description="Release that the service shows as its own."
    )
    replicas: int = Field(default=3, ge=1, le=100, description="Pods.")
    port: UnprivilegedPort = Field(default=8080, description="Port of the container.")
    metrics_port: UnprivilegedPort = Field(
        default=9102, description="Port of the container for metrics; another than `port`."
    )
    service_port: Port = Field(default=80, description="Port of the Service.")
    service_type: ServiceType = Field(default="ClusterIP", description="How the Service is reached.")
    timeout_seconds: int = Field(
        default=120, ge=10, le=3600, description="Time in which the pods must be ready, else the update has failed."
    )
    resources: Resources = Resources()
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe level logged."
    )
    config: dict[EnvName, str] = Field(default={}, description="Further environment variables; not for secrets.")

    @field_validator("metrics_port")
    @classmethod
    def _another_port(cls, value: int, info: ValidationInfo) -> int:
        if value == info.data.get("port"):
            raise ValueError(f"must not be port, found {value} for both")
        return value

    @field_validator("config")
    @classmethod
    def _not_reserved(cls, value: dict[str, str]) -> dict[str, str]:
        checks.environment(value, RESERVED)
        return value


class PrometheusServer(_Keys):
    """`monitoring` of kind `prometheus`: a server of the stack's own."""

    kind: Literal["prometheus"]
    image: ImageReference = Field(description="Image of Prometheus.")
    retention: Annotated[str, Field(pattern=r"^[1-9][0-9]*[smhdwy]$"), _limits(_DURATION)] = Field(
        default="1d", description="How long samples are kept."
    )
    scrape_interval_seconds: ScrapeInterval = Field(default=5, description="Time between two scrapes.")
    service_type: ServiceType = Field(default="ClusterIP", description="How the server is reached.")


class PrometheusOperator(_Keys):
    """`monitoring` of kind `operator`: ServiceMonitors for a Prometheus Operator in the cluster."""

    kind: Literal["operator"]
    labels: Annotated[dict[str, str], AfterValidator(checks.labels), _limits("an object of Kubernetes labels")] = Field(
        default={}, description="Labels that the cluster's Prometheus selects ServiceMonitors by."
    )
    scrape_interval_seconds: ScrapeInterval = Field(default=15, description="Time between two scrapes.")


class Settings(_Keys):
    """All keys of a stack."""

    environment: DnsLabel = Field(description="Name of the environment, which people see in labels and pages.")
    cluster: Cluster
    registry: Registry
    registry_password: Annotated[
        SecretStr,
        Field(default="", description="Password for `registry.username`; a secret."),
        _limits("a secret string"),
    ]
    build: Build
    webapp: WebService
    monitoring: PrometheusServer | PrometheusOperator = Field(
        discriminator="kind",
        description="Who scrapes: a server of the stack's own, or the cluster's Prometheus Operator.",
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
    try:
        # From JSON rather than from Python values, as only then may an array become a tuple although types are strict.
        settings = Settings.model_validate_json(json.dumps({key: _decoded(key, text) for key, text in raw.items()}))
    except ValidationError as error:
        problems += _problems(error, secrets)
    if settings and not problems:
        return settings
    first = problems[0].path
    secret = "--secret " if first == PASSWORD else ""
    places = "1 place" if len(problems) == 1 else f"{len(problems)} places"
    raise SettingsError(
        "\n".join(
            [
                f"the configuration is wrong in {places}; nothing was touched:",
                *(f"  {prefix}{problem.path} {problem.text}" for problem in problems),
                f"Set a value with `pulumi config set {secret}--path '{prefix}{first}' VALUE`,",
                "take a key out with `pulumi config rm --path KEY`, or edit the stack's Pulumi.<stack>.yaml;",
                "README.md lists all keys.",
            ]
        )
    )


@dataclass(frozen=True)
class _Problem:
    path: str
    text: str


def _decoded(key: str, text: str) -> Any:
    fields = {field.alias: field for field in Settings.model_fields.values()}
    if key not in fields or fields[key].annotation in (str, SecretStr):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _misplaced_secrets(raw: Mapping[str, str], secrets: Collection[str]) -> Iterator[_Problem]:
    if raw.get(PASSWORD) and PASSWORD not in secrets:
        yield _Problem(PASSWORD, "must be encrypted, found plain text")
    for key in sorted(set(secrets) - {PASSWORD}):
        yield _Problem(key, f"must not hold a secret, which it would not keep; only {PASSWORD} does")


def _problems(error: ValidationError, secrets: Collection[str]) -> Iterator[_Problem]:
    schema = Settings.model_json_schema()
    errors = error.errors(include_url=False)
    for one in errors:
        loc = one["loc"]
        if any(other["loc"][: len(loc)] == loc != other["loc"] for other in errors):
            continue  # A list with a wrong item is reported as too short as well, which it is not.
        path, part = config_schema.locate(schema, loc[:-1] if one["type"] == "extra_forbidden" else loc)
        match one["type"]:
            case "missing":
                text = f"is missing; it must be {config_schema.limits(schema, part)}"
            case "extra_forbidden":
                path, known = config_schema.step(path, str(loc[-1])), list(part["properties"])
                close = difflib.get_close_matches(str(loc[-1]), known, n=1)
                text = f"is no key; did you mean {close[0]}?" if close else f"is no key; known are {', '.join(known)}"
            case "union_tag_invalid" | "union_tag_not_found":
                name, kinds = part["discriminator"]["propertyName"], part["discriminator"]["mapping"]
                path, found = config_schema.step(path, name), one["input"].get(name)
                text = "is missing; it must be" if found is None else "must be"
                text += f" one of {', '.join(kinds)}" + ("" if found is None else f", found {_shortened(found)}")
            case "value_error":
                text = str(one["ctx"]["error"])
            case _:
                text = f"must be {config_schema.limits(schema, part)}, found {_shortened(one['input'])}"
        hidden = path.partition(".")[0] in {PASSWORD, *secrets}
        yield _Problem(path, text.partition(", found ")[0] if hidden else text)


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
