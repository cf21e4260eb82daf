"""The Prometheus Operator in the cluster, with a Prometheus and an Alertmanager, for stacks that leave scraping to it.

None of it runs until such a stack is deployed, and it goes with the last of them. What it scrapes of the cluster
itself, and by which label it takes what stacks declare, stands in `monitoring.yaml`. What a stack declares is not made
here.
"""

import hashlib
import json
from functools import partial
from typing import Any

from local import cluster, images, toolchain
from local.network import NETWORK
from local.paths import RUN
from local.progress import step, wait_for

CRDS = "prometheus-operator-crds"
NAMESPACE = "monitoring"
APPLIED = RUN / "operator"
"""Holds the hash of what was applied to the running cluster."""

DECLARED = "alertmanagerconfigs,prometheusrules,servicemonitors"
"""What stacks declare for it."""

SERVERS = ("prometheus/platform", "alertmanager/platform")


def ensure() -> None:
    """Bring the operator and its servers up, and return when they are available; builds them at the first time."""
    tools = toolchain.ensure("prometheus-operator")
    images.push(images.operators(tools), tools)
    with step("The Prometheus Operator, its Prometheus and its Alertmanager"):
        digest = hashlib.sha256(f"{_manifests()}\n{cluster.crds(tools, CRDS)}".encode()).hexdigest()
        if not APPLIED.exists() or APPLIED.read_text() != digest:
            cluster.apply_crds(tools, CRDS)
            cluster.apply(tools, _manifests())
            APPLIED.write_text(digest)
        within = (f"--namespace={NAMESPACE}", "--timeout=120s")
        cluster.kubectl(tools, "rollout", "status", "deployment/prometheus-operator", *within)
        cluster.kubectl(tools, "wait", "--for=condition=Available", *SERVERS, *within)
        for service in ("prometheus", "alertmanager"):
            ready = f"{url(service)}/-/ready"
            wait_for(f"A 200 from {ready}", partial(cluster.answers, ready), seconds=60, see="kubectl get pods -A")


def _manifests() -> str:
    return cluster.render("monitoring.yaml", cluster.values(NETWORK, {}))


def url(service: str) -> str:
    """Return where one of its servers answers, by the name of its Service: `prometheus` or `alertmanager`."""
    said = cluster.kubectl(toolchain.ensure(), "get", "service", service, f"--namespace={NAMESPACE}", "--output=json")
    found: dict[str, Any] = json.loads(said)
    (ingress,), (port,) = found["status"]["loadBalancer"]["ingress"], found["spec"]["ports"]
    return f"http://{ingress['ip']}:{port['port']}"


def remove_unused() -> None:
    """Remove the operator, its servers and their kinds when no stack has anything left for them to look at."""
    tools = toolchain.ensure()
    every = ("get", DECLARED, "--all-namespaces", "--output=jsonpath={.items[*].metadata.namespace}")
    if set(cluster.kubectl(tools, *every).split()) - {NAMESPACE}:
        return
    with step("Removing the Prometheus Operator, which no stack needs any more"):
        for manifests in (_manifests(), cluster.crds(tools, CRDS)):
            cluster.kubectl(tools, "delete", "--ignore-not-found", "--filename=-", stdin=manifests)
        APPLIED.unlink(missing_ok=True)
