"""How services find each other, and how requests are spread over their pods."""

import json
from collections import Counter
from collections.abc import Mapping

import pytest

from tests.e2e.conftest import Deployed, Figures
from tests.e2e.project import Project, eventually

REQUESTS = 4000
"""So many that chance alone, by which kube-proxy chooses, stays well within the tolerance."""

TOLERANCE = 0.1

FIND = """
import socket, sys
print(*sorted({found[4][0] for found in socket.getaddrinfo(sys.argv[1], 80, proto=socket.IPPROTO_TCP)}))
"""

CALL = """
import http.client, json, sys
seen = {}
for _ in range(int(sys.argv[2])):
    connection = http.client.HTTPConnection(sys.argv[1], timeout=5)
    connection.request("GET", sys.argv[3])
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (answer.status, body)
    connection.close()
"""

ANSWERED = """
import re, sys, urllib.request
text = urllib.request.urlopen("http://127.0.0.1:9102/metrics", timeout=5).read().decode()
found = re.findall(r'^http_requests_total{[^}]*} (\\S+)$', text, re.MULTILINE)
print(sum(map(float, found)))
"""


@pytest.fixture(scope="module")
def project(deployed: Deployed) -> Project:
    return deployed.project


def pods(project: Project, service: str) -> list[str]:
    """Return the names of a service's pods that are there to stay."""
    found = project.kubectl("get", "pods", f"--selector=app.kubernetes.io/name={service}")["items"]
    return sorted(one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"])


def answered(project: Project, names: list[str]) -> dict[str, float]:
    """Return how many requests each pod has answered, by its own count."""
    return {name: float(project.python(name, ANSWERED)) for name in names}


def spread(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[float, str]:
    """Return how far the pod with the most or the least is from an even share, and all shares in words."""
    counts = {name: after[name] - before[name] for name in before}
    even = sum(counts.values()) / len(counts)
    return max(abs(count - even) / even for count in counts.values()), ", ".join(
        f"{count:.0f}" for count in counts.values()
    )


def test_each_service_finds_the_other_by_its_name(project: Project) -> None:
    (caller, *_) = pods(project, "webapp")
    for name in ("catalog", f"catalog.{project.namespace}.svc.cluster.local"):
        assert project.python(caller, FIND, name).split() == [
            project.kubectl("get", "service", "catalog")["spec"]["clusterIP"]
        ]


def test_a_services_calls_are_spread_evenly_over_the_callees_pods(project: Project, figures: Figures) -> None:
    (caller, *_), callees = pods(project, "webapp"), pods(project, "catalog")
    assert len(callees) > 1
    before = answered(project, callees)
    project.python(caller, CALL, "catalog", str(REQUESTS), "/api/products?limit=1")
    worst, shares = spread(before, answered(project, callees))
    figures("calls of webapp to catalog, by pod", f"{shares}: {worst:.1%} from even")
    assert worst < TOLERANCE


def test_the_gateways_requests_are_spread_evenly_over_the_pods(project: Project, figures: Figures) -> None:
    seen = Counter(json.loads(project.get("/api/info").text)["pod"] for _ in range(600))
    even = seen.total() / len(pods(project, "webapp"))
    worst = max(abs(count - even) / even for count in seen.values())
    figures("requests through the gateway, by pod", f"{', '.join(map(str, seen.values()))}: {worst:.1%} from even")
    assert seen.keys() == set(pods(project, "webapp"))
    assert worst < TOLERANCE


def test_an_endpoint_that_was_removed_gets_no_request_any_more(project: Project) -> None:
    (caller, *_), (removed, *_) = pods(project, "webapp"), pods(project, "catalog")
    where = f"--namespace={project.namespace}"
    project.plain_kubectl("label", "pod", removed, where, "--overwrite", "app.kubernetes.io/name=removed")
    try:
        eventually(lambda: len(pods(project, "catalog")) > 1, "another pod takes its place")
        address = project.kubectl("get", "pod", removed)["status"]["podIP"]

        def gone() -> bool:
            slices = project.kubectl("get", "endpointslices", "--selector=kubernetes.io/service-name=catalog")["items"]
            return address not in json.dumps(slices)

        eventually(gone, "the removed pod leaves the Service")
        eventually(lambda: answered(project, [removed]) == answered(project, [removed]), "what was under way has ended")
        before = answered(project, [removed])
        project.python(caller, CALL, "catalog", "500", "/api/products?limit=1")
        assert answered(project, [removed]) == before
    finally:
        project.plain_kubectl("delete", "pod", removed, where)
