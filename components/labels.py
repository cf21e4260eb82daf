"""The recommended `app.kubernetes.io/*` labels, and who owns an object in which environment, from one place.

Source of the keys and their meaning: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/.
`version` is left out on purpose: as a label it would change objects, and roll pods, that did not change otherwise, and
the image's digest already says exactly what runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from components import checks

_PREFIX = "app.kubernetes.io"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Labels of everything that one stack declares."""

    part_of: str
    """The system that all of it belongs to, such as `cloudnative`."""

    instance: str
    """This installation of the system, such as `cloudnative-dev`."""

    owner: str
    """Team to ask about it; label `owner`."""

    environment: str
    """Environment it belongs to; label `environment`, which people read and policies go by."""

    def __post_init__(self) -> None:
        """Refuse values that are no labels."""
        checks.labels(self.of("name", "component"))

    def of(self, name: str, component: str) -> Mapping[str, str]:
        """Return the labels of one object: the service `name` it serves and the `component` it is of it."""
        return {
            **self.selector(name),
            f"{_PREFIX}/component": component,
            f"{_PREFIX}/part-of": self.part_of,
            f"{_PREFIX}/managed-by": "pulumi",
            "owner": self.owner,
            "environment": self.environment,
        }

    def selector(self, name: str) -> Mapping[str, str]:
        """Return the labels by which the pods of `name` are found; a Deployment can never change them again."""
        return {f"{_PREFIX}/name": name, f"{_PREFIX}/instance": self.instance}
