"""Who may talk to whom, tried on the running platform: each declared flow passes, and no other does.

Connections are tried from where the flow begins, all at once. That a refusal is the policies' doing shows in the last
test: without them, each of these connections comes about.
"""

import json
import re
import socket
import socketserver
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import pytest
from pulumi.automation import OpType

from local.network import NETWORK
from local.toolchain import Toolchain
from tests.e2e import connections
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.connections import CLOSED, OPEN, SILENT
from tests.e2e.project import Project, eventually

TRY = Path(connections.__file__).read_text(encoding="utf-8")
SLEEP = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit()); signal.pause()"
STATES = "app.kubernetes.io/name=kube-state-metrics"
KUBELET = 10250
DNS_METRICS = 9153
UNUSED = 9999
"""A port that no pod listens on."""

MACHINE, WEBAPP, CATALOG = "machine", "webapp", "catalog"
PROMETHEUS, ALERTMANAGER, DATABASE = "prometheus", "alertmanager", "catalog-database"
NEIGHBOUR = "neighbour"
"""A pod of the same namespace that the program does not declare."""

STRANGER = "stranger"
"""A pod of another namespace, without policies there, that carries the labels of the stack's Prometheus."""

PROBE = "probe"
"""A container that joins a server's pod, whose own image has nothing to try connections with."""


class Flow(NamedTuple):
    """A connection, by the names of its ends."""

    sender: str
    receiver: str

    def __str__(self) -> str:
        """Return what people call it."""
        return f"{self.sender} -> {self.receiver}"


DECLARED = [
    Flow(MACHINE, "gateway"),
    Flow(WEBAPP, "catalog http"),
    Flow(WEBAPP, "service of catalog"),
    Flow(CATALOG, "database"),
    Flow(CATALOG, "DNS by UDP"),
    Flow(PROMETHEUS, "webapp metrics"),
    Flow(PROMETHEUS, "catalog metrics"),
    Flow(PROMETHEUS, "gateway metrics"),
    Flow(PROMETHEUS, "alertmanager http"),
    Flow(PROMETHEUS, "kube-state-metrics"),
    Flow(PROMETHEUS, "kubelet"),
    Flow(PROMETHEUS, "API server"),
    Flow(PROMETHEUS, "service of the API server"),
    Flow(PROMETHEUS, "DNS by UDP"),
    Flow(WEBAPP, "DNS by UDP"),
    Flow(WEBAPP, "DNS by TCP"),
    Flow(NEIGHBOUR, "DNS by UDP"),
]

UNDECLARED = [
    Flow(MACHINE, "webapp http"),
    Flow(MACHINE, "catalog http"),
    Flow(MACHINE, "database"),
    Flow(MACHINE, "webapp metrics"),
    Flow(MACHINE, "webapp, an unused port"),
    Flow(MACHINE, "prometheus http"),
    Flow(MACHINE, "alertmanager http"),
    Flow(PROMETHEUS, "webapp http"),
    Flow(PROMETHEUS, "webapp, an unused port"),
    Flow(PROMETHEUS, "catalog http"),
    Flow(PROMETHEUS, "database"),
    Flow(PROMETHEUS, "registry"),
    Flow(PROMETHEUS, "outside by TCP"),
    Flow(WEBAPP, "another webapp http"),
    Flow(WEBAPP, "another webapp metrics"),
    Flow(WEBAPP, "catalog metrics"),
    Flow(WEBAPP, "database"),
    Flow(WEBAPP, "prometheus http"),
    Flow(WEBAPP, "alertmanager http"),
    Flow(WEBAPP, "API server"),
    Flow(WEBAPP, "service of the API server"),
    Flow(WEBAPP, "kubelet"),
    Flow(WEBAPP, "registry"),
    Flow(WEBAPP, "DNS' metrics"),
    Flow(WEBAPP, "outside by TCP"),
    Flow(WEBAPP, "outside by UDP"),
    Flow(CATALOG, "webapp http"),
    Flow(CATALOG, "another catalog http"),
    Flow(CATALOG, "API server"),
    Flow(CATALOG, "outside by TCP"),
    Flow(ALERTMANAGER, "webapp http"),
    Flow(ALERTMANAGER, "database"),
    Flow(ALERTMANAGER, "prometheus http"),
    Flow(ALERTMANAGER, "API server"),
    Flow(ALERTMANAGER, "outside by TCP"),
    Flow(NEIGHBOUR, "webapp http"),
    Flow(NEIGHBOUR, "webapp metrics"),
    Flow(NEIGHBOUR, "catalog http"),
    Flow(NEIGHBOUR, "service of catalog"),
    Flow(NEIGHBOUR, "database"),
    Flow(NEIGHBOUR, "service of webapp"),
    Flow(NEIGHBOUR, "prometheus http"),
    Flow(NEIGHBOUR, "alertmanager http"),
    Flow(NEIGHBOUR, "API server"),
    Flow(NEIGHBOUR, "outside by TCP"),
    Flow(STRANGER, "webapp http"),
    Flow(STRANGER, "webapp metrics"),
    Flow(STRANGER, "catalog http"),
    Flow(STRANGER, "database"),
    Flow(STRANGER, "webapp, an unused port"),
    Flow(STRANGER, "service of webapp"),
    Flow(STRANGER, "prometheus http"),
    Flow(STRANGER, "alertmanager http"),
]

End = tuple[str, str, int]
"""Protocol, host and port."""

Outcomes = dict[Flow, set[str]]
Tries = Callable[[Sequence[End]], list[str]]


class Matrix:
    """Senders and receivers of one deployed stack."""

    def __init__(self, project: Project, outside: tuple[int, int]) -> None:
        """Take the pods as they are; `outside` are ports of the machine that answer by TCP and by UDP."""
        webapps, catalogs = (pods(project, name) for name in (WEBAPP, CATALOG))
        (prometheus,), (alertmanager,), (database,) = (
            pods(project, name) for name in (PROMETHEUS, ALERTMANAGER, DATABASE)
        )
        gateways = project.kubectl("get", "pods", "--namespace=traefik")["items"]
        (states,) = project.kubectl("get", "pods", "--all-namespaces", f"--selector={STATES}")["items"]
        dns = project.kubectl("get", "pods", "--all-namespaces", "--selector=k8s-app=kube-dns")["items"]
        http, metrics = (port(webapps[0], name) for name in ("http", "metrics"))
        node, machine = str(NETWORK.node), str(NETWORK.machine)
        self.ends = {
            "gateway": [("TCP", str(NETWORK.gateway), 443)],
            "gateway metrics": [("TCP", ip(pod), port(pod, "metrics")) for pod in gateways],
            "catalog http": [("TCP", ip(pod), http) for pod in catalogs],
            "another catalog http": [("TCP", ip(pod), http) for pod in catalogs[1:]],
            "catalog metrics": [("TCP", ip(pod), metrics) for pod in catalogs],
            "service of catalog": [("TCP", project.kubectl("get", "service", "catalog")["spec"]["clusterIP"], 80)],
            "database": [("TCP", ip(database), port(database, "postgres"))],
            "webapp http": [("TCP", ip(pod), http) for pod in webapps],
            "webapp metrics": [("TCP", ip(pod), metrics) for pod in webapps],
            "webapp, an unused port": [("TCP", ip(pod), UNUSED) for pod in webapps],
            "another webapp http": [("TCP", ip(pod), http) for pod in webapps[1:]],
            "another webapp metrics": [("TCP", ip(pod), metrics) for pod in webapps[1:]],
            "service of webapp": [("TCP", project.kubectl("get", "service", "webapp")["spec"]["clusterIP"], 80)],
            "prometheus http": [("TCP", ip(prometheus), port(prometheus, "http"))],
            "alertmanager http": [("TCP", ip(alertmanager), port(alertmanager, "http"))],
            "kube-state-metrics": [("TCP", ip(states), port(states, "http"))],
            "API server": [("TCP", node, NETWORK.api_port)],
            "service of the API server": [("TCP", str(NETWORK.services[1]), 443)],
            "kubelet": [("TCP", node, KUBELET)],
            "registry": [("TCP", node, NETWORK.registry_port)],
            "DNS by UDP": [("UDP", str(NETWORK.dns), 53)],
            "DNS by TCP": [("TCP", str(NETWORK.dns), 53)],
            "DNS' metrics": [("TCP", ip(pod), DNS_METRICS) for pod in dns],
            "outside by TCP": [("TCP", machine, outside[0])],
            "outside by UDP": [("UDP", machine, outside[1])],
        }
        self._senders: dict[str, Tries] = {
            MACHINE: connections.all_tried,
            WEBAPP: sender(project, webapps[0]["metadata"]["name"]),
            CATALOG: sender(project, catalogs[0]["metadata"]["name"]),
            PROMETHEUS: sender(project, f"{prometheus['metadata']['name']} --container={PROBE}"),
            ALERTMANAGER: sender(project, f"{alertmanager['metadata']['name']} --container={PROBE}"),
            NEIGHBOUR: sender(project, NEIGHBOUR),
            STRANGER: sender(project, f"{STRANGER} --namespace={other(project)}"),
        }

    def tried(self, flows: Iterable[Flow]) -> Outcomes:
        """Try each flow to each of its receivers, all senders at once, and return how that ended."""
        outcomes: Outcomes = {}
        tries: dict[str, list[tuple[Flow, End]]] = {}
        for flow in flows:
            tries.setdefault(flow.sender, []).extend((flow, end) for end in self.ends[flow.receiver])
        with ThreadPoolExecutor() as pool:
            ended = pool.map(lambda name: self._senders[name]([end for _, end in tries[name]]), tries)
            for mine, results in zip(tries.values(), ended, strict=True):
                for (flow, _), outcome in zip(mine, results, strict=True):
                    outcomes.setdefault(flow, set()).add(outcome)
        return outcomes

    def comes_to(self, expected: Outcomes) -> None:
        """Wait until all flows end as expected; policies take a moment to be heard of."""
        found: Outcomes = {}

        def as_expected() -> bool:
            found.update(self.tried(expected))
            return found == expected

        with suppress(AssertionError):  # what is asserted then says more
            eventually(as_expected, "the flows as expected")
        assert found == expected


def sender(project: Project, pod: str) -> Tries:
    """Return what tries connections from a pod; see `Project.python`."""

    def tries(ends: Sequence[End]) -> list[str]:
        outcomes: list[str] = json.loads(project.python(pod, TRY, json.dumps(ends)))
        return outcomes

    return tries


def other(project: Project) -> str:
    """Return the name of a namespace that is not the stack's."""
    return f"{project.namespace}-other"


def pods(project: Project, of: str) -> list[Any]:
    """Return the pods called `of` that are not about to go."""
    found = project.kubectl("get", "pods", f"--selector=app.kubernetes.io/name={of}")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ip(pod: Any) -> str:
    return str(pod["status"]["podIP"])


def port(pod: Any, name: str) -> int:
    """Return the number of a container's port."""
    (found,) = (each["containerPort"] for each in pod["spec"]["containers"][0]["ports"] if each["name"] == name)
    return int(found)


class Echo(socketserver.BaseRequestHandler):
    """Answers a datagram by itself."""

    def handle(self) -> None:
        data, connection = self.request
        connection.sendto(data, self.client_address)


@pytest.fixture(scope="module")
def outside(tools: Toolchain) -> Iterator[tuple[int, int]]:
    """Ports of the machine that answer pods, by TCP and by UDP, by a route back that there is not otherwise."""
    route = ["ip", "route", "replace", str(NETWORK.pods), "via", str(NETWORK.node)]
    subprocess.run(route, check=True)
    try:
        with (
            socket.create_server((str(NETWORK.machine), 0)) as listening,
            socketserver.UDPServer((str(NETWORK.machine), 0), Echo) as echo,
        ):
            Thread(target=echo.serve_forever, daemon=True).start()
            yield listening.getsockname()[1], echo.server_address[1]
            echo.shutdown()
    finally:
        subprocess.run(["ip", "route", "delete", *route[3:]], check=True)


@pytest.fixture(scope="module")
def matrix(deployed: Deployed, outside: tuple[int, int]) -> Iterator[Matrix]:
    """All senders, those that the program does not declare among them, for as long as the module runs."""
    project = deployed.project
    servers = [pod for name in (PROMETHEUS, ALERTMANAGER) for pod in pods(project, name)]
    labels = servers[0]["metadata"]["labels"]
    image = project.config()["build"]["baseImage"]
    restricted = {"name": other(project), "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": restricted},
        sleeper(NEIGHBOUR, project.namespace, image, {"app.kubernetes.io/name": NEIGHBOUR}),
        sleeper(STRANGER, other(project), image, labels),
    ]
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    here, there = f"--namespace={project.namespace}", f"--namespace={other(project)}"
    wait = ("wait", "--timeout=60s", "--for")
    try:
        project.plain_kubectl("create", "--filename=-", stdin=manifests)
        container = [f"--image={image}", f"--container={PROBE}", "--profile=restricted", "--", "/usr/bin/python3"]
        for server in servers:
            project.plain_kubectl("debug", here, f"pod/{server['metadata']['name']}", *container, "-c", SLEEP)
        project.plain_kubectl(*wait, "condition=Ready", here, f"pod/{NEIGHBOUR}")
        project.plain_kubectl(*wait, "condition=Ready", there, f"pod/{STRANGER}")
        joined = "jsonpath={.status.ephemeralContainerStatuses[0].state.running}"
        project.plain_kubectl(*wait, joined, here, *(f"pod/{server['metadata']['name']}" for server in servers))
        yield Matrix(project, outside)
    finally:
        project.plain_kubectl("delete", "--filename=-", "--ignore-not-found", stdin=manifests)


def sleeper(name: str, namespace: str, image: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return a pod that does nothing, and may do nothing."""
    secured = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": name, "image": image, "args": ["-c", SLEEP], "securityContext": secured}],
        },
    }


@pytest.fixture(scope="module")
def enforced(matrix: Matrix, figures: Figures) -> Outcomes:
    """How each flow ends on the running platform."""
    outcomes = matrix.tried([*DECLARED, *UNDECLARED])
    for flow, found in outcomes.items():
        figures(f"{'declared' if flow in DECLARED else 'undeclared'}: {flow}", ", ".join(found))
    return outcomes


@pytest.mark.parametrize("flow", DECLARED, ids=str)
def test_a_declared_flow_passes(enforced: Outcomes, flow: Flow) -> None:
    assert enforced[flow] == {OPEN}


@pytest.mark.parametrize("flow", UNDECLARED, ids=str)
def test_an_undeclared_flow_is_refused(enforced: Outcomes, flow: Flow) -> None:
    assert enforced[flow] == {SILENT}


def test_prometheus_scrapes_each_pod_of_the_webapp(deployed: Deployed) -> None:
    project = deployed.project
    expected = {(f"{ip(pod)}:{port(pod, 'metrics')}", "up") for pod in pods(project, WEBAPP)}

    def targets() -> set[tuple[str, str]]:
        answer = project.get("/prometheus/api/v1/targets?state=active").json()
        return {
            (httpx.URL(each["scrapeUrl"]).netloc.decode(), each["health"])
            for each in answer["data"]["activeTargets"]
            if each["labels"]["job"] == WEBAPP
        }

    eventually(lambda: targets() == expected, "each pod of the webapp as a target that is up")


def test_the_kubelets_probes_pass(deployed: Deployed) -> None:
    project = deployed.project
    names = {pod["metadata"]["name"] for name in (WEBAPP, PROMETHEUS, ALERTMANAGER) for pod in pods(project, name)}
    before = probes(project)

    def asked() -> bool:
        since = probes(project) - before
        assert {name: since[name, "failed"] for name in names} == dict.fromkeys(names, 0)
        return all(since[name, "successful"] >= 2 for name in names)

    eventually(asked, "two answers of each pod to the kubelet's readiness probe")


def probes(project: Project) -> Counter[tuple[str, str]]:
    """Return how many readiness probes of each pod were successful or failed, as the kubelet counts them."""
    said = project.plain_kubectl("get", "--raw", "/api/v1/nodes/cloudnative/proxy/metrics/probes")
    found: Counter[tuple[str, str]] = Counter()
    for line in (line for line in said.splitlines() if line.startswith("prober_probe_total{")):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
        if (labels["namespace"], labels["probe_type"]) == (project.namespace, "Readiness"):
            found[labels["pod"], labels["result"]] += int(float(line.rpartition(" ")[2]))
    return found


def test_without_the_policies_these_flows_come_about_and_an_up_refuses_them_again(
    matrix: Matrix, enforced: Outcomes, deployed: Deployed, figures: Figures
) -> None:
    project = deployed.project
    policies = project.kubectl("get", "networkpolicies")["items"]
    project.plain_kubectl("delete", f"--namespace={project.namespace}", "networkpolicies", "--all")
    try:
        matrix.comes_to({flow: {CLOSED if "unused" in flow.receiver else OPEN} for flow in UNDECLARED})
        figures("undeclared flows that come about without policies", f"{len(UNDECLARED)} of {len(UNDECLARED)}")
    finally:
        project.stack.refresh(color="never")
        restored = project.up().summary.resource_changes or {}
    assert restored[OpType.CREATE] == len(policies)
    matrix.comes_to({flow: {OPEN if flow in DECLARED else SILENT} for flow in [*DECLARED, *UNDECLARED]})
