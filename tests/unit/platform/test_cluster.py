"""The node's configuration, as it is written."""

import configparser
import ipaddress
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import cluster, init, manifests
from local.cluster import monitoring
from local.network import NETWORK
from local.paths import CHECKOUT, STATE

PROGRAMS = (
    "buildkitd",
    "containerd",
    "containerd-dir",
    "docker-registry",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
)
KNOWN = cluster.values(NETWORK, {name: Path("/programs") / name for name in PROGRAMS})
TEMPLATES = sorted(
    path.name for path in cluster.TEMPLATES.iterdir() if path.suffix in {".yaml", ".toml", ".json", ".conf"}
)
APPLIED = (*cluster.MANIFESTS, "monitoring")
CAPABILITIES = {"network-policies": ["NET_ADMIN"], "storage": ["DAC_OVERRIDE", "FOWNER"]}
"""What add-ons may do that others may not; each of the two runs as root for it."""

ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")


def supervised() -> dict[str, list[str]]:
    """Return each supervised program's command by its name."""
    parser = configparser.RawConfigParser()
    parser.read_string(cluster.render("supervisord.conf", KNOWN))
    sections = [section for section in parser.sections() if section.startswith("program:")]
    return {section.removeprefix("program:"): shlex.split(parser[section]["command"]) for section in sections}


def objects(manifest: str, *kinds: str) -> list[dict[str, Any]]:
    """Return the objects of some kinds that one of the cluster's manifests makes."""
    documents = yaml.load_all(cluster.render(f"{manifest}.yaml", KNOWN), Loader=yaml.CSafeLoader)
    return [each for each in documents if each["kind"] in kinds]


def containers(manifest: str) -> list[dict[str, Any]]:
    """Return the containers that one of the cluster's manifests makes."""
    specs = [each["spec"]["template"]["spec"] for each in objects(manifest, "DaemonSet", "Deployment")]
    return [container for spec in specs for container in spec["containers"]]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_asks_for_no_name_that_is_not_known(template: str) -> None:
    assert "$" not in re.sub(r"\$\{?[a-z_]+\}?", "", cluster.render(template, KNOWN))


def test_a_template_that_asks_for_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="pods"):
        cluster.render("cni.json", {name: value for name, value in KNOWN.items() if name != "pods"})


@pytest.mark.parametrize("template", [name for name in TEMPLATES if name.endswith(".yaml")])
def test_yaml_templates_are_yaml(template: str) -> None:
    assert all(isinstance(document, dict) for document in yaml.safe_load_all(cluster.render(template, KNOWN)))


def test_the_pods_network_is_json_and_has_the_pods_range() -> None:
    plugins = json.loads(cluster.render("cni.json", KNOWN))["plugins"]
    assert plugins[0]["ipam"]["ranges"] == [[{"subnet": str(NETWORK.pods)}]]


def test_nothing_listens_beyond_loopback_and_the_node() -> None:
    allowed = {"127.0.0.1", str(NETWORK.node), str(NETWORK.machine), str(NETWORK.dns), str(NETWORK.gateway)}
    allowed |= set(NETWORK.assigned.split("-"))
    networks = {str(network.network_address) for network in (NETWORK.pods, NETWORK.services, NETWORK.load_balancers)}
    for template in TEMPLATES:
        for address in ADDRESS.findall(cluster.render(template, KNOWN)):
            assert address in allowed | networks, f"{template} names {address}"
            assert not ipaddress.ip_address(address).is_unspecified


def test_every_program_but_the_builder_runs_in_the_nodes_network() -> None:
    outside = {name for name, command in supervised().items() if command[0] != "nsenter"}
    assert outside == {"buildkitd"}


def test_a_file_that_says_what_it_should_is_left_alone_since_programs_end_when_theirs_is_written(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config" / "kube-proxy.yaml"
    cluster._write(file, "mode: iptables")
    os.utime(file, ns=(0, 0))
    cluster._write(file, "mode: iptables")
    assert file.stat().st_mtime_ns == 0
    cluster._write(file, "mode: nftables")
    assert file.read_text() == "mode: nftables"


def test_all_state_stands_outside_the_checkout() -> None:
    for name, command in supervised().items():
        assert not any(str(CHECKOUT) in word for word in command), name
    assert not STATE.is_relative_to(CHECKOUT)


def test_the_stacks_name_the_platforms_own_addresses() -> None:
    for path in sorted(CHECKOUT.glob("Pulumi.*.yaml")):
        config = yaml.safe_load(path.read_text())["config"]
        assert config["cloudnative:registry"]["address"] == NETWORK.registry
        assert config["cloudnative:cluster"]["context"] == cluster.CONTEXT
        assert config["cloudnative:build"]["builderName"] == cluster.CONTEXT


def test_the_layout_makes_mounts_private_before_it_mounts_anything() -> None:
    commands = init.layout(NETWORK)
    assert commands[0] == "mount --make-rprivate /"
    first = next(index for index, command in enumerate(commands) if command.startswith("mount -t"))
    assert first > commands.index("mount --make-rshared /")


def test_connections_that_stand_are_let_through_and_new_ones_of_pods_wait_for_a_verdict() -> None:
    chain = [rule for rule in init.policing(NETWORK) if rule.startswith("--append POLICIES")]
    assert "--ctstate ESTABLISHED,RELATED --jump RETURN" in chain[0]
    ends = [f"{end} {NETWORK.pods}" for end in ("--source", "--destination")]
    assert [end for end, rule in zip(ends, chain[1:], strict=True) if end in rule and "NFQUEUE" in rule] == ends


def test_the_nodes_own_programs_are_let_through_before_pods_connections_are_queued() -> None:
    leaving = [rule for rule in init.policing(NETWORK) if rule.startswith("--append POSTROUTING")]
    assert ["--uid-owner 0 --jump RETURN" in rule for rule in leaving] == [True, False]


def test_what_pods_send_to_the_node_itself_is_policed_too() -> None:
    assert f"--append INPUT --in-interface {NETWORK.bridge} --jump POLICIES" in init.policing(NETWORK)
    assert json.loads(cluster.render("cni.json", KNOWN))["plugins"][0]["bridge"] == NETWORK.bridge


def test_the_engine_of_network_policies_listens_where_the_rules_send_to() -> None:
    (container,) = containers("network-policies")
    assert f"--nfqueue-id={NETWORK.policy_queue}" in container["args"]
    assert all(f"--queue-num {NETWORK.policy_queue}" in rule for rule in init.policing(NETWORK) if "NFQUEUE" in rule)


@pytest.mark.parametrize("manifest", APPLIED)
def test_add_ons_are_confined_and_say_what_they_take(manifest: str) -> None:
    for container in containers(manifest):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
        assert context["capabilities"].get("add", []) == CAPABILITIES.get(manifest, [])
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert "readinessProbe" in container


@pytest.mark.parametrize("manifest", APPLIED)
def test_add_ons_may_do_what_their_roles_spell_out_and_nothing_by_wildcard(manifest: str) -> None:
    for role in objects(manifest, "ClusterRole", "Role"):
        assert not [rule for rule in role["rules"] for words in rule.values() if "*" in words], role["metadata"]


def test_kube_state_metrics_may_read_what_it_tells_of_and_nothing_else() -> None:
    (container,) = containers("kube-state-metrics")
    (role,) = objects("kube-state-metrics", "ClusterRole")
    (told,) = [word.removeprefix("--resources=") for word in container["args"] if word.startswith("--resources=")]
    assert sorted(told.split(",")) == sorted(kind for rule in role["rules"] for kind in rule["resources"])
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list", "watch"}


def test_the_operator_may_write_in_its_own_namespace_only() -> None:
    (role,) = (role for role in objects("monitoring", "ClusterRole") if role["metadata"]["name"] != "prometheus")
    writable = [rule["resources"] for rule in role["rules"] if set(rule["verbs"]) - {"get", "list", "watch"}]
    assert writable == [["events"]]
    assert {role["metadata"]["namespace"] for role in objects("monitoring", "Role")} == {monitoring.NAMESPACE}


def test_the_operators_servers_select_what_the_stacks_label() -> None:
    configs = [yaml.safe_load(path.read_text())["config"] for path in sorted(CHECKOUT.glob("Pulumi.*.yaml"))]
    stacks = [config["cloudnative:monitoring"] for config in configs]
    labels = [stack["labels"] for stack in stacks if stack["kind"] == "operator"]
    (prometheus,), (alertmanager,) = objects("monitoring", "Prometheus"), objects("monitoring", "Alertmanager")
    for selector in ("serviceMonitorSelector", "ruleSelector"):
        assert [prometheus["spec"][selector]["matchLabels"]] * len(labels) == labels
    assert [alertmanager["spec"]["alertmanagerConfigSelector"]["matchLabels"]] * len(labels) == labels
    monitors = objects("monitoring", "ServiceMonitor")
    assert all(each["metadata"]["labels"] == labels[0] for each in monitors)


@pytest.mark.parametrize(("name", "count"), [("monitoring", 4), ("traefik", 1)])
def test_custom_objects_are_as_their_kinds_schemas_have_them(name: str, count: int) -> None:
    kinds = [crd["spec"]["names"]["kind"] for crd in manifests.custom_kinds()]
    bodies = objects(name, *kinds)
    assert len(bodies) == count
    for body in bodies:
        manifest = manifests.Manifest(file=Path(f"{name}.yaml"), body=body)
        assert not list(manifests.against_schema(manifest, manifests.custom_kinds()))


def flags(manifest: str) -> dict[str, str]:
    """Return the flags of a manifest's one container by name."""
    (container,) = containers(manifest)
    return dict(word.removeprefix("--").split("=", 1) for word in container["args"])


def test_no_service_but_the_gateways_is_given_the_gateways_address() -> None:
    pools = {pool["metadata"]["name"]: pool["spec"] for pool in objects("metallb", "IPAddressPool")}
    assert pools["platform"] == {"addresses": [NETWORK.assigned]}
    assert pools["gateway"]["addresses"] == [f"{NETWORK.gateway}/32"]
    (service,) = (each for each in objects("traefik", "Service") if each["spec"].get("type") == "LoadBalancer")
    assert pools["gateway"]["serviceAllocation"] == {"namespaces": [service["metadata"]["namespace"]]}
    assert service["metadata"]["annotations"] == {"metallb.io/address-pool": "gateway"}
    first, last = (ipaddress.IPv4Address(end) for end in NETWORK.assigned.split("-"))
    assert NETWORK.gateway < first < last < NETWORK.load_balancers.broadcast_address


def test_the_gateway_sees_the_clients_own_addresses_and_serves_the_machine_only() -> None:
    (service,) = (each["spec"] for each in objects("traefik", "Service") if each["spec"].get("type") == "LoadBalancer")
    assert service["externalTrafficPolicy"] == "Local"
    assert service["loadBalancerSourceRanges"] == [f"{NETWORK.machine}/32"]


def test_a_gateways_listener_finds_traefik_by_the_port_of_the_service() -> None:
    (service,) = (each["spec"] for each in objects("traefik", "Service") if each["spec"].get("type") == "LoadBalancer")
    (container,) = containers("traefik")
    listened = {port["name"]: port["containerPort"] for port in container["ports"]}
    for port in service["ports"]:
        assert flags("traefik")[f"entrypoints.{port['name']}.address"] == f":{port['port']}"
        assert listened[port["targetPort"]] == port["port"]


def test_traefik_has_time_to_drain_before_it_is_ended() -> None:
    (deployment,) = objects("traefik", "Deployment")
    lifecycle = [f"entrypoints.{name}.transport.lifecycle" for name in ("web", "websecure")]
    for name in lifecycle:
        stages = (flags("traefik")[f"{name}.{stage}"] for stage in ("requestacceptgracetimeout", "gracetimeout"))
        needed = sum(int(stage.removesuffix("s")) for stage in stages)
        assert needed < deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def test_traefik_tells_nobody_what_it_does_and_writes_no_query_down() -> None:
    told = flags("traefik")
    assert told["global.sendanonymoususage"] == told["global.checknewversion"] == "false"
    assert told["accesslog.fields.queryparameters.defaultmode"] == "drop"
    assert not [name for name in told if name.startswith(("api", "accesslog.fields.headers"))]


def test_traefik_may_read_the_kinds_that_it_waits_for_and_write_their_states_only() -> None:
    (role,) = objects("traefik", "ClusterRole")
    written = [
        kind for rule in role["rules"] if set(rule["verbs"]) - {"get", "list", "watch"} for kind in rule["resources"]
    ]
    assert all(kind.endswith("/status") for kind in written)
    specs = [crd["spec"] for crd in manifests.custom_kinds()]
    for group in ("gateway.networking.k8s.io", "traefik.io"):
        readable = {
            kind
            for rule in role["rules"]
            if rule["apiGroups"] == [group] and "watch" in rule["verbs"]
            for kind in rule["resources"]
        }
        assert readable == {spec["names"]["plural"] for spec in specs if spec["group"] == group}


def test_traefik_is_reached_from_the_machine_and_its_metrics_by_prometheus_alone() -> None:
    denied, allowed = (policy["spec"] for policy in objects("traefik", "NetworkPolicy"))
    assert denied == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    prometheus = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}
    assert [(rule["from"], [port["port"] for port in rule["ports"]]) for rule in allowed["ingress"]] == [
        ([{"ipBlock": {"cidr": f"{NETWORK.machine}/32"}}], ["web", "websecure"]),
        ([prometheus], ["metrics"]),
    ]


def test_volumes_are_made_where_the_platforms_state_is() -> None:
    (deployment,), (container,) = objects("storage", "Deployment"), containers("storage")
    (storage_class,) = objects("storage", "StorageClass")
    provisioner, folder, _ = container["args"]
    assert storage_class["provisioner"] == provisioner
    (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
    # What the kubelet is told to mount is a path of the node, so both have to see it under one name.
    assert folder == container["volumeMounts"][0]["mountPath"] == volume["hostPath"]["path"]
    assert Path(folder).is_relative_to(STATE)


def test_forwarding_is_switched_on_in_the_nodes_network_only() -> None:
    forwarding = [command for command in init.layout(NETWORK) if "ip_forward" in command]
    assert forwarding
    assert all(command.startswith("nsenter --net=") for command in forwarding)


def test_an_add_on_is_ready_when_it_has_all_the_pods_that_it_wants() -> None:
    def workload(kind: str, name: str, spec: dict[str, int], status: dict[str, int]) -> dict[str, Any]:
        return {"kind": kind, "metadata": {"namespace": "shop", "name": name}, "spec": spec, "status": status}

    found = cluster.ready(
        [
            workload("Deployment", "up", {"replicas": 2}, {"readyReplicas": 2}),
            workload("Deployment", "half-up", {"replicas": 2}, {"readyReplicas": 1}),
            workload("Deployment", "down", {"replicas": 1}, {}),
            workload("DaemonSet", "everywhere", {}, {"desiredNumberScheduled": 1, "numberReady": 1}),
            workload("DaemonSet", "nowhere", {}, {"desiredNumberScheduled": 1, "numberReady": 0}),
        ]
    )
    assert found == {("shop", "deployment/up"), ("shop", "daemonset/everywhere")}
    assert {workload.partition("/")[0] for _, workload in cluster.WORKLOADS} == {"daemonset", "deployment"}
