"""Names that say what is in an object: changed content makes a new object, and what refers to it follows.

So changed configuration rolls the pods, old pods keep what they were started with, and the same content has the same
name in every cluster. Not for secrets, whose hash would give away those that can be guessed.
"""

import hashlib
import json
from collections.abc import Mapping


def named_after(prefix: str, data: Mapping[str, str]) -> str:
    """Return `prefix` with 8 hexadecimal digits of the hash of `data`."""
    return f"{prefix}-{hashlib.sha256(json.dumps(dict(data), sort_keys=True).encode()).hexdigest()[:8]}"
