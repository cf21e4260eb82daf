"""Service level objectives, and the rules that follow from one: how fast its error budget is spent, and who is told.

Method and figures are the SRE workbook's, "Alerting on SLOs", approach 6
(https://sre.google/workbook/alerting-on-slos/): an alert needs a long window, so that it is worth acting on, and a
short one of a twelfth, so that it ends when the cause does. Requests that never arrive are not seen here; for that
there is `alerts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from math import isfinite
from typing import Literal

from components import checks
from components.exported_metrics import ExportedMetrics
from components.rules import Alert, Group, Recording, Severity, duration
from components.scrape_config import ScrapeTarget

REQUESTS = "http_requests_total"
"""Counter of requests, with a label `status`."""

DURATION = "http_request_duration_seconds"
"""Histogram of their durations, in seconds."""

Goal = Literal["availability", "latency"]

RECORDS: dict[Goal, str] = {
    "availability": "service:http_request_errors:ratio_rate",
    "latency": "service:http_request_slow:ratio_rate",
}
"""Names of the recorded shares of bad requests, to which the window is added."""


@dataclass(frozen=True, kw_only=True)
class Burn:
    """One pair of windows: spending `rate` times as fast as the objective allows, over both, is told."""

    rate: Decimal
    long: int
    """Seconds."""

    short: int
    """Seconds."""

    severity: Severity


_HOUR, _DAY = 3600, 86_400

BURNS = (
    Burn(rate=Decimal("14.4"), long=_HOUR, short=300, severity="page"),
    Burn(rate=Decimal(6), long=6 * _HOUR, short=1800, severity="page"),
    Burn(rate=Decimal(3), long=_DAY, short=2 * _HOUR, severity="ticket"),
    Burn(rate=Decimal(1), long=3 * _DAY, short=6 * _HOUR, severity="ticket"),
)
"""The workbook's table: 2 % of a budget of 30 days in 1 h, 5 % in 6 h, and 10 % in 1 day or in 3 days."""

WINDOWS = tuple(sorted({window for burn in BURNS for window in (burn.long, burn.short)}))
SHORTEST = WINDOWS[0]
LOWEST_PERCENT = 100 * (1 - 1 / BURNS[0].rate)
"""Below this even the failure of every request would not burn fast enough for the first pair of windows: 93.06 %."""

PERCENT = f"above {LOWEST_PERCENT:.2f} and below 100, with at most 5 decimals"
"""What an objective's percentages may be."""


def percent(value: float) -> float:
    """Return `value` if it can be the share of requests that an objective asks for."""
    exact = Decimal(str(value))
    if not LOWEST_PERCENT < exact < 100 or exact != round(exact, 5):
        raise ValueError(
            f"must be {PERCENT}, found {value}: no alert could tell a lower one's loss, and 100 leaves no budget"
        )
    return value


DIVISOR = "a divisor of 300 that leaves the shortest window, 300 s, at least 4 scrapes long"
"""What the windows may be divided by."""


def check_divisor(value: int, *, interval: int) -> int:
    """Return `value` if windows divided by it can be measured by scrapes every `interval` seconds."""
    if value < 1 or SHORTEST % value or SHORTEST // value < 4 * interval:
        raise ValueError(f"must be {DIVISOR}, found {value} with a scrape every {interval} s")
    return value


def bucket(value: float, exported: ExportedMetrics) -> float:
    """Return `value` if it is a bound of the histogram of durations, in seconds: between bounds nothing is known."""
    bounds = [bound for bound in exported.buckets.get(DURATION, ()) if isfinite(bound)]
    if value not in bounds:
        known = ", ".join(f"{bound:g}" for bound in bounds) or "none"
        raise ValueError(f"must be a bucket of {DURATION} ({known}), found {value:g}; or give the service that bucket")
    return value


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What the users of a service are promised, over `days`: so many requests without a server's error, and so fast."""

    availability_percent: float = 99.9
    """Share of requests not answered with a status of 500 or above."""

    latency_percent: float = 99
    """Share of requests answered within `latency_seconds`."""

    latency_seconds: float = 0.25
    """A bound of the service's histogram: between bounds nothing is known."""

    days: int = 30
    """Days that the error budget is for."""

    def __post_init__(self) -> None:
        """Refuse what cannot be measured, or cannot be missed."""
        checks.field("availability_percent", percent, self.availability_percent)
        checks.field("latency_percent", percent, self.latency_percent)
        if self.days < 1:
            raise ValueError(f"days must be at least 1, found {self.days}")

    def check(self, exported: ExportedMetrics) -> None:
        """Refuse a latency that the service's histogram cannot tell."""
        checks.field("latency_seconds", partial(bucket, exported=exported), self.latency_seconds)

    def budget(self, goal: Goal) -> Decimal:
        """Return the share of requests that may be bad, such as 0.001."""
        asked = self.availability_percent if goal == "availability" else self.latency_percent
        return 1 - Decimal(str(asked)) / 100

    def promise(self, goal: Goal) -> str:
        """Return the goal in words."""
        if goal == "availability":
            return f"{self.availability_percent:g} % of requests without a server's error"
        return f"{self.latency_percent:g} % of requests within {self.latency_seconds:g} s"

    def bad_ratio(self, goal: Goal, target: ScrapeTarget, window: str) -> str:
        """Return the share of bad requests over `window`; nothing where there were no requests at all."""
        if goal == "availability":
            total = _rate(REQUESTS, target.matchers, window)
            errors = _rate(REQUESTS, f'{target.matchers},status=~"5.."', window)
            # A service that never failed has no series of errors.
            return f"({errors} or 0 * {total}) / ({total} > 0)"
        fast = _rate(f"{DURATION}_bucket", f'{target.matchers},le="{float(self.latency_seconds)}"', window)
        return f"1 - {fast} / ({_rate(f'{DURATION}_count', target.matchers, window)} > 0)"

    def budget_left(self, goal: Goal, target: ScrapeTarget, divisor: int) -> str:
        """Return the share of the error budget that is left: 1 is all, below 0 the promise is broken.

        The mean of the recorded ratios, which weighs each moment alike, however many requests it had: exact sums over
        weeks would cost Prometheus a second each time that somebody looks.
        """
        record = f"{RECORDS[goal]}{duration(SHORTEST)}{{{target.matchers}}}"
        return f"1 - avg_over_time({record}[{duration(self.days * _DAY // divisor)}]) / {self.budget(goal)}"

    def groups(self, target: ScrapeTarget, divisor: int) -> list[Group]:
        """Return the rules of both goals.

        Args:
            target: The service.
            divisor: What all windows are divided by, for a drill; 1 is the real thing. Names keep the real windows.
        """
        goals: list[Goal] = ["availability", "latency"]
        return [
            Group(
                name=f"{target.name}-{goal}",
                rules=[*self._recordings(goal, target, divisor), *self._alerts(goal, target)],
                about=target.about,
            )
            for goal in goals
        ]

    def _recordings(self, goal: Goal, target: ScrapeTarget, divisor: int) -> list[Recording]:
        return [
            Recording(
                name=f"{RECORDS[goal]}{duration(window)}",
                expr=self.bad_ratio(goal, target, duration(window // divisor)),
            )
            for window in WINDOWS
        ]

    def _alerts(self, goal: Goal, target: ScrapeTarget) -> list[Alert]:
        severities: list[Severity] = ["page", "ticket"]
        return [
            self._alert(goal, target, severity, [burn for burn in BURNS if burn.severity == severity])
            for severity in severities
        ]

    def _alert(self, goal: Goal, target: ScrapeTarget, severity: Severity, burns: Sequence[Burn]) -> Alert:
        def exceeded(window: int, burn: Burn) -> str:
            return f"{RECORDS[goal]}{duration(window)}{{{target.matchers}}} > {burn.rate} * {self.budget(goal)}"

        pairs = [f"({exceeded(burn.long, burn)} and {exceeded(burn.short, burn)})" for burn in burns]
        rates = " or ".join(f"{burn.rate} times (over {duration(burn.long)})" for burn in burns)
        bad = "answered with an error" if goal == "availability" else f"slower than {self.latency_seconds:g} s"
        return Alert(
            name=f"{goal.capitalize()}BudgetBurn",
            expr=" or ".join(pairs),
            severity=severity,
            summary=f"{target.name} spends its {goal} budget too fast",
            description=(
                f"{{{{ $value | humanizePercentage }}}} of requests are {bad}, where {self.promise(goal)} are promised "
                f"over {self.days} days: the budget goes more than {rates} as fast as it may."
            ),
        )


def _rate(metric: str, matchers: str, window: str) -> str:
    return f"sum by (namespace, service) (rate({metric}{{{matchers}}}[{window}]))"
