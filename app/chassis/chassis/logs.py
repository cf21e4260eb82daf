"""Logs: one JSON object a line on stdout, gunicorn's and Flask's as well as the app's own.

Everything goes through the standard library's logging and leaves it by one formatter, so that a library's line looks
like the app's. Every line has ``timestamp`` (UTC), ``level``, ``logger`` and ``event``; within a request also
``request_id`` and ``trace_id``. Tracebacks are rendered without the values of local variables, which may be secret.
"""

import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

_QUERY = re.compile(r"\?.+", re.DOTALL)
_QUOTED = re.compile(r"['\"].+", re.DOTALL)


def without_client_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut what may be a client's secret out of a library's message.

    gunicorn names the URI of a request that failed, and quotes the line or header of a malformed one.
    """
    message = _QUERY.sub("?[redacted]", event["event"])
    if message.startswith("Invalid request"):
        message = _QUOTED.sub("[redacted]", message)
    event["event"] = message
    return event


_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure() -> None:
    """Send structlog's loggers to the standard library's; once a process, before the first line."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def dict_config(level: str) -> dict[str, Any]:
    """Configure the standard library's side, for ``logging.config.dictConfig`` and gunicorn's ``logconfig_dict``.

    Args:
        level: the least severe level that is written: debug, info, warning or error.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_PROCESSORS, without_client_text],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"},
        },
        "root": {"level": level.upper(), "handlers": ["stdout"]},
        "loggers": {
            "gunicorn.error": {"level": level.upper(), "handlers": [], "propagate": True},
            # The app logs requests itself, with their route and id; gunicorn's line would show the query string.
            "gunicorn.access": {"level": "CRITICAL"},
            # It has a line, or a traceback, for each attempt to export; the app sums up what failed.
            "opentelemetry": {"level": "CRITICAL"},
            # They have lines for each request, with its path and query string; the app notes what fails.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }
