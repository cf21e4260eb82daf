"""What Kubernetes and OCI registries accept as a name, a quantity or an image reference.

Pure functions that return the value, or raise `ValueError` with the rule and the value found. `settings.py` and the
components' args share them, so that a rule is written once. The messages do not name the key or field, which the caller
knows: `field` puts it before them.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_QUANTITY = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<suffix>m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_REGISTRY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}")
_IMAGE = re.compile(
    r"([^\s:@/]+(:[0-9]+)?/)?[^\s:@]+(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)

_PORTS = {"http": 80, "https": 443}

_ADDED = len("-secrets-1a2b3c4d")
"""The longest that a component adds: a suffix of its own, and what Pulumi adds to a name that has to be new."""

_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{letter: Decimal(1000) ** (power + 1) for power, letter in enumerate("kMGTPE")},
    **{f"{letter}i": Decimal(1024) ** (power + 1) for power, letter in enumerate("KMGTPE")},
}

DNS_LABEL = "lower-case letters, digits and hyphens, at most 63, with a letter or digit at both ends"
DNS_NAME = "a DNS name in lower case, such as shop.example.com, or an IP address"
ENV_NAME = "letters, digits and underscores, not starting with a digit"
LABEL = "a Kubernetes label"
QUANTITY = "a positive Kubernetes quantity such as 250m, 0.5, 64Mi or 1Gi"
REGISTRY = "host[:port][/path] without a scheme, such as registry.example.com:5000/team"
NETWORKS = "a list of at least 1 network in CIDR notation, such as 10.0.0.0/8 or 192.0.2.7/32"
PINNED = "an image with a digest, such as registry.example.com/team/webapp@sha256:..."
URL = "an http or https URL, such as https://hooks.example.com/on-call"
SECRET_NAME = "letters, digits, dots, hyphens and underscores, at most 253, as it becomes a file's name"  # noqa: S105
IMAGE = "an image with a digest or a tag other than latest, such as registry.example.com/base/python:3.11"


def field(name: str, check: Callable[[T], object], value: T) -> None:
    """Let `check` see the `value` of the field `name`, and name the field in its error."""
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def dns_label(value: str) -> str:
    """Return `value` if it is a DNS label (RFC 1123), which names of namespaces and services must be."""
    return _matching(_DNS_LABEL, value, DNS_LABEL)


def dns_name(value: str) -> str:
    """Return `value` if it is a DNS name (RFC 1123)."""
    return _matching(_DNS_NAME, value, DNS_NAME)


def env_name(value: str) -> str:
    """Return `value` if a shell can refer to an environment variable of this name (IEEE 1003.1, section 8.1)."""
    return _matching(_ENV_NAME, value, ENV_NAME)


def labels(value: Mapping[str, str]) -> Mapping[str, str]:
    """Return `value` if each key and value is a label that the API server accepts."""
    for key, content in value.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(content):
            raise ValueError(f"must be {LABEL}, found {key}: {content!r}")
    return value


def registry(value: str) -> str:
    """Return `value` if image names can begin with it."""
    return _matching(_REGISTRY, value, REGISTRY)


def image(value: str) -> str:
    """Return `value` if it names one image: by digest, or by a tag that is not `latest`."""
    found = _IMAGE.fullmatch(value)
    if not found or (not found["digest"] and found["tag"] in (None, "latest")):
        raise ValueError(f"must be {IMAGE}, found {value!r}")
    return value


def pinned_image(value: str) -> str:
    """Return `value` if it names one image by its digest."""
    found = _IMAGE.fullmatch(value)
    if not found or not found["digest"]:
        raise ValueError(f"must be {PINNED}, found {value!r}")
    return value


def networks(value: Sequence[str]) -> Sequence[str]:
    """Return `value` if each item is a network in CIDR notation whose host bits are zero, as the API server asks."""
    for item in value:
        try:
            ipaddress.ip_network(item)
        except ValueError as error:
            raise ValueError(f"must be {NETWORKS}, found {item!r} ({error})") from error
        if "/" not in item:
            raise ValueError(f"must be {NETWORKS}, found {item!r}")
    return value


def port_of(url: str) -> int:
    """Return the port of an http or https `url`: the one that stands there, or the scheme's own."""
    try:
        parts = urlsplit(url)
        if parts.scheme in _PORTS and parts.hostname:
            return parts.port or _PORTS[parts.scheme]
    except ValueError:
        pass
    raise ValueError(f"must be {URL}, found {url!r}")


def known_port(name: str, ports: Collection[str]) -> None:
    """Refuse the `name` of a port that is none of `ports`."""
    if name not in ports:
        raise ValueError(f"must be a declared port ({', '.join(sorted(ports))}), found {name!r}")


def secret_name(value: str) -> str:
    """Return `value` if it can be a key of a Secret, and so the name of a file in a pod."""
    return _matching(_SECRET_NAME, value, SECRET_NAME)


def component_name(value: str) -> str:
    """Return `value` if it is a DNS label that leaves room for what the component adds to it for its objects' names."""
    rule = f"lower-case letters, digits and hyphens, at most {63 - _ADDED}, with a letter or digit at both ends"
    if len(value) > 63 - _ADDED:
        raise ValueError(f"must be {rule}, found {value!r} ({len(value)})")
    return _matching(_DNS_LABEL, value, rule)


def quantity(value: str) -> Decimal:
    """Return the number that a resource quantity such as `250m` or `64Mi` stands for; zero is refused."""
    found = _QUANTITY.fullmatch(value)
    if not found or not Decimal(found["number"]):
        raise ValueError(f"must be {QUANTITY}, found {value!r}")
    return Decimal(found["number"]) * _SUFFIXES[found["suffix"] or ""]


def within(request: str, limit: str) -> None:
    """Refuse a request above its limit: the API server would refuse the pods, minutes after the Deployment."""
    if quantity(request) > quantity(limit):
        raise ValueError(f"must not be above the limit of {limit}, found {request}")


def number(value: float, least: float, most: float) -> float:
    """Return `value` if it is within both bounds."""
    if not least <= value <= most:
        raise ValueError(f"must be a number from {least} to {most}, found {value}")
    return value


def environment(variables: Mapping[str, str], reserved: Collection[str]) -> None:
    """Refuse names that no environment can hold, or that are `reserved` as component or image sets them."""
    for name in variables:
        env_name(name)
        if name in reserved:
            raise ValueError(f"must not set {name}: the component or the image sets it itself")


def _matching(pattern: re.Pattern[str], value: str, rule: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"must be {rule}, found {value!r}")
    return value
