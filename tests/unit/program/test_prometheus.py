"""The stack's own Prometheus."""

from dataclasses import replace
from typing import Any

import pulumi
import pytest
import yaml

from components.alertmanager import Alertmanager, AlertmanagerArgs
from components.exposure import Published
from components.monitored_service import MonitoredService
from components.network import Peer
from components.prometheus import Prometheus, PrometheusArgs
from components.server import LARGEST
from components.signals import Sources
from tests.unit.program.examples import NAMESPACE, SERVICE, SOURCES
from tests.unit.program.harness import ADDRESS, LABELS, Run, run

ALERTMANAGER = AlertmanagerArgs(
    namespace=NAMESPACE,
    labels=LABELS,
    image="base/alertmanager:0",
    sent_by=Peer(pods=LABELS.selector("prometheus")),
    service_type="ClusterIP",
)


def args(**changes: Any) -> PrometheusArgs:
    return PrometheusArgs(
        **{
            "namespace": NAMESPACE,
            "labels": LABELS,
            "image": "base/prometheus:3",
            "services": [SERVICE],
            "sources": Sources(),
            "alertmanager": None,
            "runbooks": "docs/runbooks.md",
            "scrape_interval_seconds": 5,
            "retention": "1d",
            "service_type": "LoadBalancer",
            "api_server": ["10.90.0.1/32"],
            **changes,
        }
    )


def server(**changes: Any) -> Run:
    def declare() -> None:
        made = Prometheus("prometheus", args(alertmanager=Alertmanager("alertmanager", ALERTMANAGER), **changes))
        pulumi.export("url", made.url)
        pulumi.export("page_url", made.page_url)

    return run(declare)


def services(count: int) -> list[MonitoredService]:
    targets = [replace(SERVICE.target, name=f"service{number}") for number in range(count)]
    return [replace(SERVICE, target=target, calls=()) for target in targets]


@pytest.fixture(scope="module")
def prometheus() -> Run:
    return server()


@pytest.fixture
def pod(prometheus: Run) -> dict[str, Any]:
    spec: dict[str, Any] = prometheus.one("Deployment", "prometheus-deployment").inputs["spec"]["template"]["spec"]
    return spec


def test_it_reads_the_configuration_that_is_rendered_from_the_targets(prometheus: Run, pod: dict[str, Any]) -> None:
    config = yaml.safe_load(prometheus.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"])
    assert [job["job_name"] for job in config["scrape_configs"]] == ["webapp"]
    volume = next(volume for volume in pod["volumes"] if volume["name"] == "config")
    config_map = prometheus.one("ConfigMap", "prometheus-config").inputs
    (source,) = volume["projected"]["sources"]
    assert source["configMap"]["name"] == config_map["metadata"]["name"]
    assert {item["key"] for item in source["configMap"]["items"]} == config_map["data"].keys()
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "config")
    assert f"--config.file={mount['mountPath']}/prometheus.yml" in pod["containers"][0]["args"]


def test_what_one_config_map_cannot_hold_is_shared_out_and_all_of_it_is_mounted() -> None:
    run = server(services=services(80))
    maps = run.all("ConfigMap")
    made = {one.inputs["metadata"]["name"]: one.inputs["data"] for one in maps if one.name.startswith("prometheus-")}
    assert len(made) > 1
    for data in made.values():
        assert 0 < sum(len(text.encode()) for text in data.values()) <= LARGEST
    pod = run.one("Deployment", "prometheus-deployment").inputs["spec"]["template"]["spec"]
    sources = next(volume["projected"]["sources"] for volume in pod["volumes"] if volume["name"] == "config")
    mounted = {one["configMap"]["name"]: {item["key"] for item in one["configMap"]["items"]} for one in sources}
    assert mounted == {name: data.keys() for name, data in made.items()}


def test_a_file_that_no_config_map_could_hold_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=rf"files must each have at most {LARGEST} bytes, found \d+ in rules.yml"):
        server(services=services(200))


def test_a_changed_configuration_rolls_the_server(prometheus: Run) -> None:
    names = {
        run.one("ConfigMap", "prometheus-config").inputs["metadata"]["name"]
        for run in (prometheus, server(scrape_interval_seconds=6))
    }
    assert len(names) == 2


def test_its_rights_are_to_look_up_the_pods_of_its_own_namespace_and_no_more(prometheus: Run) -> None:
    assert not prometheus.all("ClusterRole")
    assert not prometheus.all("ClusterRoleBinding")
    assert prometheus.one("Role").inputs["metadata"]["namespace"] == NAMESPACE
    assert prometheus.one("Role").inputs["rules"] == [
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list", "watch"]},
    ]


def test_the_rights_are_bound_to_the_servers_account_alone(prometheus: Run, pod: dict[str, Any]) -> None:
    binding = prometheus.one("RoleBinding").inputs
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "prometheus"}
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": pod["serviceAccountName"], "namespace": NAMESPACE}
    ]


def test_it_talks_to_what_it_scrapes_and_to_the_api_server_alone(prometheus: Run) -> None:
    rules = prometheus.one("NetworkPolicy", "prometheus-network").inputs["spec"]["egress"]
    assert [rule["to"] for rule in rules] == [
        [{"podSelector": {"matchLabels": LABELS.selector("webapp")}}],
        [{"ipBlock": {"cidr": "10.90.0.1/32"}}],
        [{"podSelector": {"matchLabels": LABELS.selector("alertmanager")}}],
    ]
    assert [[port["port"] for port in rule["ports"]] for rule in rules] == [["metrics"], [443, 6443], ["http"]]


def test_with_the_clusters_signals_it_talks_to_their_sources_too() -> None:
    rules = server(sources=SOURCES).one("NetworkPolicy", "prometheus-network").inputs["spec"]["egress"]
    (state,), (kubelets,), (gateway,) = (rule["to"] for rule in rules[-3:])
    assert state == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "kube-state-metrics"}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    }
    assert kubelets == {"ipBlock": {"cidr": "10.90.0.1/32"}}
    assert gateway == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "traefik"}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}},
    }
    assert [[port["port"] for port in rule["ports"]] for rule in rules[-3:]] == [[8080], [10250], [9100]]


def test_beyond_its_namespace_it_may_find_nodes_and_read_their_kubelets_metrics_and_no_more() -> None:
    made = server(sources=SOURCES)
    assert made.one("ClusterRole").inputs["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    ]
    binding = made.one("ClusterRoleBinding").inputs
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": made.one("ClusterRole").inputs["metadata"]["name"],
    }
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "prometheus", "namespace": NAMESPACE}]


def test_two_stacks_in_one_cluster_do_not_share_rights_to_its_nodes() -> None:
    runs = [server(sources=SOURCES, namespace=namespace) for namespace in ("one", "two")]
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        names = [run.one(kind).inputs["metadata"]["name"] for run in runs]
        assert names == ["one-prometheus", "two-prometheus"]


def test_rules_and_page_are_where_the_server_looks_for_them(prometheus: Run, pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    folder = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "config")
    sources = next(volume["projected"]["sources"] for volume in pod["volumes"] if volume["name"] == "config")
    files = {f"{folder}/{item['path']}" for source in sources for item in source["configMap"]["items"]}
    data = prometheus.one("ConfigMap", "prometheus-config").inputs["data"]
    assert set(yaml.safe_load(data["prometheus.yml"])["rule_files"]) <= files
    (consoles,) = (arg.partition("=")[2] for arg in container["args"] if "console.templates" in arg)
    page = prometheus.exports["page_url"].removeprefix(f"{prometheus.exports['url']}/consoles/")
    assert f"{consoles}/{page}" in files


def test_alerts_are_sent_to_the_stacks_alertmanager(prometheus: Run) -> None:
    config = yaml.safe_load(prometheus.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"])
    service = prometheus.one("Service", "alertmanager-service").inputs
    (address,) = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert address == f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']:.0f}"


def test_only_the_servers_pod_gets_a_token(prometheus: Run, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is True
    assert prometheus.one("ServiceAccount", "prometheus-account").inputs["automountServiceAccountToken"] is False


def test_the_service_selects_exactly_the_deployments_pods(prometheus: Run) -> None:
    deployment = prometheus.one("Deployment", "prometheus-deployment").inputs["spec"]
    selector = prometheus.one("Service", "prometheus-service").inputs["spec"]["selector"]
    assert selector == deployment["selector"]["matchLabels"]
    assert selector.items() <= deployment["template"]["metadata"]["labels"].items()


def test_there_is_never_more_than_one_server(prometheus: Run) -> None:
    deployment = prometheus.one("Deployment", "prometheus-deployment").inputs["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})


def test_the_data_cannot_outgrow_its_volume(pod: dict[str, Any]) -> None:
    data = next(volume for volume in pod["volumes"] if volume["name"] == "data")
    assert data["emptyDir"] == {"sizeLimit": "1Gi"}
    assert "--storage.tsdb.retention.size=800MB" in pod["containers"][0]["args"]


def test_retention_reaches_the_server() -> None:
    (container,) = (
        server(retention="12h")
        .one("Deployment", "prometheus-deployment")
        .inputs["spec"]["template"]["spec"]["containers"]
    )
    assert "--storage.tsdb.retention.time=12h" in container["args"]


def test_nothing_can_change_or_stop_the_server_over_http(pod: dict[str, Any]) -> None:
    flags = " ".join(pod["containers"][0]["args"])
    assert "--web.enable-lifecycle" not in flags
    assert "--web.enable-admin-api" not in flags


@pytest.mark.parametrize(
    ("service_type", "url"),
    [("LoadBalancer", f"http://{ADDRESS}:9090"), ("ClusterIP", "http://prometheus.cloudnative-dev.svc:9090")],
)
def test_the_url_follows_from_the_services_type(service_type: str, url: str) -> None:
    assert server(service_type=service_type).exports["url"] == url


def test_where_a_gateway_leads_to_the_server_it_alone_gets_in_and_the_server_knows_the_url() -> None:
    published = Published(url="https://a.test/prometheus", gateway=Peer(namespace="gateways"))
    made = server(published=published, service_type="ClusterIP")
    assert made.exports == {
        "url": "https://a.test/prometheus",
        "page_url": "https://a.test/prometheus/consoles/services.html",
    }
    policy = made.one("NetworkPolicy", "prometheus-network").inputs["spec"]
    assert [one["from"] for one in policy["ingress"]] == [
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}]
    ]
    (container,) = made.one("Deployment", "prometheus-deployment").inputs["spec"]["template"]["spec"]["containers"]
    assert container["args"][-2:] == ["--web.external-url=https://a.test/prometheus", "--web.route-prefix=/"]


def test_pull_secrets_are_given_to_the_service_account() -> None:
    assert server(pull_secrets=["r"]).one("ServiceAccount", "prometheus-account").inputs["imagePullSecrets"] == [
        {"name": "r"}
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "prometheus:latest"}, "image must be an image with a digest or a tag"),
        ({"services": []}, "services must name at least one service"),
        ({"window_divisor": 30}, "window_divisor must be a divisor of 300"),
        ({"api_server": []}, "api_server must name at least one network"),
        ({"source_ranges": ["10.0.0.1/8"]}, "source_ranges must be a list of at least 1 network"),
    ],
    ids=["image", "services", "window_divisor", "api_server", "source_ranges"],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)
