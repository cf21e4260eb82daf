"""A service: its pods, its address, and its metrics."""

import re
from typing import Any

import pulumi
import pytest

from components import probes, web_service
from components.availability import Autoscaling, Shutdown
from components.faults import Faults
from components.network import Peer
from components.resources import Resources
from components.tracing import Tracing
from components.web_service import WebService, WebServiceArgs
from services import SERVICES
from tests.unit.program.examples import EXPORTED, NAMESPACE
from tests.unit.program.harness import ADDRESS, DIGEST, LABELS, ROOT, Run, plain_texts, run

COLLECTED = Tracing(endpoint="http://otel.example.com:4318", at=Peer(addresses=["192.0.2.8/32"]))
IMAGE = f"10.90.0.1:5000/webapp@{DIGEST}"
SIZES = {
    "cpu_request": "50m",
    "cpu_limit": "1",
    "memory_request": "96Mi",
    "memory_limit": "256Mi",
    "ephemeral_storage_request": "32Mi",
    "ephemeral_storage_limit": "256Mi",
}


def args(**changes: Any) -> WebServiceArgs:
    return WebServiceArgs(
        **{
            "namespace": NAMESPACE,
            "namespace_name": NAMESPACE,
            "exported": EXPORTED,
            "labels": LABELS,
            "image": IMAGE,
            "scraped_by": Peer(namespace="monitoring"),
            "replicas": 3,
            "port": 8080,
            "metrics_port": 9102,
            "service_port": 80,
            "service_type": "LoadBalancer",
            "timeout_seconds": 120,
            "resources": Resources(**SIZES),
            "log_level": "info",
            **changes,
        }
    )


def service(**changes: Any) -> Run:
    def declare() -> None:
        pulumi.export("url", WebService("webapp", args(**changes)).url)

    return run(declare)


@pytest.fixture(scope="module")
def webapp() -> Run:
    return service()


@pytest.fixture
def deployment(webapp: Run) -> dict[str, Any]:
    spec: dict[str, Any] = webapp.one("Deployment").inputs["spec"]
    return spec


@pytest.fixture
def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return dict(only)


@pytest.mark.parametrize("name", ["webapp-service", "webapp-metrics"])
def test_a_service_selects_exactly_the_deployments_pods(webapp: Run, deployment: dict[str, Any], name: str) -> None:
    selector = webapp.one("Service", name).inputs["spec"]["selector"]
    assert selector == deployment["selector"]["matchLabels"]
    assert selector.items() <= deployment["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", ["webapp-service", "webapp-metrics"])
def test_every_port_of_a_service_is_a_named_port_of_the_container(
    webapp: Run, container: dict[str, Any], name: str
) -> None:
    exposed = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in webapp.one("Service", name).inputs["spec"]["ports"]} <= exposed


def test_the_service_leads_from_its_port_to_the_containers(webapp: Run, container: dict[str, Any]) -> None:
    spec = webapp.one("Service", "webapp-service").inputs["spec"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in spec["ports"]] == [("http", 80, "http")]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": 8080, "metrics": 9102}


def test_metrics_are_not_published_by_the_load_balancer(webapp: Run) -> None:
    public = webapp.one("Service", "webapp-service").inputs["spec"]
    assert "metrics" not in {port["targetPort"] for port in public["ports"]}
    metrics = webapp.one("Service", "webapp-metrics").inputs["spec"]
    assert (metrics["type"], metrics["clusterIP"]) == ("ClusterIP", "None")


def test_the_scrape_target_leads_to_the_metrics_service_alone() -> None:
    targets = []

    def declare() -> None:
        targets.append(WebService("webapp", args()).monitored.target)

    result = run(declare)
    (target,) = targets
    matching = [
        made.inputs
        for made in result.all("Service")
        if target.selector.items() <= made.inputs["metadata"]["labels"].items()
    ]
    assert [made["metadata"]["name"] for made in matching] == [target.service]
    assert [port["name"] for port in matching[0]["spec"]["ports"]] == [target.port]
    assert target.name == "webapp"


def test_the_objects_have_the_services_name(webapp: Run) -> None:
    kinds = ("Deployment", "ServiceAccount")
    assert {webapp.one(kind).inputs["metadata"]["name"] for kind in kinds} == {"webapp"}
    assert webapp.one("Service", "webapp-service").inputs["metadata"]["name"] == "webapp"


def test_the_container_has_the_services_name_and_runs_the_digest(container: dict[str, Any]) -> None:
    assert (container["name"], container["image"]) == ("webapp", IMAGE)


def test_an_update_never_runs_fewer_pods_than_asked_for(deployment: dict[str, Any]) -> None:
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "100%"}


@pytest.mark.parametrize("seconds", [30, 120])
def test_an_update_fails_when_the_pods_are_not_ready_in_time(seconds: int) -> None:
    made = service(timeout_seconds=seconds)
    assert made.one("Deployment").timeouts == (f"{seconds}s", f"{seconds}s")
    assert made.one("Service", "webapp-service").timeouts == (f"{seconds}s", f"{seconds}s")
    assert made.one("Deployment").inputs["spec"]["progressDeadlineSeconds"] == seconds


def test_the_kubelet_kills_a_pod_only_after_all_that_it_may_still_do(pod: dict[str, Any], webapp: Run) -> None:
    (container,) = pod["containers"]
    data = webapp.one("ConfigMap").inputs["data"]
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    after = int(data["DRAIN_SECONDS"]) + int(data["GRACEFUL_TIMEOUT_SECONDS"])
    assert before > 0
    assert before + after < pod["terminationGracePeriodSeconds"]


def test_startup_and_liveness_ask_whether_it_runs_and_readiness_whether_it_may_serve(container: dict[str, Any]) -> None:
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/healthz",
        "readiness": "/readyz",
        "liveness": "/healthz",
    }
    assert {probe["port"] for probe in probes.values()} == {"http"}


def test_a_pod_leaves_the_service_before_it_would_be_restarted(container: dict[str, Any]) -> None:
    def patience(probe: dict[str, Any]) -> int:
        return int(probe["periodSeconds"] * probe["failureThreshold"])

    assert patience(container["readinessProbe"]) < patience(container["livenessProbe"])
    assert patience(container["livenessProbe"]) < patience(container["startupProbe"])


def test_only_tmp_can_be_written_to_and_only_so_much(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert [(mount["name"], mount["mountPath"]) for mount in container["volumeMounts"]] == [("tmp", "/tmp")]
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]


def test_no_pod_gets_a_token_for_the_api_server(webapp: Run, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert webapp.one("ServiceAccount").inputs["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "webapp"


def test_the_pods_get_their_configuration_from_the_config_map(webapp: Run, container: dict[str, Any]) -> None:
    assert container["envFrom"] == [{"configMapRef": {"name": webapp.one("ConfigMap").inputs["metadata"]["name"]}}]
    assert webapp.one("ConfigMap").inputs["data"] == {
        "DRAIN_SECONDS": "5",
        "ENVIRONMENT": "dev",
        "GRACEFUL_TIMEOUT_SECONDS": "20",
        "LOG_LEVEL": "info",
        "METRICS_PORT": "9102",
        "PORT": "8080",
    }


def test_a_changed_configuration_rolls_the_pods(webapp: Run) -> None:
    names = [
        made.one("ConfigMap").inputs["metadata"]["name"] for made in (webapp, service(), service(log_level="debug"))
    ]
    assert names[0] == names[1] != names[2]
    assert re.fullmatch(r"webapp-config-[0-9a-f]{8}", names[0])


def test_further_variables_are_added(webapp: Run) -> None:
    data = service(config={"COLOUR": "blue"}).one("ConfigMap").inputs["data"]
    assert data == {**webapp.one("ConfigMap").inputs["data"], "COLOUR": "blue"}


def test_every_variable_that_the_component_sets_is_reserved_and_the_one_that_says_what_the_image_serves(
    webapp: Run, container: dict[str, Any]
) -> None:
    own = {variable["name"] for variable in container["env"]} | webapp.one("ConfigMap").inputs["data"].keys()
    of_image = {"SERVICE"}
    assert own | Faults().variables().keys() | COLLECTED.variables().keys() | of_image == web_service.RESERVED
    for name in (one.name for one in SERVICES):
        assert f"SERVICE={name.replace('-', '_')}\n" in (ROOT / "app" / name / "Dockerfile").read_text()


def test_a_service_is_asked_for_faults_only_where_it_is_told_to(webapp: Run) -> None:
    data = service(faults=Faults(error_percent=0.00001, delay_seconds=3)).one("ConfigMap").inputs["data"]
    asked = {"FAULT_ERROR_PERCENT": "0.00001", "FAULT_DELAY_SECONDS": "3"}
    assert data == {**webapp.one("ConfigMap").inputs["data"], **asked}


def test_spans_are_sent_where_it_is_told_and_nowhere_else(webapp: Run) -> None:
    made = service(tracing=COLLECTED)
    data = made.one("ConfigMap").inputs["data"]
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel.example.com:4318"}
    assert data == {**webapp.one("ConfigMap").inputs["data"], **endpoint}
    assert made.one("NetworkPolicy").inputs["spec"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": "192.0.2.8/32"}}], "ports": [{"port": 4318, "protocol": "TCP"}]}
    ]


@pytest.mark.parametrize(
    "endpoint", ["otel:4318", "http://otel", "http://otel:4318/v1/traces", "grpc://otel:4317", "http://otel:65536"]
)
def test_a_collector_that_no_flow_could_lead_to_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint must be the URL of an OTLP/HTTP collector with its port") as error:
        Tracing(endpoint=endpoint, at=Peer(namespace="otel"))
    assert endpoint in str(error.value)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"error_percent": 101}, "error_percent must be a number from 0 to 100, found 101"),
        ({"error_percent": float("nan")}, "error_percent must be a number from 0 to 100, found nan"),
        ({"delay_seconds": -0.5}, "delay_seconds must be a number from 0 to 30, found -0.5"),
    ],
)
def test_faults_that_the_app_would_refuse_are_refused(faults: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Faults(**faults)


def test_each_pod_knows_its_own_name(container: dict[str, Any]) -> None:
    assert container["env"] == [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]


def test_requests_and_limits_are_set(container: dict[str, Any]) -> None:
    assert container["resources"] == {
        "requests": {"cpu": "50m", "memory": "96Mi", "ephemeral-storage": "32Mi"},
        "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "256Mi"},
    }


@pytest.mark.parametrize(
    ("service_type", "port", "url"),
    [
        ("LoadBalancer", 80, f"http://{ADDRESS}"),
        ("LoadBalancer", 8000, f"http://{ADDRESS}:8000"),
        ("ClusterIP", 80, "http://webapp.cloudnative-dev.svc"),
        ("NodePort", 8000, "http://webapp.cloudnative-dev.svc:8000"),
    ],
)
def test_the_url_follows_from_the_services_type_and_port(service_type: str, port: int, url: str) -> None:
    assert service(service_type=service_type, service_port=port).exports["url"] == url


def test_an_update_waits_for_the_load_balancers_address_and_for_nothing_else_of_a_service() -> None:
    annotations = {
        kind: service(service_type=kind).one("Service", "webapp-service").inputs["metadata"]["annotations"]
        for kind in ("LoadBalancer", "NodePort", "ClusterIP")
    }
    for found in annotations.values():
        del found["pulumi.com/patchForce"]
    assert annotations == {
        "LoadBalancer": {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress}"},
        "NodePort": {"pulumi.com/skipAwait": "true"},
        "ClusterIP": {"pulumi.com/skipAwait": "true"},
    }


def test_pull_secrets_are_given_to_the_service_account(webapp: Run) -> None:
    account = service(pull_secrets=["registry"]).one("ServiceAccount").inputs
    assert account["imagePullSecrets"] == [{"name": "registry"}]
    assert "imagePullSecrets" not in webapp.one("ServiceAccount").inputs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicas": 0}, "replicas must be at least 1, found 0"),
        ({"port": 80}, "port must be from 1024 to 65535, found 80: the process is not root"),
        ({"metrics_port": 65536}, "metrics_port must be from 1024 to 65535, found 65536"),
        ({"metrics_port": 8080}, "metrics_port must not be port, found 8080 for both"),
        ({"config": {"PORT": "1"}}, "config must not set PORT"),
        ({"config": {"A B": "1"}}, "config must be letters, digits and underscores"),
        ({"secrets": {"a/b": "1"}}, "secrets must be letters, digits, dots"),
        ({"source_ranges": ["10.0.0.0"]}, "source_ranges must be a list of at least 1 network in CIDR notation"),
        ({"autoscaling": Autoscaling(max_replicas=3)}, "autoscaling.max_replicas must be above replicas"),
        ({"max_unavailable": 3}, "max_unavailable must be from 1 to 2, one fewer than replicas, found 3"),
        ({"max_unavailable": 0}, "max_unavailable must be from 1 to 2, one fewer than replicas, found 0"),
    ],
    ids=[
        "replicas",
        "port",
        "metrics_port",
        "same port",
        "reserved",
        "variable",
        "secret",
        "ranges",
        "autoscaling",
        "all at once",
        "none at all",
    ],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)


@pytest.mark.parametrize("name", ["Web_App", "w" * 47])
def test_a_name_that_no_service_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be lower-case letters, digits and hyphens, at most 46"):
        run(lambda: WebService(name, args()))


def test_the_longest_name_leaves_room_for_all_that_is_added_to_it() -> None:
    result = run(lambda: WebService("w" * 46, args(secrets={"token": "x"})))
    # The provider adds a hyphen and eight characters to what has no name of its own.
    names = [made.inputs["metadata"].get("name", f"{made.name}-1a2b3c4d") for made in result.resources[1:]]
    assert max(map(len, names)) == 63


def test_nobody_reaches_the_pods_but_those_who_are_named(webapp: Run, deployment: dict[str, Any]) -> None:
    spec = service(source_ranges=["192.0.2.0/24"]).one("NetworkPolicy").inputs["spec"]
    assert spec["podSelector"] == {"matchLabels": deployment["selector"]["matchLabels"]}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [
        {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": "http", "protocol": "TCP"}]},
        {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "ports": [{"port": "metrics", "protocol": "TCP"}],
        },
    ]
    assert "egress" not in spec


@pytest.mark.parametrize(
    ("service_type", "ranges", "wanted"),
    [
        ("LoadBalancer", ["192.0.2.0/24"], ["192.0.2.0/24"]),
        ("LoadBalancer", ["0.0.0.0/0"], None),
        ("ClusterIP", ["192.0.2.0/24"], None),
    ],
)
def test_the_load_balancer_lets_through_whom_the_pods_let_in(
    service_type: str, ranges: list[str], wanted: list[str] | None
) -> None:
    spec = service(service_type=service_type, source_ranges=ranges).one("Service", "webapp-service").inputs["spec"]
    assert spec.get("loadBalancerSourceRanges") == wanted


def test_a_drain_takes_one_pod_at_a_time_and_any_that_is_not_ready(webapp: Run, deployment: dict[str, Any]) -> None:
    assert webapp.one("PodDisruptionBudget").inputs["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": deployment["selector"]["matchLabels"]},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def test_a_single_pod_has_no_budget_that_would_hold_up_a_drain() -> None:
    assert not service(replicas=1).all("PodDisruptionBudget")


def test_pods_are_spread_over_nodes_and_zones(pod: dict[str, Any], deployment: dict[str, Any]) -> None:
    constraints = pod["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in constraints} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    for one in constraints:
        assert (one["maxSkew"], one["whenUnsatisfiable"]) == (1, "ScheduleAnyway")
        assert one["labelSelector"] == {"matchLabels": deployment["selector"]["matchLabels"]}


def test_an_autoscaler_decides_alone_how_many_pods_there_are(webapp: Run) -> None:
    scaled = service(autoscaling=Autoscaling(max_replicas=6, cpu_percent=50))
    assert "replicas" not in scaled.one("Deployment").inputs["spec"]
    spec = scaled.one("HorizontalPodAutoscaler").inputs["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 6)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "webapp"}
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    assert not webapp.all("HorizontalPodAutoscaler")


def test_secrets_are_files_of_an_object_that_changes_its_name_with_them() -> None:
    made = service(secrets={"token": pulumi.Output.secret("hush")})
    secret = made.one("Secret")
    assert (secret.inputs["stringData"], "name" in secret.inputs["metadata"]) == ({"token": "hush"}, False)
    assert not any("hush" in text for one in made.resources for text in plain_texts(one.wire))
    pod = made.one("Deployment").inputs["spec"]["template"]["spec"]
    volume = {"name": "secrets", "secret": {"secretName": "webapp-secrets-1a2b3c4d", "defaultMode": 0o440}}
    assert volume in pod["volumes"]
    mount = {"name": "secrets", "mountPath": web_service.SECRETS, "readOnly": True}
    assert mount in pod["containers"][0]["volumeMounts"]


def test_the_revisions_that_one_may_go_back_to_are_kept(deployment: dict[str, Any]) -> None:
    assert deployment["revisionHistoryLimit"] == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grace_seconds": 30}, "grace_seconds must be above .* which are 30, found 30"),
        ({"drain_seconds": 300}, "which are 325, found 35"),
        ({"pre_stop_seconds": -1}, "seconds must not be negative"),
    ],
)
def test_a_pod_that_would_be_killed_before_it_is_done_is_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shutdown(**changes)


def test_a_share_of_the_cpu_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="cpu_percent must be from 1 to 100, found 0"):
        Autoscaling(max_replicas=2, cpu_percent=0)


def test_a_probe_of_a_port_that_the_container_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the probe of /x must be a declared port \(http, metrics\), found 'htp'"):
        probes.http("/x", port="htp", of=["http", "metrics"], period_seconds=1, failure_threshold=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cpu_request": "2"}, "cpu_request must not be above the limit of 1, found 2"),
        ({"memory_request": "1Gi"}, "memory_request must not be above the limit of 256Mi, found 1Gi"),
        ({"ephemeral_storage_request": "1Gi"}, "ephemeral_storage_request must not be above the limit of 256Mi"),
        ({"cpu_limit": "x"}, "must be a positive Kubernetes quantity"),
    ],
    ids=["cpu", "memory", "storage", "quantity"],
)
def test_wrong_resources_are_refused_by_name(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Resources(**{**SIZES, **changes})
