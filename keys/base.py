"""What all keys of the configuration have in common, and what single values may be."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic.alias_generators import to_camel

from components import checks, objective
from image_lock import Pins


def limits(text: str) -> Any:
    """Keep the words for what a value may be; error messages and the reference in README.md use them."""
    return Field(json_schema_extra={"limits": text})


def _pinned(value: str, info: ValidationInfo) -> str:
    return info.context.pinned(value) if isinstance(info.context, Pins) else checks.image(value)


def _quantity(value: str) -> str:
    checks.quantity(value)
    return value


DnsLabel = Annotated[str, AfterValidator(checks.dns_label), limits(checks.DNS_LABEL)]
DnsName = Annotated[str, AfterValidator(checks.dns_name), limits(checks.DNS_NAME)]
EnvName = Annotated[str, AfterValidator(checks.env_name), limits(checks.ENV_NAME)]
ImageReference = Annotated[str, AfterValidator(_pinned), limits(checks.IMAGE)]
PinnedImage = Annotated[str, AfterValidator(checks.pinned_image), limits(checks.PINNED)]
Networks = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(checks.networks), limits(checks.NETWORKS)]
SecretName = Annotated[str, AfterValidator(checks.secret_name), limits(checks.SECRET_NAME)]
Quantity = Annotated[str, AfterValidator(_quantity), limits(checks.QUANTITY)]
Port = Annotated[int, Field(ge=1, le=65535)]
UnprivilegedPort = Annotated[int, Field(ge=1024, le=65535)]
ScrapeInterval = Annotated[int, Field(ge=1, le=300)]
Percent = Annotated[float, AfterValidator(objective.percent), limits(objective.PERCENT)]


class Keys(BaseModel):
    """A group of keys: nothing is taken for what it is not, and nothing is there that nobody reads."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_default=True,
        hide_input_in_errors=True,
    )
