"""The trace that a request belongs to: its id, on every log line, and a span, where one is asked for.

The id is the caller's, by W3C Trace Context (https://www.w3.org/TR/trace-context/), so that what one request caused can
be found in the logs of every service, whether or not spans are collected. Spans are ``spans``'s business, which is
imported only where they are exported: its libraries take longer to load than all the rest of the app.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from flask import Flask, current_app, g, request

from chassis.config import Config

HEADER = "traceparent"

# Version 00 has four parts; a later one may have more, and ff is none. An id of zeros is none either.
_VALID = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace_id>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)


def traceparent(received: str | None) -> str:
    """Take the ``traceparent`` that the client sent, if that is valid; begin a trace otherwise."""
    found = _VALID.fullmatch(received or "")
    if received and found and not (found["version"] == "00" and found["more"]):
        return received
    # Sampled, so that those who are called export what they would have exported if nothing had come along.
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"


def observe(app: Flask, config: Config) -> None:
    """Put the trace's id on the log lines of every request to ``app``, and export spans if ``config`` says where to.

    Call after ``access.observe``, which clears what the log lines of the request before had.
    """

    @app.before_request
    def identify() -> None:
        g.traceparent = traceparent(request.headers.get(HEADER))
        structlog.contextvars.bind_contextvars(trace_id=g.traceparent.split("-")[1])

    if config.otlp_endpoint:
        from chassis.spans import Spans  # noqa: PLC0415  see above

        app.extensions["spans"] = Spans(app, config, config.otlp_endpoint)


@contextmanager
def calling(callee: str) -> Iterator[Mapping[str, str]]:
    """Give the headers by which what ``callee`` does belongs to the request's trace.

    Where spans are exported, they tell of a span that lasts as long as the block.
    """
    spans = current_app.extensions.get("spans")
    if spans:
        with spans.calling(callee) as headers:
            yield headers
    else:
        yield {HEADER: g.traceparent}


def stop(app: object) -> None:
    """Export what spans are left of the app that a worker has served, if it has any."""
    spans = app.extensions.get("spans") if isinstance(app, Flask) else None
    if spans:
        spans.stop()
