"""The product's app with instruments that do nothing, to measure what the real ones cost."""

import webapp


class _Nothing:
    """Any instrument."""

    def labels(self, **_labels: object) -> "_Nothing":
        return self

    def inc(self) -> None:
        pass

    def dec(self) -> None:
        pass

    def observe(self, _value: float) -> None:
        pass


class _NoMetrics:
    def __init__(self, _version: str) -> None:
        self.requests = self.duration = self.in_progress = _Nothing()


setattr(webapp, "Metrics", _NoMetrics)  # noqa: B010  not a name that the package gives out

from webapp.wsgi import app  # noqa: E402  loads the app, which has to find the instruments replaced

__all__ = ["app"]
