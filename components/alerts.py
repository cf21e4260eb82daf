"""Alerts beside a service's objective: it, or its database, is not there, or is about to run out of something.

Pure functions over a scrape target. Each names the metrics that it needs, and is left out where those have no source.
The thresholds are starting points of this project's own; a page is for what users feel, everything else is a ticket.
"""

from components.rules import Alert, Group
from components.scrape_config import ScrapeTarget

_MINUTE = 60
_HOUR = 60 * _MINUTE


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


def of_database(name: str, *, namespace: str, owner: str) -> Group:
    """Return the alerts of a database of the stack's own: its StatefulSet `name`, and its CronJob `name`-backup."""
    server = f'kube_statefulset_status_replicas_ready{{namespace="{namespace}",statefulset="{name}"}}'
    last, made = (
        f'kube_cronjob_{what}{{namespace="{namespace}",cronjob="{name}-backup"}}'
        for what in ("status_last_successful_time", "created")
    )
    return Group(
        name=name,
        about={"namespace": namespace, "service": owner},
        rules=[
            Alert(
                name="DatabaseDown",
                expr=f"{server} < 1",
                for_seconds=2 * _MINUTE,
                severity="page",
                summary=f"The database of {owner} is down",
                description=(
                    f"{name} in {namespace} has taken no connections for 2 minutes. What {owner} needs it for fails."
                ),
            ),
            Alert(
                name="BackupMissed",
                # Before the first one, since the CronJob was made. Two hours more than a day are for a slow night.
                expr=f"time() - ({last} or {made}) > {26 * _HOUR}",
                severity="ticket",
                summary=f"The database of {owner} has no backup of today",
                description=(
                    f"The last backup of {name} in {namespace} is {{{{ $value | humanizeDuration }}}} old, or there is "
                    "none at all. What has changed since would be lost with the volume."
                ),
            ),
        ],
    )


def of_gateway(namespace: str) -> Group:
    """Return the alert of the gateway, which is about those who got no answer of a service at all.

    What a service answers, also with an error, is its objective's matter; what the gateway answers in its place no
    service ever counts: 502 and 504 where a pod did not answer, 503 where there was none.
    """
    of_routes = f'namespace="{namespace}"'
    unanswered = _routed(f'{of_routes},code=~"50[234]"')
    return Group(
        name="gateway",
        about={"namespace": namespace},
        rules=[
            Alert(
                name="GatewayErrors",
                expr=f"{unanswered} / {_routed(of_routes)} > 0.05",
                for_seconds=5 * _MINUTE,
                severity="page",
                summary=f"The gateway of {namespace} gets no answer of {{{{ $labels.route }}}}",
                description=(
                    "{{ $value | humanizePercentage }} of the requests to {{ $labels.route }} were answered with 502, "
                    "503 or 504 within 5 minutes, and so for 5 minutes: no pod answered them."
                ),
            )
        ],
    )


def _routed(matchers: str) -> str:
    return f"sum by (namespace, route) (rate(traefik_router_requests_total{{{matchers}}}[5m]))"


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
