"""What holds for everything that any stack declares, whichever component declares it."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from components import checks
from tests.unit.program.harness import PROJECT, ROOT, Registered, Run, image_lock, plain_texts, run_stack

STACKS = ("dev", "staging", "prod")
OF_THE_CLUSTER = (":Namespace", ":ClusterRole", ":ClusterRoleBinding")
"""Kinds whose objects belong to no namespace."""

LABELS = ("name", "instance", "component", "part-of", "managed-by")


@pytest.fixture(scope="module", params=STACKS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    certificates = tmp_path_factory.mktemp("ca") / "ca.crt"
    certificates.write_text("-----BEGIN CERTIFICATE-----")
    overrides = {
        "build": {"caCertificates": str(certificates)},
        "registry": {"username": "ci"},  # so that the credentials' objects are among those looked at
        "registryPassword": "hush",
        "webappSecrets": {"token": "whisper"},
        "alertWebhookUrl": "https://murmur.example.com/",
    }
    secrets = [f"{PROJECT}:{key}" for key in ("registryPassword", "webappSecrets", "alertWebhookUrl")]
    return run_stack(request.param, {**overrides, **image_lock(tmp_path_factory.mktemp("lock"))}, secrets=secrets)


@pytest.fixture
def objects(stack: Run) -> list[Registered]:
    """Return every object that the stack makes in the cluster."""
    found = [made for made in stack.resources if made.is_kubernetes_object]
    assert len(found) > 5
    return found


@pytest.fixture
def pods(objects: list[Registered]) -> dict[str, dict[str, Any]]:
    """Return the pods' specs by the name of what makes them."""
    found = {
        made.name: made.inputs["spec"]["template"]["spec"] for made in objects if made.type.endswith(":Deployment")
    }
    assert found
    return found


@pytest.fixture
def containers(pods: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [container for pod in pods.values() for container in pod["containers"]]


def images(value: Any) -> Iterator[str]:
    match value:
        case {"image": str(image)}:
            yield image
        case dict():
            for part in value.values():
                yield from images(part)
        case list():
            for part in value:
                yield from images(part)


def test_every_object_has_the_recommended_labels(objects: list[Registered]) -> None:
    for made in objects:
        labels = made.inputs["metadata"]["labels"]
        assert [key for key in LABELS if not labels.get(f"app.kubernetes.io/{key}")] == [], made.name


def test_every_object_says_who_owns_it_and_in_which_environment(stack: Run, objects: list[Registered]) -> None:
    environment = stack.exports["namespace"].removeprefix(f"{PROJECT}-")
    for made in objects:
        labels = made.inputs["metadata"]["labels"]
        assert (labels["owner"], labels["environment"]) == ("platform", environment), made.name


def test_what_the_program_declares_it_takes_back_from_whoever_changed_it(objects: list[Registered]) -> None:
    for made in objects:
        assert made.inputs["metadata"]["annotations"]["pulumi.com/patchForce"] == "true", made.name


@pytest.mark.parametrize("key", ["instance", "part-of", "managed-by"])
def test_all_objects_belong_to_the_same_installation(objects: list[Registered], key: str) -> None:
    assert len({made.inputs["metadata"]["labels"][f"app.kubernetes.io/{key}"] for made in objects}) == 1


def test_every_pod_has_the_labels_of_what_makes_it(objects: list[Registered]) -> None:
    for made in objects:
        if made.type.endswith(":Deployment"):
            assert made.inputs["spec"]["template"]["metadata"]["labels"] == made.inputs["metadata"]["labels"]


def test_every_object_stands_in_the_stacks_namespace(stack: Run, objects: list[Registered]) -> None:
    for made in objects:
        where = made.inputs["metadata"].get("namespace")
        assert where == (None if made.type.endswith(OF_THE_CLUSTER) else stack.exports["namespace"]), made.name


def test_what_belongs_to_no_namespace_has_the_stacks_in_its_name(stack: Run, objects: list[Registered]) -> None:
    for made in objects:
        if made.type.endswith(OF_THE_CLUSTER):
            assert made.inputs["metadata"]["name"].startswith(stack.exports["namespace"]), made.name


def test_a_stack_has_exactly_one_namespace(stack: Run, objects: list[Registered]) -> None:
    (namespace,) = [made for made in objects if made.type.endswith(":Namespace")]
    assert namespace.inputs["metadata"]["name"] == stack.exports["namespace"]


def test_every_object_goes_through_the_stacks_one_provider(stack: Run) -> None:
    provider = stack.one("kubernetes", "cluster-provider")
    through = {made.provider.rpartition("::")[0] for made in stack.resources if made.is_kubernetes_object}
    assert through == {provider.urn}


def test_every_resource_but_the_components_has_a_component_as_its_parent(stack: Run) -> None:
    components = {made.urn for made in stack.resources if made.is_component}
    for made in stack.resources:
        assert (made.parent in components) is not made.is_component, made.name


def test_every_child_carries_its_components_name_before_its_own(stack: Run) -> None:
    for made in stack.resources:
        if not made.is_component:
            assert made.name.startswith(f"{made.parent.rpartition('::')[2]}-"), made.name


def test_every_component_has_a_type_of_this_project_and_registers_its_outputs_once(stack: Run) -> None:
    for made in stack.resources:
        if made.is_component:
            assert re.fullmatch(rf"{PROJECT}:index:[A-Z][A-Za-z]+", made.type)
            assert len(stack.component_outputs[made.urn]) == 1, made.name


def test_no_two_objects_of_a_kind_have_the_same_name(objects: list[Registered]) -> None:
    names = [(made.type, made.inputs["metadata"].get("name", made.name)) for made in objects]
    assert len(names) == len(set(names))


def test_every_name_is_short_enough(objects: list[Registered]) -> None:
    # The provider adds a hyphen and eight characters to what has no name of its own.
    for made in objects:
        assert len(made.inputs["metadata"].get("name", f"{made.name}-1a2b3c4d")) <= 63


def test_what_was_built_is_deployed_by_digest_alone(stack: Run, containers: list[dict[str, Any]]) -> None:
    built = stack.exports["images"]["webapp"].partition("@")[0]
    ours = [container["image"] for container in containers if container["image"].startswith(built)]
    assert ours == [stack.exports["images"]["webapp"]]
    assert re.fullmatch(r"[^@]+/webapp@sha256:[0-9a-f]{64}", ours[0])


def test_no_image_can_be_another_tomorrow(objects: list[Registered]) -> None:
    found = [image for made in objects for image in images(made.inputs)]
    assert found
    for image in found:
        assert re.search(r"@sha256:[0-9a-f]{64}$", image), image


def test_every_container_says_when_its_image_is_pulled(containers: list[dict[str, Any]]) -> None:
    assert {container["imagePullPolicy"] for container in containers} == {"IfNotPresent"}


def test_no_secret_is_given_as_a_variable(containers: list[dict[str, Any]]) -> None:
    for container in containers:
        sources = json.dumps([container.get("env", []), container.get("envFrom", [])])
        assert "secretKeyRef" not in sources
        assert "secretRef" not in sources


def selects(policy: Registered, labels: dict[str, str]) -> bool:
    """Tell whether a NetworkPolicy is about pods with these labels."""
    wanted: dict[str, str] = policy.inputs["spec"]["podSelector"].get("matchLabels", {})
    return wanted.items() <= labels.items()


def test_every_pod_may_talk_to_nobody_but_whom_a_policy_names(objects: list[Registered]) -> None:
    policies = [made for made in objects if made.type.endswith(":NetworkPolicy")]
    closed = [made.inputs["spec"] for made in policies if made.inputs["spec"].keys() <= {"podSelector", "policyTypes"}]
    assert [(spec["podSelector"], spec["policyTypes"]) for spec in closed] == [({}, ["Ingress", "Egress"])]
    for made in policies:
        for rule in made.inputs["spec"].get("ingress", []):
            assert rule["from"], f"{made.name} lets everybody in"
            assert rule["ports"], f"{made.name} opens every port"
        for rule in made.inputs["spec"].get("egress", []):
            assert rule["to"], f"{made.name} lets out to everybody"
            assert rule["ports"], f"{made.name} lets out to every port"


def test_every_pod_has_flows_of_its_own_by_ports_that_it_has(objects: list[Registered]) -> None:
    policies = [made for made in objects if made.type.endswith(":NetworkPolicy")]
    for made in objects:
        if made.type.endswith(":Deployment"):
            template = made.inputs["spec"]["template"]
            own = [
                one
                for one in policies
                if selects(one, template["metadata"]["labels"]) and "ingress" in one.inputs["spec"]
            ]
            ports = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
            opened = {port["port"] for one in own for rule in one.inputs["spec"]["ingress"] for port in rule["ports"]}
            assert opened == ports, made.name


def test_what_is_published_is_published_to_stated_networks(objects: list[Registered]) -> None:
    for made in objects:
        if made.type.endswith(":Service") and made.inputs["spec"]["type"] == "LoadBalancer":
            assert made.inputs["spec"]["loadBalancerSourceRanges"] == ["10.90.0.254/32"], made.name


def test_the_namespaces_quota_has_room_for_a_rollout_of_everything(objects: list[Registered]) -> None:
    (quota,) = [made for made in objects if made.type.endswith(":ResourceQuota")]
    hard = quota.inputs["spec"]["hard"]
    most = {made.name.removesuffix("-autoscaler"): made for made in objects if "Autoscaler" in made.type}
    pods, cpu = 0, Decimal(0)
    for made in objects:
        if made.type.endswith(":Deployment"):
            spec, scaler = made.inputs["spec"], most.get(made.name.removesuffix("-deployment"))
            replicas = scaler.inputs["spec"]["maxReplicas"] if scaler else spec["replicas"]
            times = 1 if spec["strategy"]["type"] == "Recreate" else 2
            requests = spec["template"]["spec"]["containers"][0]["resources"]["requests"]
            pods += times * int(replicas)
            cpu += times * int(replicas) * checks.quantity(requests["cpu"])
    assert pods <= int(hard["pods"])
    assert cpu <= checks.quantity(hard["requests.cpu"])


def test_every_pod_meets_the_restricted_standard(pods: dict[str, dict[str, Any]]) -> None:
    for pod in pods.values():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert all(volume.keys() - {"name"} <= {"configMap", "emptyDir", "secret"} for volume in pod["volumes"])


def test_every_pod_runs_as_a_number_of_its_own_above_the_hosts_users(pods: dict[str, dict[str, Any]]) -> None:
    for pod in pods.values():
        context = pod["securityContext"]
        assert min(context["runAsUser"], context["runAsGroup"], context["fsGroup"]) > 10000


def test_every_container_meets_the_restricted_standard(containers: list[dict[str, Any]]) -> None:
    for container in containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert not [port for port in container["ports"] if "hostPort" in port]


def test_every_container_has_requests_and_limits(containers: list[dict[str, Any]]) -> None:
    for container in containers:
        for kind in ("requests", "limits"):
            assert container["resources"][kind].keys() == {"cpu", "memory", "ephemeral-storage"}


def test_every_container_has_three_probes_of_ports_that_it_has(containers: list[dict[str, Any]]) -> None:
    for container in containers:
        ports = {port["name"] for port in container["ports"]}
        probes = [container[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")]
        assert set(probes) <= ports


def test_what_a_failing_container_said_last_is_kept_for_the_error(containers: list[dict[str, Any]]) -> None:
    assert {container["terminationMessagePolicy"] for container in containers} == {"FallbackToLogsOnError"}


def test_only_prometheus_gets_a_token_for_the_api_server(pods: dict[str, dict[str, Any]]) -> None:
    with_token = {name for name, pod in pods.items() if pod["automountServiceAccountToken"]}
    assert with_token <= {"prometheus-deployment"}


def test_no_right_is_a_wildcard(objects: list[Registered]) -> None:
    for made in objects:
        if made.type.startswith("kubernetes:rbac"):
            assert "*" not in json.dumps(made.inputs)


def test_what_pods_refer_to_is_declared(stack: Run, objects: list[Registered], pods: dict[str, dict[str, Any]]) -> None:
    made = {
        (one.type.rpartition(":")[2], one.inputs["metadata"].get("name", f"{one.name}-1a2b3c4d")) for one in objects
    }
    for pod in pods.values():
        references = {("ServiceAccount", pod["serviceAccountName"])}
        references |= {("ConfigMap", volume["configMap"]["name"]) for volume in pod["volumes"] if "configMap" in volume}
        references |= {("Secret", volume["secret"]["secretName"]) for volume in pod["volumes"] if "secret" in volume}
        for container in pod["containers"]:
            references |= {("ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", [])}
        assert references <= made


def test_what_is_waited_for_has_a_limit_of_its_own(objects: list[Registered]) -> None:
    for made in objects:
        waited = made.type.endswith((":Deployment", ":Service"))
        skipped = made.inputs["metadata"].get("annotations", {}).get("pulumi.com/skipAwait") == "true"
        if waited and not skipped:
            assert all(re.fullmatch(r"[0-9]+s", timeout) for timeout in made.timeouts), made.name


def test_no_plain_input_holds_a_secret(stack: Run) -> None:
    for hidden, kinds in (
        ("hush", {"docker-build:index:Image", "kubernetes:core/v1:Secret"}),
        ("whisper", {"kubernetes:core/v1:Secret"}),
        ("murmur", {"kubernetes:core/v1:Secret"}),
    ):
        holders = [made for made in stack.resources if hidden in json.dumps(made.inputs)]
        assert {made.type for made in holders} == kinds
        assert not [made.name for made in holders if any(hidden in text for text in plain_texts(made.wire))]


def test_the_image_is_built_from_a_directory_that_has_a_dockerfile(stack: Run) -> None:
    (image,) = [made for made in stack.resources if made.type == "docker-build:index:Image"]
    assert (ROOT / image.inputs["dockerfile"]["location"]).is_file()
    assert (ROOT / image.inputs["context"]["location"]).is_dir()
