"""The id by which one request is found again in the logs of every service that it went through."""

import re
import uuid

HEADER = "X-Request-ID"

_VALID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(received: str | None) -> str:
    """Take the id that the client sent, if it is 1 to 64 letters, digits, '.', '_' or '-'; make one otherwise.

    Anything else is replaced and not repaired: it goes into log lines and a response header.
    """
    if received is not None and _VALID.fullmatch(received):
        return received
    return uuid.uuid4().hex
