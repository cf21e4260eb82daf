"""Calls to another service: GET, in bounded time, and soon given up while nobody answers.

One attempt has ``timeout_seconds``, from connecting to the last byte. One that fails (no answer in time, no connection,
a status of 500 and above) is followed by others, ``retries`` at most, after waits of random length that grow to
``WAIT_SECONDS`` each; so a call lasts ``(retries + 1) * timeout_seconds + retries * WAIT_SECONDS`` at the most. When
``FAILURES`` calls in a row have failed, the circuit opens: for ``OPEN_SECONDS`` calls fail at once and the callee is
spared, then one that succeeds closes it. Each worker has a circuit of its own, and learns from its own calls.

Each attempt makes a connection of its own. kube-proxy chooses a pod for a connection, not for a request: so requests
are spread evenly, and one that is no longer among the callee's endpoints gets no more of them.

Deliberately not here: anything but GET, since what changes something cannot simply be tried again; and readiness. A
service is ready without those it calls, else one that is down would take down all that call it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
import structlog
from circuitbreaker import CircuitBreaker, CircuitBreakerError
from flask import g
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from chassis import request_id, tracing
from chassis.config import Call
from chassis.metrics import CallMetrics

WAIT_SECONDS = 0.2
"""How long the wait before another attempt may be."""

FAILURES = 5
"""How many calls in a row may fail before the circuit opens."""

OPEN_SECONDS = 5
"""How long the circuit stays open."""

MAX_BYTES = 2**20
"""How long an answer may be."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the callee said, of whatever status below 500."""

    status: int
    body: bytes


class Unavailable(Exception):  # noqa: N818  it says what the callee is
    """The callee gave no answer, or one of its own failure."""


class _Failed(Unavailable):
    """An attempt failed; ``outcome`` is what the metrics call that."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class _Remaining:
    """What is left of an attempt's time, in the place of httpx's timeouts, which are one for each of its phases."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get(self, _phase: str, _default: None = None) -> float:
        """Return the timeout of the phase that begins now."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("the time of the attempt is over")
        return left


class Client:
    """Calls one service; for all threads of a worker, and to be used within a request.

    Args:
        call: whom to call, and how patiently.
        metrics: what calls are counted with.
    """

    def __init__(self, call: Call, metrics: CallMetrics) -> None:
        self._call = call
        self._metrics = metrics
        self._http = httpx.Client(
            base_url=call.url,
            headers={"Connection": "close"},
            trust_env=False,  # a proxy that the environment names is for the way out of the cluster
        )
        self._attempts = Retrying(
            stop=stop_after_attempt(1 + call.retries),
            wait=wait_random_exponential(multiplier=WAIT_SECONDS / 4, max=WAIT_SECONDS),
            retry=retry_if_exception_type(_Failed),
            reraise=True,
        )
        circuit = CircuitBreaker(FAILURES, OPEN_SECONDS, _Failed, name=call.callee)
        self._guarded: Callable[[str], Answer] = circuit(self._call_it)

    def get(self, path: str) -> Answer:
        """Return the callee's answer to a GET.

        Raises:
            Unavailable: there is none, or one with a status of 500 and above, or the circuit is open.
        """
        callee = self._call.callee
        try:
            answer = self._guarded(path)
        except CircuitBreakerError as error:
            self._metrics.requests.labels(callee, "circuit_open").inc()
            raise Unavailable(f"{callee} is not called, as it failed {FAILURES} times in a row") from error
        except _Failed as error:
            self._metrics.requests.labels(callee, error.outcome).inc()
            log.warning("call failed", callee=callee, outcome=error.outcome, error=str(error))
            raise
        self._metrics.requests.labels(callee, "success").inc()
        return answer

    def _call_it(self, path: str) -> Answer:
        callee = self._call.callee
        with self._metrics.duration.labels(callee).time(), tracing.calling(callee) as headers:
            answer: Answer = self._attempts(self._attempt, path, {request_id.HEADER: g.request_id, **headers})
            return answer

    def _attempt(self, path: str, headers: Mapping[str, str]) -> Answer:
        remaining = _Remaining(self._call.timeout_seconds)
        try:
            with self._http.stream("GET", path, headers=headers, extensions={"timeout": remaining}) as response:
                if response.is_server_error:
                    raise _Failed("failure", f"status {response.status_code}")
                body = b""
                for chunk in response.iter_bytes():
                    remaining.get("read")
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise _Failed("failure", f"the answer is longer than {MAX_BYTES} bytes")
                return Answer(status=response.status_code, body=body)
        except httpx.TimeoutException as error:
            raise _Failed("timeout", f"no answer in {self._call.timeout_seconds} s") from error
        except httpx.RequestError as error:
            raise _Failed("failure", f"{type(error).__name__}: {error}") from error
