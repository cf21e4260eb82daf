"""The first process of the node: lays out its mounts and its network, then becomes the supervisor.

`local.node` starts it in process and mount namespaces of its own. All that it makes, mounts, links, rules and
processes, is the kernel's to take back when it ends, so that a crash leaves nothing behind.
"""

import os
import subprocess
import sys
from pathlib import Path

from local.network import NETWORK, Network
from local.paths import RUN, STATE

# The kubelet insists on these; a file in their place leaves the machine's own settings alone.
KUBELET_SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)

# Folders that containerd, the CNI plugins and the kubelet use by name: the node has its own, which end with it.
PRIVATE = ("/run/buildkit", "/run/containerd", "/run/netns", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")


def layout(network: Network) -> list[str]:
    """Return the commands that lay out the node, in order."""
    inside = f"nsenter --net={RUN}/netns"
    return [
        # Pods' volumes have to reach the processes of the same node, and nothing else.
        "mount --make-rprivate /",
        "mount --make-rshared /",
        *(f"mount -t tmpfs -o mode=0700 tmpfs {folder}" for folder in (*PRIVATE, f"{RUN}/containerd")),
        *(f"mount --bind {RUN}/sysctl/{name.replace('/', '.')} /proc/sys/{name}" for name in KUBELET_SYSCTLS),
        f"unshare --net={RUN}/netns true",
        f"{inside} ip link add eth0 type veth peer name {network.interface} netns 1",
        f"ip address add {network.machine}/{network.link.prefixlen} dev {network.interface}",
        f"ip link set {network.interface} up",
        f"ip route add {network.load_balancers} via {network.node}",
        f"{inside} ip link set lo up",
        f"{inside} ip address add {network.node}/{network.link.prefixlen} dev eth0",
        f"{inside} ip link set eth0 up",
        # For the node's own programs to name a service; kube-proxy replaces the address before it leaves.
        f"{inside} ip route add {network.services} dev eth0",
        f"{inside} sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1",
        *(f"{inside} iptables --table mangle {rule}" for rule in policing(network)),
    ]


def policing(network: Network) -> list[str]:
    """Return the firewall rules that hand each new connection of a pod to the engine of NetworkPolicies.

    Nobody listening on the queue is a verdict too: the connection does not come about. The rules see a packet after
    kube-proxy has replaced a service's address by a pod's, and before it hides the sender's.
    """
    chain, queue = "POLICIES", f"--jump NFQUEUE --queue-num {network.policy_queue}"
    return [
        f"--new-chain {chain}",
        f"--append {chain} --match conntrack --ctstate ESTABLISHED,RELATED --jump RETURN",
        f"--append {chain} --source {network.pods} {queue}",
        f"--append {chain} --destination {network.pods} {queue}",
        # The node's own programs always reach its pods, as Kubernetes has it: the kubelet's probes, the API server.
        "--append POSTROUTING --match owner --uid-owner 0 --jump RETURN",
        f"--append POSTROUTING --jump {chain}",
        f"--append INPUT --in-interface {network.bridge} --jump {chain}",
    ]


def main() -> None:
    """Lay out the node and become the supervisor."""
    for name in KUBELET_SYSCTLS:
        copy = RUN / "sysctl" / name.replace("/", ".")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(Path("/proc/sys", name).read_text())
    for folder in (*PRIVATE, RUN / "containerd"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    (RUN / "netns").touch()
    for command in layout(NETWORK):
        subprocess.run(command.split(), check=True)
    # Runs from a copy outside the checkout, which may be gone before the platform is.
    supervisor = ["-m", "supervisor.supervisord", "-c", f"{STATE}/config/supervisord.conf"]
    python = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001 - the interpreter behind the venv
    os.chdir("/")
    env = {**os.environ, "PYTHONPATH": f"{STATE}/lib"}
    env.pop("GOGC", None)  # `make env` sets it for Pulumi's short-lived processes; these here live long
    os.execve(python, [python, *supervisor], env)


if __name__ == "__main__":
    main()
