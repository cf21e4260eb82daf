"""Calls of other services: bounded, tried again, given up, counted, and part of the caller's trace."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import chassis
import pytest
from chassis import client as client_module
from chassis.client import FAILURES, MAX_BYTES, WAIT_SECONDS, Answer, Client, Unavailable
from chassis.config import Call, Config
from prometheus_client import CollectorRegistry

from tests.app.callee import Callee, Reply, running
from tests.app.chassis.collector import Collector, attributes
from tests.app.chassis.test_tracing import TRACE, TRACEPARENT
from tests.app.gunicorn_process import free_port

BROKEN = Reply(status=503)
TIMEOUT = 0.2
"""That of the calls which are to meet it; the others have enough on a busy machine."""


class Caller:
    """An app that calls ``callee`` once for each request to it."""

    def __init__(self, url: str, *, retries: int = 2, timeout: float = 5.0, config: Config | None = None) -> None:
        self.app = chassis.create("caller", config or Config())
        call = Call(callee="catalog", url=url, timeout_seconds=timeout, retries=retries)
        client = Client(call, self.app.extensions["metrics"].calls)
        self.answers: list[Answer | Unavailable] = []

        @self.app.get("/")
        def call_it() -> str:
            try:
                self.answers.append(client.get("/items"))
            except Unavailable as error:
                self.answers.append(error)
            return ""

    def call(self, **headers: str) -> Answer | Unavailable:
        assert self.app.test_client().get("/", headers=headers).status_code == 200
        return self.answers[-1]

    def outcomes(self) -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == "http_client_requests_total" and sample.labels["callee"] == "catalog"
        }

    def durations(self) -> float | None:
        return self.registry.get_sample_value("http_client_request_duration_seconds_count", {"callee": "catalog"})

    @property
    def registry(self) -> CollectorRegistry:
        registry: CollectorRegistry = self.app.extensions["metrics"].registry
        return registry


@pytest.fixture
def callee() -> Iterator[Callee]:
    with running() as server:
        yield server


def seconds(what: Callable[[], object]) -> float:
    began = time.monotonic()
    what()
    return time.monotonic() - began


def test_an_answer_is_handed_over_and_counted_once(callee: Callee) -> None:
    callee.replies = [Reply(body=b'{"a": 1}')]
    caller = Caller(callee.url)
    assert caller.call() == Answer(status=200, body=b'{"a": 1}')
    assert (caller.outcomes(), caller.durations()) == ({"success": 1}, 1)
    assert [path for path, _, _ in callee.requests] == ["/items"]


def test_a_refusal_is_an_answer_and_not_tried_again(callee: Callee) -> None:
    callee.replies = [Reply(status=404)]
    caller = Caller(callee.url)
    assert caller.call() == Answer(status=404, body=b"{}")
    assert (caller.outcomes(), len(callee.requests)) == ({"success": 1}, 1)


def test_a_call_that_fails_is_tried_again_and_counted_once(callee: Callee) -> None:
    callee.replies = [BROKEN, BROKEN, Reply()]
    caller = Caller(callee.url)
    assert caller.call() == Answer(status=200, body=b"{}")
    assert (caller.outcomes(), caller.durations(), len(callee.requests)) == ({"success": 1}, 1, 3)


def test_it_is_tried_again_as_often_as_was_declared_and_no_more(callee: Callee) -> None:
    callee.replies = [BROKEN]
    caller = Caller(callee.url, retries=1)
    assert isinstance(caller.call(), Unavailable)
    assert (caller.outcomes(), len(callee.requests)) == ({"failure": 1}, 2)


def test_nobody_who_answers_is_a_failure_at_once() -> None:
    caller = Caller(f"http://127.0.0.1:{free_port()}", retries=0)
    assert seconds(caller.call) < 1
    assert caller.outcomes() == {"failure": 1}


@pytest.mark.parametrize(
    "slow",
    [Reply(pause=3), Reply(body=b"x" * 100, pieces=100, pause=TIMEOUT / 4)],
    ids=["no answer", "an answer in drops"],
)
def test_an_attempt_ends_with_its_time_however_slowly_something_comes(callee: Callee, slow: Reply) -> None:
    callee.replies = [slow]
    caller = Caller(callee.url, retries=0, timeout=TIMEOUT)
    assert TIMEOUT <= seconds(caller.call) < TIMEOUT + 1
    assert caller.outcomes() == {"timeout": 1}


def test_a_call_ends_within_its_attempts_and_the_waits_between_them(callee: Callee) -> None:
    callee.replies = [Reply(pause=3)]
    caller = Caller(callee.url, retries=2, timeout=TIMEOUT)
    assert 3 * TIMEOUT <= seconds(caller.call) < 3 * TIMEOUT + 2 * WAIT_SECONDS + 1
    assert (caller.outcomes(), len(callee.requests)) == ({"timeout": 1}, 3)


def test_an_answer_that_has_no_end_is_not_read_to_it(callee: Callee) -> None:
    callee.replies = [Reply(body=b"x" * (MAX_BYTES + 1))]
    caller = Caller(callee.url, retries=0)
    assert isinstance(caller.call(), Unavailable)
    assert caller.outcomes() == {"failure": 1}


def test_the_circuit_opens_after_failures_in_a_row_and_spares_the_callee(callee: Callee) -> None:
    callee.replies = [*[BROKEN] * (FAILURES - 1), Reply(), BROKEN]
    caller = Caller(callee.url, retries=0)
    for _ in range(2 * FAILURES):
        caller.call()
    assert (caller.outcomes(), len(callee.requests)) == ({"failure": 2 * FAILURES - 1, "success": 1}, 2 * FAILURES)
    assert isinstance(caller.call(), Unavailable)
    assert len(callee.requests) == 2 * FAILURES
    assert caller.outcomes()["circuit_open"] == 1
    assert caller.durations() == 2 * FAILURES


def test_the_circuit_closes_with_a_call_that_succeeds(callee: Callee, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "OPEN_SECONDS", 0.3)
    callee.replies = [*[BROKEN] * (FAILURES + 1), Reply()]
    caller = Caller(callee.url, retries=0)
    for _ in range(FAILURES - 1):
        caller.call()
    opened = time.monotonic()
    caller.call()
    while caller.outcomes()["failure"] == FAILURES:  # until one that fails opens it again
        caller.call()
    assert time.monotonic() - opened >= 0.3
    requests = len(callee.requests)
    caller.call()
    assert len(callee.requests) == requests
    time.sleep(0.5)
    assert [isinstance(caller.call(), Answer) for _ in range(3)] == [True, True, True]


def test_the_threads_of_a_worker_call_at_the_same_time(callee: Callee) -> None:
    callee.replies = [Reply(together=Barrier(4, timeout=60))]
    caller = Caller(callee.url, retries=0, timeout=60)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: caller.call(), range(4)))
    assert caller.outcomes() == {"success": 4}


def test_every_attempt_makes_a_connection_of_its_own(callee: Callee) -> None:
    callee.replies = [BROKEN, Reply()]
    caller = Caller(callee.url)
    caller.call()
    caller.call()
    assert len({address for _, _, address in callee.requests}) == len(callee.requests) == 3
    assert {headers["Connection"] for _, headers, _ in callee.requests} == {"close"}


def test_no_proxy_stands_between_services(callee: Callee, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    assert isinstance(Caller(callee.url, retries=0).call(), Answer)


def test_the_callee_is_told_the_requests_id_and_trace(callee: Callee) -> None:
    Caller(callee.url).call(**{"X-Request-ID": "abc", "traceparent": TRACEPARENT})
    ((_, headers, _),) = callee.requests
    assert (headers["X-Request-ID"], headers["traceparent"]) == ("abc", TRACEPARENT)


def test_a_trace_that_begins_here_goes_on_at_the_callee(callee: Callee) -> None:
    Caller(callee.url).call()
    ((_, headers, _),) = callee.requests
    assert chassis.tracing.traceparent(headers["traceparent"]) == headers["traceparent"]


def test_where_spans_are_exported_a_call_is_one_and_the_callees_parent(callee: Callee, collector: Collector) -> None:
    callee.replies = [Reply(), BROKEN]
    caller = Caller(callee.url, retries=0, config=Config(otlp_endpoint=collector.url))
    caller.call(traceparent=TRACEPARENT)
    caller.call(traceparent=TRACEPARENT)
    chassis.tracing.stop(caller.app)
    spans = [span for _, span in collector.spans()]
    called, request, failed, _ = spans
    assert [span.trace_id.hex() for span in spans] == [TRACE] * 4
    assert (called.name, called.kind, called.parent_span_id) == (
        "GET catalog",
        called.SPAN_KIND_CLIENT,
        request.span_id,
    )
    assert attributes(called.attributes) == {"http.request.method": "GET", "peer.service": "catalog"}
    assert attributes(failed.attributes)["error.type"] == "failure"
    told = [headers["traceparent"].split("-")[2] for _, headers, _ in callee.requests]
    assert told == [called.span_id.hex(), failed.span_id.hex()]


def test_what_failed_is_said_in_one_line_without_the_path(callee: Callee, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(client_module.log, "warning", lambda event, **fields: said.append((event, fields)))
    callee.replies = [BROKEN]
    Caller(callee.url, retries=1).call()
    assert said == [("call failed", {"callee": "catalog", "outcome": "failure", "error": "status 503"})]
