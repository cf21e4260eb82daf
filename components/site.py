"""Where a database is declared and for whom: what all of its parts go by."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import checks
from components.labels import Labels

_TAKEN = frozenset({"none", "postgres", "public", "template0", "template1"})
"""Names that PostgreSQL has for a role or a database of its own."""


_LONGEST = 63 - len("-connection-1a2b3c4d")
"""The longest name to which all that databases and migrations add can be added; a CronJob's may have 52 characters."""


def checked(name: str) -> str:
    """Return the name of a database or of its owner if its objects can be called after it."""
    if len(name) > _LONGEST:
        raise ValueError(f"must have at most {_LONGEST} characters, found {name!r} ({len(name)})")
    return checks.dns_label(name)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The namespace, the owner, and what is to become of the data in the end."""

    namespace: pulumi.Input[str]
    namespace_name: str
    """The same, known from the start: certificates and queries name it."""

    labels: Labels
    owner: str
    """The one service whose database it is; also the name of the database and of the role that owns it."""

    droppable: bool = False
    """Whether the data may be deleted: by a destroy, or by an update when it is not declared any more. Default: the
    preview of either fails; without a preview the data stays, and what uses it goes."""

    pull_secrets: Sequence[pulumi.Input[str]] = ()
    """Names of image pull secrets in the namespace. Default: the nodes can pull by themselves."""

    def __post_init__(self) -> None:
        """Refuse an owner whose name PostgreSQL would refuse."""
        checks.field("owner", checked, self.owner)
        if self.owner in _TAKEN:
            raise ValueError(
                f"owner must be none of {', '.join(sorted(_TAKEN))}, found {self.owner!r}: PostgreSQL has roles or "
                "databases of these names; rename the service"
            )
