"""Alerts that every service has beside its objective: it is not there, or it is about to run out of something.

Pure functions over a scrape target. Each names the metrics that it needs, and is left out where those have no source.
The thresholds are starting points of this project's own; a page is for what users feel, everything else is a ticket.
"""

from components.rules import Alert, Group
from components.scrape_config import ScrapeTarget

_MINUTE = 60


def group(target: ScrapeTarget) -> Group:
    """Return the alerts of one service, whose container has the service's name."""
    up = f"up{{{target.matchers}}}"
    of_container = f'namespace="{target.namespace}",container="{target.name}"'
    return Group(
        name=f"{target.name}-pods",
        about=target.about,
        rules=[
            Alert(
                name="ServiceDown",
                expr=f"absent({up} == 1)",
                for_seconds=2 * _MINUTE,
                severity="page",
                summary=f"{target.name} is down",
                description=(
                    f"Prometheus has reached no pod of {target.name} in {target.namespace} for 2 minutes. "
                    "Its users get no answer, and no error is counted either."
                ),
            ),
            Alert(
                name="TargetDown",
                expr=f"{up} == 0",
                for_seconds=5 * _MINUTE,
                severity="ticket",
                summary=f"A pod of {target.name} cannot be scraped",
                description="Prometheus has not reached {{ $labels.pod }} for 5 minutes: what it does is not seen.",
            ),
            Alert(
                name="PodRestarting",
                # Rounded, as Prometheus estimates what happened before the window's first scrape: of 3 it makes 3.01.
                expr=f"round(increase(kube_pod_container_status_restarts_total{{{of_container}}}[1h])) > 3",
                severity="ticket",
                summary=f"A pod of {target.name} keeps restarting",
                description="The container of {{ $labels.pod }} restarted {{ $value | humanize }} times in an hour.",
            ),
            Alert(
                name="CpuThrottled",
                expr=f"{throttled(of_container)} > 0.25",
                for_seconds=15 * _MINUTE,
                severity="ticket",
                summary=f"A pod of {target.name} waits for CPU",
                description=(
                    "{{ $labels.pod }} was held back at its CPU limit in {{ $value | humanizePercentage }} of the "
                    "periods of the last 5 minutes, and so for 15 minutes."
                ),
            ),
            Alert(
                name="MemoryNearLimit",
                expr=(
                    f"max by (namespace, pod) (container_memory_working_set_bytes{{{of_container}}}) / "
                    f"max by (namespace, pod) (container_spec_memory_limit_bytes{{{of_container}}} > 0) > 0.9"
                ),
                for_seconds=15 * _MINUTE,
                severity="ticket",
                summary=f"A pod of {target.name} is about to run out of memory",
                description=(
                    "{{ $labels.pod }} has used {{ $value | humanizePercentage }} of its memory limit for 15 minutes. "
                    "At the limit its container is killed."
                ),
            ),
        ],
    )


def throttled(matchers: str) -> str:
    """Return the share of a pod's CPU periods of the last 5 minutes in which it was held back at its limit."""
    periods = [
        f"sum by (namespace, pod) (rate(container_cpu_cfs_{kind}_total{{{matchers}}}[5m]))"
        for kind in ("throttled_periods", "periods")
    ]
    return " / ".join(periods)


def of_namespace(namespace: str) -> Group:
    """Return the alerts of what all services of a namespace share."""
    quota = f'kube_resourcequota{{namespace="{namespace}",type='
    return Group(
        name="namespace",
        about={"namespace": namespace},
        rules=[
            Alert(
                name="QuotaNearlyUsed",
                expr=f'{quota}"used"}} / ignoring(type) ({quota}"hard"}} > 0) > 0.9',
                for_seconds=15 * _MINUTE,
                severity="ticket",
                summary=f"The quota of {namespace} is nearly used up",
                description=(
                    "{{ $value | humanizePercentage }} of {{ $labels.resource }} is in use, and so for 15 minutes. "
                    "What goes beyond is refused, a rollout's new pods among it."
                ),
            )
        ],
    )
