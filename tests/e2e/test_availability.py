"""A service goes on answering while its pods come and go, and while versions of it fail.

The figures are printed at the end of the run.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.toolchain import Toolchain
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.load import Load, under_load
from tests.e2e.project import Project, eventually
from tests.e2e.test_faults import configured

SELECTOR = "--selector=app.kubernetes.io/name=webapp"
RATE = 40
"""Requests a second of each of two loads, which two cores serve, send and roll out beside: what is lost then is lost by
the rollout, and not by an overload that no order of steps could prevent."""

LOW_RATE = 30
"""The same beside pods that crash or start over and over, which take what processor there is."""

SLOW_ROUTE = """
    @routes.get("/slow")
    def slow() -> dict[str, str]:
        import time

        time.sleep(3)
        return info

    return routes
"""


@pytest.fixture
def project(deployed: Deployed) -> Project:
    """The deployed project, which a test here leaves as good as it found it."""
    return deployed.project


@contextmanager
def both_loads(
    tools: Toolchain, project: Project, folder: Path, totals: list[Load], rate: int = RATE
) -> Iterator[None]:
    """Run a load of kept-alive and one of fresh connections while the block runs; add both up into `totals`."""
    with (
        under_load(tools, project, "/api/info", folder, rate=rate, keep_alive=True) as kept,
        under_load(tools, project, "/api/info", folder, rate=rate, keep_alive=False) as fresh,
    ):
        yield
    totals += [kept, fresh]


def pods(project: Project) -> list[dict[str, Any]]:
    """Return the webapp's pods, those that are ending too."""
    found: list[dict[str, Any]] = project.kubectl("get", "pods", SELECTOR)["items"]
    return found


def settled(project: Project) -> None:
    """Wait until no pod is ending any more; by a watch, as to ask time and again would take a load's processor."""
    ending = [f"pod/{pod['metadata']['name']}" for pod in pods(project) if "deletionTimestamp" in pod["metadata"]]
    if ending:
        where = f"--namespace={project.namespace}"
        project.plain_kubectl("wait", "--for=delete", "--timeout=60s", where, *ending)


def restart(project: Project) -> None:
    """Roll all pods once, and wait until the old ones are gone."""
    for command in (("rollout", "restart"), ("rollout", "status", "--timeout=90s")):
        subprocess.run(
            ["kubectl", f"--namespace={project.namespace}", *command, "deployment/webapp"],
            env=project.env,
            capture_output=True,
            check=True,
        )
    settled(project)


def test_three_rolling_updates_in_a_row_lose_no_request(
    project: Project, tools: Toolchain, tmp_path: Path, figures: Figures
) -> None:
    settled(project)
    totals: list[Load] = []
    with both_loads(tools, project, tmp_path, totals):
        started = time.monotonic()
        for count in range(3):
            project.greet(f"Hello, Rolling Update {count}!")
            project.up()
            settled(project)
        time.sleep(max(0, 30_500 / (2 * RATE) - (time.monotonic() - started)))
    kept, fresh = totals
    figures("3 rolling updates, keep-alive", kept)
    figures("3 rolling updates, fresh connections", fresh)
    assert kept.sent + fresh.sent >= 30_000
    assert (kept.lost, fresh.lost) == (0, 0), [*kept.errors, *fresh.errors]


def test_without_the_protections_the_same_load_does_lose_requests(
    project: Project, tools: Toolchain, tmp_path: Path, figures: Figures
) -> None:
    container = "/spec/template/spec/containers/0"
    off: list[dict[str, Any]] = [
        {"op": "remove", "path": f"{container}/{part}"} for part in ("lifecycle", "readinessProbe", "startupProbe")
    ]
    off.append({"op": "add", "path": f"{container}/env/-", "value": {"name": "DRAIN_SECONDS", "value": "0"}})
    totals: list[Load] = []
    try:
        project.kubectl("patch", "deployment", "webapp", "--type=json", f"--patch={json.dumps(off)}")
        restart(project)
        with both_loads(tools, project, tmp_path, totals):
            for _ in range(2):
                restart(project)
    finally:
        project.stack.refresh()
        project.up()
        settled(project)
    total = totals[0] + totals[1]
    figures("2 rolling updates without the protections", total)
    assert total.lost > 0, "the protections make no difference, or the load does not see one"
    (restored,) = project.kubectl("get", "deployment", "webapp")["spec"]["template"]["spec"]["containers"]
    assert {"lifecycle", "readinessProbe", "startupProbe"} <= restored.keys()
    assert "DRAIN_SECONDS" not in {variable["name"] for variable in restored["env"]}


def test_a_request_that_takes_3_s_is_answered_by_a_pod_that_is_told_to_end_meanwhile(
    project: Project, figures: Figures
) -> None:
    file = "app/webapp/webapp/greeting.py"
    before = (project.folder / file).read_text()
    project.replace(file, "\n    return routes\n", SLOW_ROUTE)
    project.up()
    ended: dict[str, datetime] = {}

    def slow() -> tuple[datetime, datetime, httpx.Response]:
        started = datetime.now().astimezone()
        answer = project.get("/slow", timeout=10)
        return started, datetime.now().astimezone(), answer

    def note() -> bool:
        for pod in pods(project):
            told = pod["metadata"].get("deletionTimestamp")
            if told:
                grace = timedelta(seconds=pod["metadata"]["deletionGracePeriodSeconds"])
                ended[pod["metadata"]["name"]] = datetime.fromisoformat(told) - grace
        return len(ended) >= 3

    (project.folder / file).write_text(before)
    project.greet("Hello, Pods That End!")
    with ThreadPoolExecutor(max_workers=40) as senders:
        update = senders.submit(project.up)
        answers = []
        while not update.done() or not note():
            answers.append(senders.submit(slow))
            time.sleep(0.4)
        update.result()
        note()
    results = [answer.result() for answer in answers]
    # A version that has the route answers 200; the new one, which has not, answers 404, and so is not lost either.
    assert {answer.status_code for _, _, answer in results} <= {200, 404}
    met = [
        started
        for started, until, answer in results
        if answer.status_code == 200 and started < ended.get(answer.json()["pod"], until) < until
    ]
    figures("requests of 3 s in flight while their pod was told to end", f"{len(met)}, all answered")
    assert met, "no request was in flight when its pod was told to end, so this shows nothing"


def test_a_killed_pod_is_replaced_within_30_s(
    project: Project, tools: Toolchain, tmp_path: Path, figures: Figures
) -> None:
    settled(project)
    totals: list[Load] = []
    victim = pods(project)[0]["metadata"]
    with both_loads(tools, project, tmp_path, totals):
        time.sleep(2)
        killed = time.monotonic()
        for pid in processes(victim["uid"]):
            os.kill(pid, signal.SIGKILL)

        def restarted() -> bool:
            (status,) = next(
                pod["status"]["containerStatuses"] for pod in pods(project) if pod["metadata"]["uid"] == victim["uid"]
            )
            return int(status["restartCount"]) > 0

        eventually(restarted, "the killed container's restart")
        eventually(
            lambda: project.kubectl("get", "deployment", "webapp")["status"].get("readyReplicas") == 3, "3 ready pods"
        )
        seconds = time.monotonic() - killed
    figures("a pod killed under load", f"{totals[0] + totals[1]}; at full strength after {seconds:.1f} s")
    assert seconds < 30


def processes(uid: str) -> list[int]:
    """Return the ids of the processes that run Python in the pod with this UID."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if uid in (entry / "cgroup").read_text() and "python3" in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
    assert found, f"no process of the pod {uid}"
    return found


CRASHES = ("app/webapp/webapp/wsgi.py", "from webapp", 'raise RuntimeError("broken on purpose")\nfrom webapp')
NEVER_READY = ("app/chassis/chassis/health.py", "if phase is Phase.READY else", "if False else")


@pytest.mark.parametrize(
    ("change", "reason"),
    [(CRASHES, "CrashLoopBackOff"), (NEVER_READY, "unready status"), (None, "ImagePull")],
    ids=["crashes", "never ready", "does not exist"],
)
def test_a_version_that_fails_is_named_in_time_and_costs_no_request(  # noqa: PLR0917 - fixtures
    change: tuple[str, str, str] | None,
    reason: str,
    project: Project,
    tools: Toolchain,
    tmp_path: Path,
    figures: Figures,
) -> None:
    settled(project)
    values: dict[str, Any] = {"webapp.timeoutSeconds": 25, "catalog.timeoutSeconds": 25}
    if change:
        project.replace(*change)
    else:
        repository = project.image("webapp").partition("@")[0]
        values["webapp.image"] = f"{repository}@sha256:{'0' * 64}"
    totals: list[Load] = []
    try:
        with configured(project, values), both_loads(tools, project, tmp_path, totals, LOW_RATE):
            started = time.monotonic()
            said = project.fails()
            seconds = time.monotonic() - started
    finally:
        if change:
            project.replace(change[0], change[2], change[1])
    total = totals[0] + totals[1]
    figures(f"a version that fails ({reason})", f"up failed after {seconds:.0f} s; {total}")
    assert "webapp-" in said
    assert reason in said
    assert seconds < 60
    assert total.lost == 0, total.errors
    project.greet(f"Hello, After {reason}!")
    project.up()
    project.shows(f"Hello, After {reason}!")
    assert project.get().status_code == 200
