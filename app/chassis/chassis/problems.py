"""Errors under /api as problem details (RFC 9457), so that a program never has to read an HTML page.

Elsewhere errors stay Flask's own short pages. An unexpected exception shows its text to nobody: it is in the log,
under the request id that the answer gives.
"""

import json
from collections.abc import Mapping
from typing import Any

from flask import Flask, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

CONTENT_TYPE = "application/problem+json"


def describe(app: Flask) -> None:
    """Answer every error under /api with problem details."""

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> HTTPException | Response:
        return response(error) if f"{request.path}/".startswith("/api/") else error


def response(error: HTTPException, more: Mapping[str, Any] | None = None) -> Response:
    """Return the problem details of an error, with ``more`` members where there is more to say."""
    # Werkzeug's response and not a new one: it has the headers that belong to the status, such as Allow.
    made = error.get_response()
    made.content_type = CONTENT_TYPE
    made.set_data(
        json.dumps(
            {
                "type": "about:blank",
                "title": error.name,
                "status": error.code,
                "detail": error.description,
                "request_id": g.request_id,
                **(more or {}),
            }
        )
    )
    return made
