"""What there is to look at of a service: requests, errors, durations, saturation, and what is left of the budgets.

Said once, here, and shown twice: by `dashboards` in Grafana, by `console` in a page of Prometheus itself. Thresholds
and who is told of them are the rules' matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from components.alerts import throttled
from components.objective import DURATION, RECORDS, REQUESTS, SHORTEST, Goal, Objective
from components.rules import duration
from components.scrape_config import ScrapeTarget

Unit = Literal["requests/s", "share", "s", "bytes", "cores", "pods", "requests", "restarts"]


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query, and what its series are called."""

    expr: str
    legend: str
    """Text, in which `{{pod}}` stands for the label `pod`."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Some queries whose values have one unit."""

    title: str
    unit: Unit
    queries: Sequence[Query]
    description: str
    """What it tells, for somebody who sees it for the first time."""

    figure: bool = False
    """Whether the last value alone counts. Default: lines over time."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Panels that belong together."""

    title: str
    panels: Sequence[Panel]


def sections(target: ScrapeTarget, objective: Objective, divisor: int) -> list[Section]:
    """Return all that there is to look at of one service, whose container and Deployment have its name."""
    return [
        Section(title="Error budget", panels=_budget(target, objective, divisor)),
        Section(title="Requests", panels=_requests(target, objective)),
        Section(title="Saturation", panels=_saturation(target)),
    ]


def _budget(target: ScrapeTarget, objective: Objective, divisor: int) -> list[Panel]:
    goals: list[Goal] = ["availability", "latency"]
    return [
        Panel(
            title=f"{goal.capitalize()} budget left",
            unit="share",
            figure=True,
            queries=[Query(expr=objective.budget_left(goal, target, divisor), legend=goal)],
            description=f"Of what {objective.promise(goal)} over {objective.days} days allow. Below 0 it is broken.",
        )
        for goal in goals
    ]


def _requests(target: ScrapeTarget, objective: Objective) -> list[Panel]:
    recent = f"{duration(SHORTEST)}{{{target.matchers}}}"
    buckets = f"sum by (le) (rate({DURATION}_bucket{{{target.matchers}}}[1m]))"
    return [
        Panel(
            title="Requests by status",
            unit="requests/s",
            queries=[
                Query(expr=f"sum by (status) (rate({REQUESTS}{{{target.matchers}}}[1m]))", legend="{{status}}"),
            ],
            description="Answered requests a second, over the last minute. Probes are not counted.",
        ),
        Panel(
            title="Requests by route",
            unit="requests/s",
            queries=[
                Query(expr=f"sum by (route) (rate({REQUESTS}{{{target.matchers}}}[1m]))", legend="{{route}}"),
            ],
            description="The same, by the template of the route that answered.",
        ),
        Panel(
            title="Errors",
            unit="share",
            queries=[
                Query(expr=f"{RECORDS['availability']}{recent}", legend="failed"),
                Query(expr=f"{RECORDS['latency']}{recent}", legend=f"slower than {objective.latency_seconds:g} s"),
            ],
            description="Share of requests that count against a budget, over the last 5 minutes.",
        ),
        Panel(
            title="Durations",
            unit="s",
            queries=[
                Query(expr=f"histogram_quantile({quantile}, {buckets})", legend=f"{float(quantile):.0%}")
                for quantile in ("0.5", "0.95", "0.99")
            ],
            description="Time within which so many requests were answered; an estimate between the histogram's bounds.",
        ),
    ]


def of_gateway(namespace: str) -> Section:
    """Return what there is to look at of the way into a namespace's services, by the routes of its gateway."""
    of_routes = f'namespace="{namespace}"'

    def requests(by: str, more: str = "") -> str:
        return f"sum by ({by}) (rate(traefik_router_requests_total{{{of_routes}{more}}}[1m]))"

    def refused(code: str) -> str:
        return requests("route", f',code="{code}"')

    def within(quantile: str) -> str:
        buckets = f"rate(traefik_router_request_duration_seconds_bucket{{{of_routes}}}[1m])"
        return f"histogram_quantile({quantile}, sum by (route, le) ({buckets}))"

    return Section(
        title="Gateway",
        panels=[
            Panel(
                title="Requests through the gateway",
                unit="requests/s",
                queries=[Query(expr=requests("route, code"), legend="{{route}} {{code}}")],
                description="Requests a second by route and status, over the last minute; refused ones too.",
            ),
            Panel(
                title="Durations at the gateway",
                unit="s",
                queries=[
                    Query(expr=within(quantile), legend=f"{{{{route}}}} {float(quantile):.0%}")
                    for quantile in ("0.5", "0.99")
                ],
                description="Time within which so many requests were answered, services' included; an estimate.",
            ),
            Panel(
                title="Refused by the gateway",
                unit="requests/s",
                queries=[
                    # Also a line of nothing, where nothing was refused.
                    Query(expr=f"{refused(code)} or 0 * {requests('route')}", legend=f"{{{{route}}}} {why}")
                    for code, why in (("401", "no API key"), ("413", "too large"), ("429", "too many"))
                ],
                description="Requests a second that were answered with 401, 413 or 429, over the last minute.",
            ),
        ],
    )


def _saturation(target: ScrapeTarget) -> list[Panel]:
    of_container = f'namespace="{target.namespace}",container="{target.name}"'
    of_deployment = f'namespace="{target.namespace}",deployment="{target.name}"'
    return [
        Panel(
            title="In progress",
            unit="requests",
            queries=[
                Query(expr=f"sum by (pod) (http_requests_in_progress{{{target.matchers}}})", legend="{{pod}}"),
            ],
            description="Requests that are being answered at the moment of the scrape.",
        ),
        Panel(
            title="Pods",
            unit="pods",
            queries=[Query(expr=f"sum(up{{{target.matchers}}})", legend="scraped")],
            description="Pods that Prometheus reaches.",
        ),
        Panel(
            title="Rollout",
            unit="pods",
            queries=[
                Query(expr=f"kube_deployment_spec_replicas{{{of_deployment}}}", legend="asked for"),
                Query(expr=f"kube_deployment_status_replicas_available{{{of_deployment}}}", legend="available"),
            ],
            description="Pods that the Deployment asks for, and those that are ready for a while.",
        ),
        Panel(
            title="Restarts",
            unit="restarts",
            queries=[
                Query(
                    expr=f"increase(kube_pod_container_status_restarts_total{{{of_container}}}[1h])",
                    legend="{{pod}}",
                )
            ],
            description="Restarts of the service's containers within the last hour.",
        ),
        Panel(
            title="CPU",
            unit="cores",
            queries=[
                Query(
                    expr=f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{of_container}}}[1m]))",
                    legend="{{pod}}",
                )
            ],
            description="CPU in use, over the last minute.",
        ),
        Panel(
            title="CPU throttled",
            unit="share",
            queries=[
                Query(expr=throttled(of_container), legend="{{pod}}"),
            ],
            description="Share of periods in which a pod was held back at its CPU limit.",
        ),
        Panel(
            title="Memory",
            unit="bytes",
            queries=[
                Query(
                    expr=f"max by (pod) (container_memory_working_set_bytes{{{of_container}}})",
                    legend="{{pod}}",
                ),
                Query(
                    expr=f"max(container_spec_memory_limit_bytes{{{of_container}}})",
                    legend="limit",
                ),
            ],
            description="Memory that cannot be taken back, against the limit at which the container is killed.",
        ),
    ]
