"""Kubernetes on the node: its keys, its configuration files, and what runs in it from the start.

Keys, kubeconfigs and CoreDNS come from kubeadm's phases. The files beside this one are templates in which `$name`
stands for an address or a path; `render` fills them in and is pure. Starting the processes is `local.node`'s work.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Any

import httpx

from local import debian, node
from local.network import NETWORK, Network
from local.paths import BUILDX, HERE, KUBECONFIG, LOGS, PASSPHRASE, RUN, STATE
from local.progress import run, step, wait_for
from local.toolchain import KUBERNETES, Toolchain

TEMPLATES = HERE / "cluster"
CONTEXT = "cloudnative"
ADMIN = STATE / "kubernetes" / "super-admin.conf"

# What runs in the cluster from the start. The engine of NetworkPolicies comes first: until it runs, no pod connects.
MANIFESTS = ("bootstrap", "network-policies", "metallb", "metrics-server", "kube-state-metrics", "storage", "traefik")
CRDS = ("metallb", "gateway-api-crds", "traefik-crds")
WORKLOADS = (
    ("kube-system", "daemonset/kube-network-policies"),
    ("kube-system", "deployment/coredns"),
    ("metallb-system", "deployment/controller"),
    ("kube-system", "deployment/metrics-server"),
    ("monitoring", "deployment/kube-state-metrics"),
    ("kube-system", "deployment/hostpath-provisioner"),
    ("traefik", "deployment/traefik"),
)

# What every supervised program has in common.
COMMON = """autorestart = true
startsecs = 1
startretries = 100
redirect_stderr = true
stdout_logfile = $state/log/%(program_name)s.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 1"""


def values(network: Network, programs: dict[str, Path]) -> dict[str, str]:
    """Return what the templates' names stand for; each program is there by its name with `_` for `-`."""
    paths = {"state": str(STATE), "run": str(RUN), "pki": str(STATE / "pki")}
    return {
        **paths,
        **{name.replace("-", "_"): str(path) for name, path in programs.items()},
        "node": str(network.node),
        "machine": str(network.machine),
        "api_port": str(network.api_port),
        "registry": network.registry,
        "pods": str(network.pods),
        "services": str(network.services),
        "dns": str(network.dns),
        "bridge": network.bridge,
        "policy_queue": str(network.policy_queue),
        "gateway": str(network.gateway),
        "assigned": network.assigned,
        "kubernetes": KUBERNETES,
        "in_node": f"nsenter --net={RUN}/netns",
        "common": Template(COMMON).substitute(paths),
    }


def render(template: str, known: dict[str, str]) -> str:
    """Return the template file called `template`, filled in; a name that is not `known` is a KeyError."""
    return Template((TEMPLATES / template).read_text()).substitute(known)


def programs(tools: Toolchain) -> dict[str, Path]:
    """Return every program that the platform's configuration names."""
    containerd = debian.unpacked("containerd")
    return {
        **tools.binaries,
        "containerd": containerd,
        "containerd-dir": containerd.parent,
        "etcd": debian.unpacked("etcd-server"),
        "docker-registry": debian.unpacked("docker-registry"),
    }


def configure(tools: Toolchain) -> None:
    """Write the configuration, and once in the platform's life its keys and the passphrase of its Pulumi state."""
    known = values(NETWORK, programs(tools))
    files = {
        "config/supervisord.conf": render("supervisord.conf", known),
        "config/kubeadm.yaml": render("kubeadm.yaml", known),
        "config/kubelet.yaml": render("kubelet.yaml", known),
        "config/kube-proxy.yaml": render("kube-proxy.yaml", known),
        "config/containerd.toml": render("containerd.toml", known),
        "config/registry.yaml": render("registry.yaml", known),
        "config/buildkitd.toml": render("buildkitd.toml", known),
        "cni/10-cloudnative.conflist": render("cni.json", known),
        f"registries/{NETWORK.registry}/hosts.toml": render("registry-mirror.toml", known),
        # Nobody answers there: names outside the cluster are refused at once instead of leaving the machine.
        "resolv.conf": f"nameserver {NETWORK.node}\n",
    }
    for name, text in files.items():
        _write(STATE / name, text)
    for kind, builder in {"instances": _builder(), "defaults": None}.items():
        folder = BUILDX / kind
        folder.mkdir(parents=True, exist_ok=True)
        if builder:
            _write(folder / CONTEXT, builder)
    if not PASSPHRASE.exists():
        _write(PASSPHRASE, os.urandom(24).hex())
    if not KUBECONFIG.exists():
        _make_keys(tools)
    if not (STATE / "pki" / "kubelet.crt").exists():
        _make_kubelet_certificate()


def _builder() -> str:
    """Return buildx' record of the builder: a remote one, behind BuildKit's socket."""
    node = {"Name": f"{CONTEXT}0", "Endpoint": f"unix://{RUN}/buildkitd.sock"}
    return json.dumps({"Name": CONTEXT, "Driver": "remote", "Nodes": [node], "Dynamic": False})


def _write(path: Path, text: str) -> None:
    # kube-proxy ends when its file is written, whatever is in it, and is gone for a moment.
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _make_keys(tools: Toolchain) -> None:
    with step("Keys and kubeconfigs, by kubeadm"):
        kubeadm, config = tools["kubeadm"], f"--config={STATE}/config/kubeadm.yaml"
        folder = f"--kubeconfig-dir={STATE}/kubernetes"
        run([kubeadm, "init", "phase", "certs", "all", config], log="kubeadm")
        run([kubeadm, "init", "phase", "kubeconfig", "all", config, folder], log="kubeadm")
        proxy = ["kubeconfig", "user", "--client-name=system:kube-proxy", "--validity-period=87600h"]
        said = run([kubeadm, *proxy, config], log="kubeadm", secret=True)
        _write(STATE / "kubernetes" / "kube-proxy.conf", said)
        # The user's own copy: its context has a name that says where it leads.
        admin = (STATE / "kubernetes" / "admin.conf").read_text()
        _write(STATE / "kubernetes" / "user.conf", admin.replace("kubernetes-admin@cloudnative", CONTEXT))
        (STATE / "kubernetes" / "user.conf").rename(KUBECONFIG)


def _make_kubelet_certificate() -> None:
    """Make the certificate by which the kubelet is known to who asks it, for ten years; kubeadm has no phase for it."""
    pki = STATE / "pki"
    command = f"openssl req -x509 -config /dev/null -CA {pki}/ca.crt -CAkey {pki}/ca.key -days 3650 -nodes"
    key = f"-newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout {pki}/kubelet.key -out {pki}/kubelet.crt"
    name = f"-subj /O=system:nodes/CN=system:node:{CONTEXT} -addext subjectAltName=IP:{NETWORK.node}"
    use = "-addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth"
    run([*command.split(), *key.split(), *name.split(), *use.split()], log="kubeadm")


def start_programs() -> None:
    """Start those of the node's programs that do not run, and return when the registry answers.

    The kubelet is left alone: `start_pods` starts it.
    """
    for program, state in node.states().items():
        if program != "kubelet" and state not in {"STARTING", "RUNNING", "BACKOFF"}:
            node.start_program(program)
    wait_for("The registry's start", lambda: answers(f"http://{NETWORK.registry}/v2/"), seconds=60, see=str(LOGS))


def answers(url: str) -> bool:
    """Tell whether `url` is answered with success."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def wait_for_api(tools: Toolchain) -> None:
    """Return once the API server says that it is ready."""
    log = f"{LOGS}/kube-apiserver.log"
    wait_for(
        "The API server's start", lambda: _kubectl_says(tools, "get", "--raw=/readyz") == "ok", seconds=90, see=log
    )


def start_pods(tools: Toolchain) -> None:
    """Start the kubelet, once services have their addresses, and return when the node is ready for pods.

    Pods that the last run left in etcd ended with its node; they are dropped first, for their owners to make anew.
    """
    if node.states().get("kubelet") == "RUNNING":
        return
    with step("The node is ready for pods"):
        kubectl(tools, "delete", "pods", "--all", "--all-namespaces", "--force", "--grace-period=0")
        wait_for("kube-proxy's first round", _services_have_addresses, seconds=60, see=f"{LOGS}/kube-proxy.log")
        node.start_program("kubelet")
        ready = "jsonpath={.items[0].status.conditions[?(@.type=='Ready')].status}"
        says = lambda: _kubectl_says(tools, "get", "nodes", "-o", ready) == "True"  # noqa: E731
        wait_for("The node's readiness", says, seconds=90, see=f"{LOGS}/kubelet.log")


def _services_have_addresses() -> bool:
    """Ask kube-proxy whether it has written its rules once; until then it says year 1 (Go's zero time)."""
    try:
        said = httpx.get(f"http://{NETWORK.node}:10256/livez", trust_env=False)
    except httpx.TransportError:
        return False
    return said.is_success and not said.json()["lastUpdated"].startswith("0001-")


def _kubectl_says(tools: Toolchain, *arguments: str) -> str:
    command = [str(tools["kubectl"]), f"--kubeconfig={ADMIN}", "--request-timeout=2s", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def kubectl(tools: Toolchain, *arguments: str, stdin: str | None = None) -> str:
    """Run a kubectl command as the cluster's administrator and return what it prints."""
    return run([tools["kubectl"], f"--kubeconfig={ADMIN}", *arguments], log="add-ons", stdin=stdin)


def apply(tools: Toolchain, manifests: str) -> None:
    """Apply manifests, whoever set their fields before."""
    kubectl(tools, "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=manifests)


def crds(tools: Toolchain, *names: str) -> str:
    """Return the CRDs that are assets of the tools called `names`, as one text."""
    return "\n---\n".join(path.read_text() for name in names for path in tools.assets(name))


def apply_crds(tools: Toolchain, *names: str) -> None:
    """Apply the CRDs that are assets of the tools called `names`, and wait until their kinds are served."""
    apply(tools, crds(tools, *names))
    kubectl(tools, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


def add_ons(tools: Toolchain) -> None:
    """Apply what runs in the cluster from the start, and wait until it does."""
    known = values(NETWORK, programs(tools))
    with step("Cluster add-ons: NetworkPolicies, CoreDNS, MetalLB, metrics, storage, Traefik"):
        apply_crds(tools, *CRDS)
        apply(tools, "\n---\n".join([*(render(f"{name}.yaml", known) for name in MANIFESTS), _coredns(tools)]))
        for namespace, workload in WORKLOADS:
            kubectl(tools, "rollout", "status", f"--namespace={namespace}", workload, "--timeout=120s")
        # Until it is, the API server cannot say all that it serves.
        kubectl(tools, "wait", "--for=condition=Available", "apiservice", "--all", "--timeout=60s")


def add_ons_ready(tools: Toolchain) -> dict[str, bool]:
    """Tell of each of `WORKLOADS`, as `namespace/name`, whether it is ready; none is while no API server answers."""
    said = _kubectl_says(tools, "get", "deployments,daemonsets", "--all-namespaces", "--output=json")
    found = ready(json.loads(said)["items"]) if said else set()
    return {
        f"{namespace}/{workload.partition('/')[2]}": (namespace, workload) in found for namespace, workload in WORKLOADS
    }


def ready(workloads: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Return those Deployments and DaemonSets, as `WORKLOADS` names them, that have as many pods ready as they want."""
    found = set()
    for each in workloads:
        status = each["status"]
        wanted = status.get("desiredNumberScheduled", each["spec"].get("replicas"))
        if status.get("numberReady", status.get("readyReplicas", 0)) == wanted:
            found.add((each["metadata"]["namespace"], f"{each['kind'].lower()}/{each['metadata']['name']}"))
    return found


def _coredns(tools: Toolchain) -> str:
    """Return kubeadm's manifests for CoreDNS, with one replica: there is one node."""
    phase = ["init", "phase", "addon", "coredns", "--print-manifest", f"--config={STATE}/config/kubeadm.yaml"]
    return run([tools["kubeadm"], *phase], log="add-ons").replace("replicas: 2", "replicas: 1")
