"""What holds for everything that any stack declares, whichever component declares it."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from components import checks
from components.connection import migration_of
from components.service import Service, callers, database_of
from services import SERVICES
from tests.unit.program.harness import PROJECT, ROOT, UID, Registered, Run, plain_texts, with_every_secret

STACKS = ("dev", "staging", "prod")
OWNERS = [service for service in SERVICES if service.owns_database]
VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
"""Kinds of volumes that the restricted standard lets pods have, of those that there are."""

OF_THE_CLUSTER = (":Namespace", ":ClusterRole", ":ClusterRoleBinding")
"""Kinds whose objects belong to no namespace."""

LASTING = ("Deployment", "StatefulSet")
"""Kinds whose pods serve until they are told to end."""

ENDING = ("Job", "CronJob")
"""Kinds whose pods end by themselves. They have no ports and no probes: nobody waits for them to answer, and what hangs
is ended by a deadline."""

LABELS = ("name", "instance", "component", "part-of", "managed-by")


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Run:
    return with_every_secret(request.param)


@pytest.fixture
def objects(stack: Run) -> list[Registered]:
    """Return every object that the stack makes in the cluster."""
    found = [made for made in stack.resources if made.is_kubernetes_object]
    assert len(found) > 5
    return found


def template(made: Registered) -> dict[str, Any] | None:
    """Return what an object makes pods of, if it makes any; by its shape, so that no kind is overlooked."""
    spec = made.inputs.get("spec", {})
    found: dict[str, Any] | None = spec.get("jobTemplate", {}).get("spec", spec).get("template")
    return found if found and "containers" in found["spec"] else None


@pytest.fixture
def templates(objects: list[Registered]) -> dict[str, dict[str, Any]]:
    """Return what pods are made of, by the name of what makes them."""
    makers = {made.name: (made, one) for made in objects if (one := template(made))}
    assert {made.type.rpartition(":")[2] for made, _ in makers.values()} == {*LASTING, *ENDING}
    return {name: one for name, (_, one) in makers.items()}


@pytest.fixture
def pods(templates: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the pods' specs by the name of what makes them."""
    return {name: one["spec"] for name, one in templates.items()}


@pytest.fixture
def containers(pods: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [container for pod in pods.values() for container in every(pod)]


def every(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a pod's containers, with those that only begin it."""
    return [*pod.get("initContainers", []), *pod["containers"]]


@pytest.fixture
def servers(objects: list[Registered]) -> list[dict[str, Any]]:
    """Return the containers that serve until they are told to end."""
    lasting = [template(made) for made in objects if made.type.endswith(LASTING)]
    return [container for one in lasting if one for container in one["spec"]["containers"]]


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
        of_pods = template(made)
        if of_pods:
            makers = [made.inputs["spec"]["jobTemplate"]] if made.type.endswith(":CronJob") else []
            for one in (*makers, of_pods):
                assert one["metadata"]["labels"] == made.inputs["metadata"]["labels"], made.name


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
    assert stack.exports["images"].keys() == {service.name for service in SERVICES}
    for name, image in stack.exports["images"].items():
        assert re.fullmatch(rf"[^@]+/{name}@sha256:[0-9a-f]{{64}}", image)
        built = image.partition("@")[0]
        assert {one["image"] for one in containers if one["image"].startswith(built)} == {image}


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


def test_every_pod_has_flows_of_its_own_by_ports_that_it_has(
    objects: list[Registered], templates: dict[str, dict[str, Any]]
) -> None:
    policies = [made for made in objects if made.type.endswith(":NetworkPolicy")]
    for name, one in templates.items():
        own = [policy.inputs["spec"] for policy in policies if selects(policy, one["metadata"]["labels"])]
        assert any(spec["podSelector"] for spec in own), f"{name} has no policy but those of all pods"
        ports = {port["name"] for container in one["spec"]["containers"] for port in container.get("ports", [])}
        opened = {port["port"] for spec in own for rule in spec.get("ingress", []) for port in rule["ports"]}
        assert opened == ports, name


def test_what_is_published_is_published_to_stated_networks(objects: list[Registered]) -> None:
    for made in objects:
        if made.type.endswith(":Service") and made.inputs["spec"]["type"] == "LoadBalancer":
            assert made.inputs["spec"]["loadBalancerSourceRanges"] == ["10.90.0.254/32"], made.name


def test_the_namespaces_quota_has_room_for_a_rollout_of_everything(objects: list[Registered]) -> None:
    (quota,) = [made for made in objects if made.type.endswith(":ResourceQuota")]
    hard = quota.inputs["spec"]["hard"]
    most = {made.name.removesuffix("-autoscaler"): made for made in objects if "Autoscaler" in made.type}
    asked = dict.fromkeys(("cpu", "memory", "ephemeral-storage"), Decimal(0))
    pods = 0
    for made in objects:
        one = template(made)
        if one:
            spec, scaler = made.inputs["spec"], most.get(made.name.removesuffix("-deployment"))
            replicas = scaler.inputs["spec"]["maxReplicas"] if scaler else spec.get("replicas", 1)
            times = 2 if spec.get("strategy", {}).get("type") == "RollingUpdate" else 1
            pods += times * int(replicas)
            for resource in asked:
                requests = [container["resources"]["requests"][resource] for container in every(one["spec"])]
                asked[resource] += times * int(replicas) * max(map(checks.quantity, requests))
    assert pods <= int(hard["pods"])
    for resource, amount in asked.items():
        assert amount <= checks.quantity(hard[f"requests.{resource}"]), resource


def test_every_pod_meets_the_restricted_standard(pods: dict[str, dict[str, Any]]) -> None:
    for pod in pods.values():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert all(volume.keys() - {"name"} <= VOLUMES for volume in pod["volumes"])


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
        assert not [port for port in container.get("ports", []) if "hostPort" in port]


def test_every_container_has_requests_and_limits(containers: list[dict[str, Any]]) -> None:
    for container in containers:
        for kind in ("requests", "limits"):
            assert container["resources"][kind].keys() == {"cpu", "memory", "ephemeral-storage"}


def test_every_container_that_serves_has_three_probes_of_ports_that_it_has(servers: list[dict[str, Any]]) -> None:
    for container in servers:
        ports = {port["name"] for port in container["ports"]}
        probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
        assert {one["httpGet"]["port"] for one in probes if "exec" not in one} <= ports


def test_what_ends_by_itself_is_tried_a_few_times_and_ended_when_it_hangs(objects: list[Registered]) -> None:
    for made in (one for one in objects if one.type.endswith(ENDING)):
        spec = made.inputs["spec"].get("jobTemplate", made.inputs)["spec"]
        assert 0 <= spec["backoffLimit"] < 3, made.name
        assert 10 <= spec["activeDeadlineSeconds"] < 24 * 3600, made.name
        # Each try is a pod of its own, so that what the one before said is there to be read.
        assert spec["template"]["spec"]["restartPolicy"] == "Never", made.name
        (container,) = spec["template"]["spec"]["containers"]
        assert not {"ports", "startupProbe", "readinessProbe", "livenessProbe"} & container.keys(), made.name


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
        parts = [part for volume in pod["volumes"] for part in volume.get("projected", {}).get("sources", [volume])]
        references |= {("ConfigMap", part["configMap"]["name"]) for part in parts if "configMap" in part}
        references |= {("Secret", volume["secret"]["secretName"]) for volume in pod["volumes"] if "secret" in volume}
        references |= {("Secret", part["secret"]["name"]) for part in parts if "name" in part.get("secret", {})}
        references |= {
            ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            for volume in pod["volumes"]
            if "persistentVolumeClaim" in volume
        }
        for container in every(pod):
            references |= {("ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", [])}
        assert references <= made


def test_what_is_waited_for_has_a_limit_of_its_own(objects: list[Registered]) -> None:
    for made in objects:
        annotations = made.inputs["metadata"].get("annotations", {})
        waited = made.type.endswith((*LASTING, ":Job", ":Service")) or "pulumi.com/waitFor" in annotations
        if waited and annotations.get("pulumi.com/skipAwait") != "true":
            assert all(re.fullmatch(r"[0-9]+[ms]", timeout) for timeout in made.timeouts), made.name


def test_no_plain_input_holds_a_secret(stack: Run) -> None:
    for hidden, kinds in (
        ("hush", {"docker-build:index:Image", "kubernetes:core/v1:Secret"}),
        ("whisper", {"kubernetes:core/v1:Secret"}),
        ("murmur", {"kubernetes:core/v1:Secret"}),
    ):
        holders = [made for made in stack.resources if hidden in json.dumps(made.inputs)]
        assert {made.type for made in holders} == kinds
        assert not [made.name for made in holders if any(hidden in text for text in plain_texts(made.wire))]


def test_nothing_that_is_made_once_and_kept_is_shown_in_plain_text(stack: Run) -> None:
    kept = {made.name: made.inputs["input"] for made in stack.all("Stash")}
    texts = {name: value if isinstance(value, str) else value["key"] for name, value in kept.items()}
    assert texts.pop("cluster-uid") == UID
    assert texts.keys() == {
        "authority-authority",
        "gateway-certificate",
        "gateway-api-key",
        *(f"{database_of(service.name)}-{what}" for service in OWNERS for what in ("certificate", "password")),
    }
    shown = [made.wire for made in stack.resources]
    shown += [outputs for each in stack.component_outputs.values() for outputs in each]
    for name, text in texts.items():
        assert not [one for one in shown if any(text in plain for plain in plain_texts(one))], name
    assert stack.secret_exports == {"api_key"}


def test_each_image_is_built_from_a_directory_that_there_is_by_a_dockerfile_of_its_own(stack: Run) -> None:
    images = [made.inputs for made in stack.resources if made.type == "docker-build:index:Image"]
    assert len({image["dockerfile"]["location"] for image in images}) == len(images) == len(SERVICES)
    for image in images:
        assert (ROOT / image["dockerfile"]["location"]).is_file()
        assert (ROOT / f"{image['dockerfile']['location']}.dockerignore").is_file()
        assert (ROOT / image["context"]["location"]).is_dir()


def guarantees(stack: Run, service: Service) -> Any:
    """Return what a service's pods are promised that is nobody's to configure, as if its name were another."""
    spec = stack.one("Deployment", f"{service.name}-deployment").inputs["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    own = {"serviceAccountName", "containers", "volumes"}
    configured = {"name", "image", "resources", "ports", "envFrom", "volumeMounts"}
    promised = {
        "strategy": spec["strategy"],
        "pod": {key: value for key, value in pod.items() if key not in own},
        "container": {key: value for key, value in container.items() if key not in configured},
        "metrics": stack.one("Service", f"{service.name}-metrics").inputs["spec"],
        "budget": stack.one("PodDisruptionBudget", f"{service.name}-budget").inputs["spec"],
    }
    assert promised["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "100%"}
    assert promised["pod"].keys() >= {"topologySpreadConstraints", "terminationGracePeriodSeconds"}
    assert promised["container"].keys() >= {"lifecycle", "startupProbe", "readinessProbe", "livenessProbe"}
    return json.loads(json.dumps(promised).replace(f'"{service.name}"', '"service"'))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_has_what_the_first_one_has(stack: Run, service: Service) -> None:
    assert guarantees(stack, service) == guarantees(stack, SERVICES[0])
    for kind, name in (
        ("ServiceAccount", "account"),
        ("ConfigMap", "config"),
        ("Secret", "secrets"),
        ("Service", "service"),
        ("Service", "metrics"),
        ("NetworkPolicy", "network"),
        ("PodDisruptionBudget", "budget"),
    ):
        stack.one(kind, f"{service.name}-{name}")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_is_scraped_promised_and_shown(stack: Run, service: Service) -> None:
    declared = [made for made in stack.resources if made.type.endswith((":ConfigMap", ":PrometheusRule"))]
    texts = json.dumps([made.inputs for made in declared])
    for name in ("AvailabilityBudgetBurn", "LatencyBudgetBurn", "ServiceDown", "PodRestarting"):
        assert name in texts
    assert f'namespace=\\"{stack.exports["namespace"]}\\",service=\\"{service.name}\\"' in texts
    if stack.all("ServiceMonitor"):
        stack.one("ServiceMonitor", f"monitoring-{service.name}")
        page = stack.one("ConfigMap", f"monitoring-{service.name}-dashboard").inputs["data"][f"{service.name}.json"]
    else:
        assert f"job_name: {service.name}" in texts
        page = stack.one("ConfigMap", "prometheus-config").inputs["data"]["services.html"]
        assert f'"{service.name}": [' in page
    for edge in service.edges:
        assert f"{service.name}-calls-{edge.callee}" in texts
        assert f"Calls to {edge.callee}" in page


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_declared_call_is_let_through_on_both_sides_and_no_other(stack: Run, service: Service) -> None:
    def peers(of: str, side: str, end: str) -> set[str]:
        rules = stack.one("NetworkPolicy", f"{of}-network").inputs["spec"].get(side, [])
        labels = [peer.get("podSelector", {}).get("matchLabels", {}) for rule in rules for peer in rule[end]]
        return {one["app.kubernetes.io/name"] for one in labels if "app.kubernetes.io/name" in one}

    names = {one.name for one in SERVICES}
    callees = {edge.callee for edge in service.edges}
    assert peers(service.name, "egress", "to") & names == callees
    assert peers(service.name, "ingress", "from") & names == set(callers(SERVICES, service.name))


def test_a_database_is_reached_by_its_owner_alone(stack: Run) -> None:
    for owner in (service.name for service in OWNERS):
        rules = stack.one("NetworkPolicy", f"{database_of(owner)}-network").inputs["spec"]["ingress"]
        admitted = {
            peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for rule in rules for peer in rule["from"]
        }
        assert owner in admitted
        assert all(name.startswith(f"{owner}-") for name in admitted - {owner})


@pytest.mark.parametrize("owner", [service.name for service in OWNERS])
def test_nobody_but_the_owner_its_jobs_and_the_server_has_a_databases_files(
    stack: Run, templates: dict[str, dict[str, Any]], owner: str
) -> None:
    database = database_of(owner)
    secret = stack.one("Secret", f"{database}-connection")
    name = f"{secret.name}-1a2b3c4d"
    having = {maker for maker, one in templates.items() if name in json.dumps(one["spec"]["volumes"])}
    assert having == {
        f"{owner}-deployment",
        f"{migration_of(owner)}-job",
        *(f"{database}-{what}" for what in ("server", "backup-job", "restore-job")),
    }


@pytest.mark.parametrize("owner", [service.name for service in OWNERS])
def test_a_services_pods_are_not_changed_before_its_database_has_migrated(stack: Run, owner: str) -> None:
    job = stack.one("Job", f"{migration_of(owner)}-job")
    assert job.urn in stack.one("Deployment", f"{owner}-deployment").depends_on
    assert stack.one("StatefulSet", f"{database_of(owner)}-server").urn in job.depends_on


def test_what_is_named_after_its_content_is_so_to_pulumi_too_and_never_replaced(stack: Run) -> None:
    named = {made.inputs["metadata"]["name"]: made.name for made in stack.all("ConfigMap")}
    hashed = {name for name in named if re.search(r"-[0-9a-f]{8}$", name)}
    assert {f"{service.name}-config" for service in SERVICES} <= {name.rpartition("-")[0] for name in hashed}
    assert {name for name, resource in named.items() if name == resource} == hashed


def test_what_is_deleted_before_it_is_replaced_takes_nothing_with_it(stack: Run) -> None:
    first = {made.urn for made in stack.resources if made.delete_before_replace}
    assert first == {stack.one("Job", f"{migration_of(service.name)}-job").urn for service in OWNERS}
    assert [made.name for made in stack.resources if made.reads_from & first] == []


@pytest.mark.parametrize("owner", [service.name for service in OWNERS])
def test_the_alerts_of_a_database_are_about_objects_that_there_are(stack: Run, owner: str) -> None:
    declared = [made for made in stack.resources if made.type.endswith((":ConfigMap", ":PrometheusRule"))]
    texts = json.dumps([made.inputs for made in declared]).replace('\\"', '"')
    for kind in ("StatefulSet", "CronJob"):
        named = set(re.findall(rf'{kind.lower()}="([^"]+)"', texts))
        assert named
        assert named <= {made.inputs["metadata"]["name"] for made in stack.all(kind)}


def test_every_route_leads_through_guards_to_a_port_of_a_service_that_there_are(stack: Run) -> None:
    def named(kind: str) -> dict[str, dict[str, Any]]:
        return {made.inputs["metadata"]["name"]: made.inputs["spec"] for made in stack.all(kind) if made.inputs}

    gateways, guards, services = named("Gateway"), named("Middleware"), named("Service")
    routed = named("HTTPRoute")
    for spec in routed.values():
        assert {parent["name"] for parent in spec["parentRefs"]} <= gateways.keys()
        for rule in spec["rules"]:
            filters = [one["extensionRef"]["name"] for one in rule.get("filters", []) if "extensionRef" in one]
            assert set(filters) <= guards.keys()
            for to in rule.get("backendRefs", []):
                assert to["port"] in [port["port"] for port in services[to["name"]]["ports"]]
    for service in SERVICES:
        assert (service.name in routed) is bool(service.paths)
        asked = f"{service.name}-api-key" in json.dumps(routed.get(service.name, {}))
        assert asked is service.needs_key


def test_the_gateway_is_let_in_by_what_it_leads_to_and_by_nothing_else(stack: Run) -> None:
    led_to = {
        f"{to['name']}-network"
        for made in stack.all("HTTPRoute")
        for rule in made.inputs["spec"]["rules"]
        for to in rule.get("backendRefs", [])
    }
    by_gateway = {
        made.name
        for made in stack.all("NetworkPolicy")
        for rule in made.inputs["spec"].get("ingress", [])
        if '"traefik"' in json.dumps(rule["from"])
    }
    assert by_gateway == led_to
    assert {f"{service.name}-network" for service in SERVICES if service.paths} <= led_to


def test_nothing_is_published_but_by_the_gateway(objects: list[Registered]) -> None:
    types = {made.name: made.inputs["spec"]["type"] for made in objects if made.type.endswith(":Service")}
    assert {name for name, found in types.items() if found != "ClusterIP"} == set()
