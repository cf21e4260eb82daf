"""The product's app with instruments that do nothing, to measure what the real ones cost."""

import chassis


class _Nothing:
    """A gauge."""

    def inc(self) -> None:
        pass

    def dec(self) -> None:
        pass


class _NoMetrics:
    def __init__(self, _version: str) -> None:
        self.in_progress = _Nothing()

    def answered(self, *_what: object) -> None:
        pass


setattr(chassis, "Metrics", _NoMetrics)  # noqa: B010  not a name that the package gives out

from webapp.wsgi import app  # noqa: E402  loads the app, which has to find the instruments replaced

__all__ = ["app"]
