"""What there is to see of a call between two services, from the caller's side: panels, and an alert.

The caller counts: a callee that is not there counts nothing. What a caller does then is its own matter; here it is
only told.
"""

from components.panels import Panel, Query, Section
from components.rules import Alert, Group
from components.scrape_config import ScrapeTarget

REQUESTS = "http_client_requests_total"
"""Counter of calls, each with its retries, with labels `callee` and `outcome`: `success`, or what went wrong."""

DURATION = "http_client_request_duration_seconds"
"""Histogram of their durations, in seconds, with a label `callee`."""

FAILING = 0.05
"""Share of failed calls that is told. A starting point of this project's own."""


def group(target: ScrapeTarget, callee: str) -> Group:
    """Return the alert of the calls of the service `target` to `callee`."""
    matchers = f'{target.matchers},callee="{callee}"'
    by = "sum by (namespace, service, callee)"
    failed = f'{by} (rate({REQUESTS}{{{matchers},outcome!="success"}}[5m]))'
    return Group(
        name=f"{target.name}-calls-{callee}",
        about=target.about,
        rules=[
            Alert(
                name="CallsFailing",
                expr=f"{failed} / ({by} (rate({REQUESTS}{{{matchers}}}[5m])) > 0) > {FAILING}",
                for_seconds=120,
                severity="ticket",
                summary=f"Calls of {target.name} to {callee} fail",
                description=(
                    f"{{{{ $value | humanizePercentage }}}} of the calls of {target.name} to {callee} failed over the "
                    f"last 5 minutes, retries included, and so for 2 minutes: {target.name} does without."
                ),
            )
        ],
    )


def section(target: ScrapeTarget, callee: str) -> Section:
    """Return what there is to look at of the calls of the service `target` to `callee`."""
    matchers = f'{target.matchers},callee="{callee}"'
    buckets = f"sum by (le) (rate({DURATION}_bucket{{{matchers}}}[1m]))"
    return Section(
        title=f"Calls to {callee}",
        panels=[
            Panel(
                title=f"Calls to {callee} by outcome",
                unit="requests/s",
                queries=[
                    Query(expr=f"sum by (outcome) (rate({REQUESTS}{{{matchers}}}[1m]))", legend="{{outcome}}"),
                ],
                description="Calls a second, each with its retries, over the last minute.",
            ),
            Panel(
                title=f"Durations of calls to {callee}",
                unit="s",
                queries=[
                    Query(expr=f"histogram_quantile({quantile}, {buckets})", legend=f"{float(quantile):.0%}")
                    for quantile in ("0.5", "0.99")
                ],
                description="Time within which so many calls were over, retries included; an estimate.",
            ),
        ],
    )
