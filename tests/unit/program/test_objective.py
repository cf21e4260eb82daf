"""Objectives: what may be promised, and how fast a budget may go before anybody is told."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from components import objective
from components.exported_metrics import ExportedMetrics
from components.objective import BURNS, Objective
from tests.unit.program.examples import EXPORTED, SERVICE, WEBAPP

HOUR, DAY = 3600, 86_400
MONTH = 30 * DAY


def test_the_pairs_of_windows_are_those_of_the_sre_workbook() -> None:
    assert [(float(burn.rate), burn.long, burn.short, burn.severity) for burn in BURNS] == [
        (14.4, HOUR, 300, "page"),
        (6, 6 * HOUR, 1800, "page"),
        (3, DAY, 2 * HOUR, "ticket"),
        (1, 3 * DAY, 6 * HOUR, "ticket"),
    ]


def test_each_pair_tells_when_the_share_of_a_budget_of_30_days_is_spent_that_is_stated() -> None:
    spent = [burn.rate * burn.long / MONTH for burn in BURNS]
    assert spent == [Decimal("0.02"), Decimal("0.05"), Decimal("0.1"), Decimal("0.1")]


def test_a_short_window_is_a_twelfth_of_the_long_one() -> None:
    assert {burn.long / burn.short for burn in BURNS} == {12}


def test_a_budget_is_exactly_what_the_percentage_leaves() -> None:
    promised = Objective(availability_percent=99.95, latency_percent=99.9)
    assert (promised.budget("availability"), promised.budget("latency")) == (Decimal("0.0005"), Decimal("0.001"))


def test_the_lowest_percentage_is_that_at_which_the_failure_of_everything_still_pages() -> None:
    lowest = Objective(availability_percent=93.06)
    assert BURNS[0].rate * lowest.budget("availability") < 1
    with pytest.raises(ValueError, match=r"availability_percent must be above 93\.06"):
        Objective(availability_percent=93.05)


@pytest.mark.parametrize("name", ["availability_percent", "latency_percent"])
@pytest.mark.parametrize("value", [0, 93, 100, 100.1, -99, 99.1234567])
def test_a_percentage_that_cannot_be_promised_is_refused_with_its_name_and_itself(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 93.06 and below 100, .*, found {value}: no alert"):
        Objective(**{name: value})  # type: ignore[arg-type]


def test_less_than_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="days must be at least 1, found 0"):
        Objective(days=0)


def test_a_latency_between_two_buckets_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"latency_seconds must be a bucket of .*, 0\.25, 0\.5, .*, found 0\.3; or give"
    ):
        replace(SERVICE, objective=Objective(latency_seconds=0.3))


def test_a_latency_is_refused_where_there_is_no_histogram() -> None:
    with pytest.raises(ValueError, match=r"must be a bucket of http_request_duration_seconds \(none\)"):
        Objective().check(ExportedMetrics(names=EXPORTED.names, buckets={}))


def test_infinity_is_no_latency() -> None:
    with pytest.raises(ValueError, match="must be a bucket"):
        objective.bucket(float("inf"), EXPORTED)


@pytest.mark.parametrize("seconds", [0.005, 0.25, 1, 10])
def test_a_bucket_is_asked_for_as_prometheus_spells_it(seconds: float) -> None:
    promised = Objective(latency_seconds=seconds)
    promised.check(EXPORTED)
    assert f'le="{float(seconds)}"' in promised.bad_ratio("latency", WEBAPP, "5m")


@pytest.mark.parametrize(("divisor", "interval"), [(1, 75), (5, 15), (15, 5), (30, 2), (75, 1)])
def test_windows_may_be_divided_until_the_shortest_is_four_scrapes_long(divisor: int, interval: int) -> None:
    assert objective.check_divisor(divisor, interval=interval) == divisor


@pytest.mark.parametrize(("divisor", "interval"), [(0, 1), (-1, 1), (7, 1), (100, 1), (10, 15), (1, 76)])
def test_windows_that_could_not_be_measured_are_refused(divisor: int, interval: int) -> None:
    with pytest.raises(ValueError, match=f"found {divisor} with a scrape every {interval} s"):
        objective.check_divisor(divisor, interval=interval)


@pytest.mark.parametrize(
    ("changes", "goal", "words"),
    [
        ({}, "availability", "99.9 % of requests without a server's error"),
        ({"latency_percent": 95, "latency_seconds": 1}, "latency", "95 % of requests within 1 s"),
    ],
)
def test_a_promise_is_said_in_words(changes: dict[str, Any], goal: objective.Goal, words: str) -> None:
    assert Objective(**changes).promise(goal) == words


def test_what_is_left_of_a_budget_is_told_over_the_objectives_days() -> None:
    query = Objective(days=7).budget_left("availability", WEBAPP, 1)
    assert query == (
        '1 - avg_over_time(service:http_request_errors:ratio_rate5m{namespace="cloudnative-dev",service="webapp"}[7d])'
        " / 0.001"
    )
