"""Which image a name means: pinned to its digest by a lock, refused when a tag could mean another one tomorrow.

A lock is a JSON file with an object of digests (`sha256:…`) by tagged image, such as the embedded platform keeps of the
images that it makes. It is read here; who wrote it, and when, is not asked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components import checks

LOCK = "the path of a readable JSON file with an object of digests (sha256:…) by tagged image"


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What is known beside an image's name."""

    digests: Mapping[str, str] = field(default_factory=dict)
    """By tagged image."""

    tags_will_do: bool = False
    """Whether a tag will do where there is no digest for it."""

    def pinned(self, image: str) -> str:
        """Return `image` with its digest, if one is known or it has one; raises `ValueError` where it must."""
        checks.image(image)
        if "@" in image:
            return image
        if image in self.digests:
            return f"{image}@{self.digests[image]}"
        if self.tags_will_do:
            return image
        raise ValueError(
            f"must have a digest (…@sha256:…), because a tag can be another image tomorrow, found {image!r}; "
            "or list it in imageLock; or, where nothing depends on the stack, set allowMutableTags"
        )


def read_lock(path: str) -> Mapping[str, str]:
    """Return what the lock `path` says; raises `ValueError` when it says nothing of the kind."""
    try:
        found: dict[str, str] = json.loads(Path(path).read_text(encoding="utf-8"))
        for name, digest in found.items():
            checks.pinned_image(f"{name}@{digest}")
    except (AttributeError, OSError, ValueError) as error:
        raise ValueError(f"must be {LOCK}, found {path!r} ({error})") from error
    return found
