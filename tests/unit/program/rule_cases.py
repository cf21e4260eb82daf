"""Makes the cases that show that an alert fires, stays silent and resolves, for `promtool test rules` to run.

Figures stand here a second time on purpose: the pairs of windows as the SRE workbook has them, and each other alert's
threshold as a value on either side of it. An alert whose shape is not known here has no case, which is an error.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from components.objective import Objective

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 31_536_000

PAIRS: Mapping[str, Sequence[tuple[float, int, int]]] = {
    "page": [(14.4, HOUR, 5 * MINUTE), (6, 6 * HOUR, 30 * MINUTE)],
    "ticket": [(3, DAY, 2 * HOUR), (1, 3 * DAY, 6 * HOUR)],
}
"""Rate, long and short window of each pair, by severity: https://sre.google/workbook/alerting-on-slos/, table 5-8."""

SCRAPES = 3
"""Samples in the short window of a pair: as few as can be, since Prometheus evaluates the rules for each."""

Series = Mapping[str, Sequence[float]]
"""Values by series, whose namespace is added in the end."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured, in steps of `step` seconds, and when the alert then fires."""

    name: str
    step: float
    series: Series
    others: Series
    """What is measured of others: as bad as can be."""

    fires: Mapping[int, Sequence[Mapping[str, str]]]
    """By the number of steps from the start: the labels, beside the rule's own, of each alert that fires then."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """An alert that fires when values have been beyond a threshold for a while."""

    good: Mapping[str, float]
    """Values on the one side of the threshold, by series; of a counter, what it grows by in a second."""

    bad: Mapping[str, float]
    """The same, on the other side."""

    lasting: int
    """Seconds that it has to last before the alert fires."""

    window: int = 0
    """Seconds that the values are taken from."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the alert beside the rule's own and `namespace`."""

    absent: bool = False
    """Whether the alert fires when nothing is measured at all."""


_STATE = {"job": "kube-state-metrics", "instance": "ksm:8080"}


def conditions(service: str, callee: str) -> Mapping[str, Condition]:
    """Return what is known of the alerts that do not follow from an objective, by name.

    Args:
        service: That the alert is about.
        callee: What it calls, where the alert is about that.
    """
    pod = {"container": service, "pod": "a"}
    up = [_sample("up", service=service, job=service, instance=one, pod=one) for one in ("a", "b")]
    restarts = _sample("kube_pod_container_status_restarts_total", **pod, **_STATE)
    throttled, periods = (
        _sample(f"container_cpu_cfs_{kind}_total", **pod) for kind in ("throttled_periods", "periods")
    )
    memory, limit = (_sample(f"container_{kind}_bytes", **pod) for kind in ("memory_working_set", "spec_memory_limit"))
    success, failure = (
        _sample("http_client_requests_total", service=service, callee=callee, outcome=outcome, pod="a", job=service)
        for outcome in ("success", "failure")
    )
    good, bad = (
        _sample("traefik_router_requests_total", route="webapp", job="gateway", instance="t:9100", code=code)
        for code in ("200", "503")
    )
    quota = {"resource": "requests.cpu", "resourcequota": "quota", **_STATE}
    ready = {"statefulset": f"{service}-database", **_STATE}
    backup = {"cronjob": f"{service}-database-backup", **_STATE}
    last, made = (_sample(f"kube_cronjob_{what}", **backup) for what in ("status_last_successful_time", "created"))
    used, hard = (_sample("kube_resourcequota", type=kind, **quota) for kind in ("used", "hard"))
    return {
        "ServiceDown": Condition(good={up[0]: 0, up[1]: 1}, bad=dict.fromkeys(up, 0), lasting=2 * MINUTE, absent=True),
        "TargetDown": Condition(
            good=dict.fromkeys(up, 1),
            bad={up[0]: 0, up[1]: 1},
            lasting=5 * MINUTE,
            labels={"job": service, "instance": "a", "pod": "a"},
        ),
        "PodRestarting": Condition(
            good={restarts: 3 / HOUR}, bad={restarts: 4 / HOUR}, lasting=0, window=HOUR, labels={**pod, **_STATE}
        ),
        "CpuThrottled": Condition(
            good={throttled: 2.4, periods: 10},
            bad={throttled: 2.6, periods: 10},
            lasting=15 * MINUTE,
            window=5 * MINUTE,
            labels={"pod": "a"},
        ),
        "MemoryNearLimit": Condition(
            good={memory: 0.89e9, limit: 1e9},
            bad={memory: 0.91e9, limit: 1e9},
            lasting=15 * MINUTE,
            labels={"pod": "a"},
        ),
        "CallsFailing": Condition(
            good={success: 9.6, failure: 0.4},
            # So much beyond that it would fire within the two minutes, if it did not have to last.
            bad={success: 9.32, failure: 0.68},
            lasting=2 * MINUTE,
            window=5 * MINUTE,
            labels={"callee": callee},
        ),
        "DatabaseDown": Condition(
            good={_sample("kube_statefulset_status_replicas_ready", **ready): 1},
            bad={_sample("kube_statefulset_status_replicas_ready", **ready): 0},
            lasting=2 * MINUTE,
            labels=ready,
        ),
        # Moments, of which promtool's first is 0. When the CronJob was made does not count any more.
        "BackupMissed": Condition(
            good={last: -25 * HOUR, made: -YEAR},
            bad={last: -26 * HOUR, made: -YEAR},
            lasting=0,
            labels=backup,
        ),
        "GatewayErrors": Condition(
            good={good: 9.6, bad: 0.4},
            bad={good: 9.4, bad: 0.6},
            lasting=5 * MINUTE,
            window=5 * MINUTE,
            labels={"route": "webapp"},
        ),
        "QuotaNearlyUsed": Condition(
            good={used: 8.9, hard: 10}, bad={used: 9.1, hard: 10}, lasting=15 * MINUTE, labels=quota
        ),
    }


def cases(rule: Mapping[str, Any], objective: Objective, divisor: int) -> Iterator[Case]:
    """Yield the cases of one alerting rule, as it stands in a rule file.

    Args:
        rule: The rule.
        objective: Of the service that the rule is about.
        divisor: What the objective's windows are divided by.

    Raises:
        KeyError: it is not known what the alert should do.
    """
    service = rule["labels"].get("service", "")
    budgets = {
        "AvailabilityBudgetBurn": objective.availability_percent,
        "LatencyBudgetBurn": objective.latency_percent,
    }
    if rule["alert"] in budgets:
        traffic = _errors if rule["alert"].startswith("Availability") else _slow
        budget = 1 - budgets[rule["alert"]] / 100
        yield from _of_burn(rule["labels"]["severity"], budget, divisor, _Traffic(traffic, service, objective))
    else:
        callee = re.search(r'callee="([^"]*)"', rule["expr"])
        yield from _of_condition(conditions(service, callee[1] if callee else "")[rule["alert"]])


def _of_condition(known: Condition) -> Iterator[Case]:
    start = (known.window + 10 * MINUTE) // MINUTE
    fires = start + (known.window + known.lasting) // MINUTE + 1
    ends = fires + 2
    over = ends + known.window // MINUTE + 1
    counts = known.window > 0
    series = {
        name: _summed(
            [good] * start + [known.bad[name]] * (ends - start) + [good] * (over - ends), MINUTE, counts=counts
        )
        for name, good in known.good.items()
    }
    others = {name: _summed([bad] * over, MINUTE, counts=counts) for name, bad in known.bad.items()}
    alerts = [known.labels]
    yield Case(
        name="beyond the threshold for long enough, then no more",
        step=MINUTE,
        series=series,
        others=others,
        fires={
            start - 1: [],
            start - 1 + max(int(counts), known.lasting // MINUTE): [],
            fires: alerts,
            ends - 1: alerts,
            over: [],
        },
    )
    yield Case(
        name="nothing measured at all", step=MINUTE, series={}, others={}, fires={over: alerts if known.absent else []}
    )


def _of_burn(severity: str, budget: float, divisor: int, traffic: "_Traffic") -> Iterator[Case]:
    for rate, long, short in PAIRS[severity]:
        yield from _of_pair(rate * budget, long // divisor, short // divisor, traffic)


def _of_pair(allowed: float, long: int, short: int, traffic: "_Traffic") -> Iterator[Case]:
    """Yield the cases of one pair of windows, in which more than the share `allowed` of requests must not be bad."""
    step = short / SCRAPES

    def case(name: str, phases: Sequence[tuple[float, float, float]], fires: Mapping[float, bool]) -> Case:
        """Return a case from phases of some seconds, with some requests a second and some share of bad ones."""
        requests, bad = [0.0], [0.0]
        for seconds, load, ratio in phases:
            requests += [load] * round(seconds / step)
            bad += [load * ratio] * round(seconds / step)
        return Case(
            name=f"{name}, of {allowed:g} over {long} s and {short} s",
            step=step,
            series=traffic.series(requests, bad, step),
            others=traffic.series(requests, requests, step, pods="a"),
            fires={round(at / step): [dict[str, str]()] if firing else [] for at, firing in fires.items()},
        )

    above, below = 1.05 * allowed, 0.95 * allowed
    much, most = min(1.0, 1.5 * allowed), min(1.0, 1.9 * allowed)
    # So much traffic before, all of it good, that no longer window of another pair can be the cause.
    quiet, end = (long, 1000.0, 0.0), 2 * long
    yield case("just above", [quiet, (long, 100.0, above)], {long: False, end: True})
    yield case("just below", [quiet, (long, 100.0, below)], {end: False})
    yield case(
        "far above, then below in the short window alone",
        [quiet, (long, 100.0, much), (short + step, 100.0, below)],
        {end: True, end + step: True, end + short + step: False},
    )
    burst = long * below / most
    yield case(
        "far above in the short window alone",
        [quiet, (long, 100.0, 0.0), (burst, 100.0, most)],
        {end + burst: False},
    )
    yield case("no request at all", [(long, 0.0, 0.0)], {long: False})
    flawless = case("no bad request, and no series of them", [(long, 100.0, 0.0)], {long: False})
    yield replace(flawless, series={name: values for name, values in flawless.series.items() if "500" not in name})
    yield replace(flawless, name="nothing measured at all", series={}, others={})


@dataclass(frozen=True)
class _Traffic:
    """Requests to the pods of a service, each of which gets as many."""

    of_pod: Callable[[Mapping[str, str], Objective, Sequence[float], Sequence[float]], Series]
    service: str
    objective: Objective

    def series(self, requests: Sequence[float], bad: Sequence[float], step: float, *, pods: str = "ab") -> Series:
        """Return the counters that belong to some requests, and bad ones among them, a second."""
        found: dict[str, Sequence[float]] = {}
        for pod in pods:
            labels = {"service": self.service, "job": self.service, "pod": pod, "instance": pod, "route": "/"}
            found |= self.of_pod(
                labels,
                self.objective,
                _summed([each / len(pods) for each in requests], step, counts=True),
                _summed([each / len(pods) for each in bad], step, counts=True),
            )
        return found


def _errors(pod: Mapping[str, str], _: Objective, requests: Sequence[float], bad: Sequence[float]) -> Series:
    good = [all_ - failed for all_, failed in zip(requests, bad, strict=True)]
    answers: Mapping[str, Sequence[float]] = {"200": good, "500": bad}
    return {_sample("http_requests_total", status=status, **pod): counted for status, counted in answers.items()}


def _slow(pod: Mapping[str, str], promised: Objective, requests: Sequence[float], bad: Sequence[float]) -> Series:
    fast = [all_ - late for all_, late in zip(requests, bad, strict=True)]
    name = "http_request_duration_seconds"
    bounds: Mapping[str, Sequence[float]] = {
        "0.005": [0.0] * len(requests),
        str(float(promised.latency_seconds)): fast,
        "+Inf": requests,
    }
    found = {_sample(f"{name}_bucket", le=bound, **pod): counted for bound, counted in bounds.items()}
    return {**found, _sample(f"{name}_count", **pod): requests}


def _sample(metric: str, **labels: str) -> str:
    matchers = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{metric}{{{matchers}}}"


def _summed(values: Sequence[float], step: float, *, counts: bool) -> list[float]:
    """Return what a counter holds that grows by `values` a second; for a gauge, just these."""
    return list(accumulate(value * step for value in values)) if counts else list(values)


def promtool_tests(rules: str, rule: Mapping[str, Any], found: Iterable[Case]) -> Iterator[dict[str, Any]]:
    """Yield the cases of one rule as files for `promtool test rules`, which finds the rules in the file `rules`."""
    by_step: dict[float, list[Case]] = {}
    for case in found:
        by_step.setdefault(case.step, []).append(case)
    for step, same in by_step.items():
        yield {
            "rule_files": [rules],
            "evaluation_interval": _milliseconds(step),
            "tests": [_promtool_test(rule, case) for case in same],
        }


def _promtool_test(rule: Mapping[str, Any], case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        "interval": _milliseconds(case.step),
        "input_series": [
            {"series": name, "values": " ".join(f"{value:.12g}" for value in values)}
            for name, values in _everybodys(case, rule["labels"]["namespace"]).items()
        ],
        "alert_rule_test": [
            {
                "eval_time": _milliseconds(case.step * steps),
                "alertname": rule["alert"],
                "exp_alerts": [{"exp_labels": {**labels, **rule["labels"]}} for labels in alerts],
            }
            for steps, alerts in case.fires.items()
        ],
    }


def _milliseconds(seconds: float) -> str:
    return f"{round(1000 * seconds)}ms"


def _everybodys(case: Case, namespace: str) -> Series:
    """Return the case's series in the namespace; and those of others, there and elsewhere, which must not count."""

    def of_another(name: str) -> str:
        return re.sub(r'(service|container|statefulset|cronjob)="[^"]*"', r'\1="another"', name)

    return {
        **{_within(of_another(name), namespace): values for name, values in case.others.items()},
        **{_within(name, "elsewhere"): values for name, values in case.others.items()},
        **{_within(name, namespace): values for name, values in case.series.items()},
    }


def _within(name: str, namespace: str) -> str:
    return f'{name.removesuffix("}")},namespace="{namespace}"}}'
