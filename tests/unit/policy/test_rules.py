"""Each rule, both ways: what it refuses, in which words, and what it leaves alone."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from policy.rules import RULES, UNKNOWN

Edit = Callable[[dict[str, Any]], object]

DIGEST = "a/b@sha256:" + "d1" * 32
RULE = {rule.name: rule for rule in RULES}
SECURE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
TAKEN = {"cpu": "1", "memory": "64Mi", "ephemeral-storage": "64Mi"}
KINDS = (
    "core/v1:Pod",
    "core/v1:PodTemplate",
    "core/v1:ReplicationController",
    "apps/v1:DaemonSet",
    "apps/v1:Deployment",
    "apps/v1:ReplicaSet",
    "apps/v1:StatefulSet",
    "batch/v1:Job",
    "batch/v1:CronJob",
)


def metadata(environment: str | None = "prod") -> dict[str, Any]:
    return {"name": "shop", "labels": {"owner": "team", **({"environment": environment} if environment else {})}}


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "image": DIGEST,
        "securityContext": SECURE,
        "resources": {"requests": TAKEN, "limits": TAKEN},
    } | (fields)


def pod(**fields: Any) -> dict[str, Any]:
    """Return the spec of a pod that nothing is wrong with, with `fields` in the place of its own."""
    return {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532},
        "initContainers": [container("migrate")],
        "containers": [container("web")],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    } | fields


def made(kind: str, spec: Mapping[str, Any], environment: str | None = "prod") -> dict[str, Any]:
    """Return the inputs of an object of this kind that makes such pods."""
    match kind.rpartition(":")[2]:
        case "Pod":
            return {"metadata": metadata(environment), "spec": spec}
        case "PodTemplate":
            return {"metadata": metadata(environment), "template": {"spec": spec}}
        case "CronJob":
            return {
                "metadata": metadata(environment),
                "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}},
            }
    return {"metadata": metadata(environment), "spec": {"template": {"spec": spec}}}


def problems(rule: str, kind: str, inputs: Mapping[str, Any]) -> list[str]:
    return list(RULE[rule].problems(f"kubernetes:{kind}", inputs))


def of_pod(rule: str, *, environment: str | None = "prod", **fields: Any) -> list[str]:
    return problems(rule, "apps/v1:Deployment", made("Deployment", pod(**fields), environment))


def of_container(rule: str, *, environment: str | None = "prod", **fields: Any) -> list[str]:
    return of_pod(rule, environment=environment, containers=[container("web", **fields)])


@pytest.mark.parametrize("rule", RULE)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wrong_with_an_object_that_is_as_it_must_be(kind: str, rule: str) -> None:
    assert not problems(rule, kind, made(kind, pod()))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rule", "wrong", "field"),
    [
        ("no-root", {"securityContext": {"runAsNonRoot": True, "runAsUser": 0}}, "runAsUser"),
        ("image-by-digest", {"containers": [container("web", image="a/b:1")], "initContainers": []}, "image"),
        ("resources", {"containers": [container("web", resources={})], "initContainers": []}, "resources"),
        (
            "no-faults-in-production",
            {"containers": [container("web", env=[{"name": "FAULT_ERROR_PERCENT"}])], "initContainers": []},
            "env",
        ),
    ],
)
def test_every_rule_about_containers_holds_whatever_makes_their_pods(
    kind: str, rule: str, wrong: dict[str, Any], field: str
) -> None:
    found = problems(rule, kind, made(kind, pod(**wrong)))
    assert found
    assert all(one.startswith(f"{kind.rpartition(':')[2]} shop, ") and field in one for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_pods_are_looked_at_whatever_makes_them(kind: str) -> None:
    (problem,) = problems("no-privileges", kind, made(kind, pod(hostNetwork=True)))
    assert problem.startswith(f"{kind.rpartition(':')[2]} shop: hostNetwork must not be set, found True; remove it")


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("initContainers", "init container web"),
        ("containers", "container web"),
        ("ephemeralContainers", "ephemeral container web"),
    ],
)
@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("no-privileges", {"securityContext": {**SECURE, "privileged": True}}),
        ("no-root", {"securityContext": {**SECURE, "runAsUser": 0}}),
        ("image-by-digest", {"image": "a/b:1"}),
    ],
)
def test_every_container_of_a_pod_is_looked_at(field: str, name: str, rule: str, wrong: dict[str, Any]) -> None:
    (problem,) = problems(rule, "apps/v1:Deployment", made("Deployment", pod() | {field: [container("web", **wrong)]}))
    assert problem.startswith(f"Deployment shop, {name}: ")


@pytest.mark.parametrize("field", ["hostNetwork", "hostPID", "hostIPC"])
def test_the_nodes_namespaces_are_refused(field: str) -> None:
    (problem,) = problems("no-privileges", "core/v1:Pod", made("Pod", pod() | {field: True}))
    assert f"{field} must not be set, found True" in problem
    assert not problems("no-privileges", "core/v1:Pod", made("Pod", pod() | {field: False}))


def test_the_nodes_files_are_refused() -> None:
    (problem,) = of_pod("no-privileges", volumes=[{"name": "node", "hostPath": {"path": "/etc"}}])
    assert problem.startswith("Deployment shop, volume node: must not be a hostPath, found '/etc'; use ")
    assert not of_pod("no-privileges", volumes=[{"name": "own", "persistentVolumeClaim": {"claimName": "own"}}])


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"privileged": True}, "privileged must not be set, found True"),
        ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation must be False, found True"),
        ({"allowPrivilegeEscalation": None}, "allowPrivilegeEscalation must be False, found None"),
        ({"capabilities": {"add": ["NET_ADMIN"]}}, "capabilities.add must be empty, found ['NET_ADMIN']"),
    ],
)
def test_a_containers_rights_on_its_node_are_refused(context: dict[str, Any], said: str) -> None:
    (problem,) = of_container("no-privileges", securityContext=SECURE | context)
    assert problem.startswith(f"Deployment shop, container web: securityContext.{said}; ")


@pytest.mark.parametrize("context", [{"privileged": False}, {"capabilities": {"add": []}}])
def test_to_say_that_there_are_no_rights_is_fine(context: dict[str, Any]) -> None:
    assert not of_container("no-privileges", securityContext=SECURE | context)


@pytest.mark.parametrize(
    ("of_the_pod", "of_the_container", "said"),
    [
        ({"runAsUser": 1}, {}, "runAsNonRoot must be True, found None"),
        ({"runAsNonRoot": False, "runAsUser": 1}, {}, "runAsNonRoot must be True, found False"),
        ({"runAsNonRoot": True, "runAsUser": 1}, {"runAsNonRoot": False}, "runAsNonRoot must be True, found False"),
        ({"runAsNonRoot": True}, {}, "runAsUser must be a user's number above 0, found None"),
        ({"runAsNonRoot": True, "runAsUser": 0}, {}, "runAsUser must be a user's number above 0, found 0"),
        (
            {"runAsNonRoot": True, "runAsUser": 1},
            {"runAsUser": 0},
            "runAsUser must be a user's number above 0, found 0",
        ),
    ],
)
def test_a_container_that_can_run_as_root_is_refused(
    of_the_pod: dict[str, Any], of_the_container: dict[str, Any], said: str
) -> None:
    containers = [container("web", securityContext=of_the_container)]
    (problem,) = of_pod("no-root", securityContext=of_the_pod, initContainers=[], containers=containers)
    assert problem.startswith(f"Deployment shop, container web: securityContext.{said}; set it, for the pod or here")


def test_a_container_may_say_by_itself_that_it_is_not_root() -> None:
    containers = [container("web", securityContext={"runAsNonRoot": True, "runAsUser": 7})]
    assert not of_pod("no-root", securityContext={"runAsUser": 0}, initContainers=[], containers=containers)


@pytest.mark.parametrize("environment", ["prod", "staging", None])
@pytest.mark.parametrize("image", ["a/b:1", "a/b", "a/b@sha256:d1", None])
def test_an_image_without_a_digest_is_refused_outside_development(image: str | None, environment: str | None) -> None:
    (problem,) = of_container("image-by-digest", environment=environment, image=image)
    assert problem.startswith(
        "Deployment shop, container web: image must be named by digest where the label environment "
    )
    assert f"found {image!r}; write it as repository@sha256:…" in problem


def test_in_development_an_image_may_have_a_tag() -> None:
    assert not of_container("image-by-digest", environment="dev", image="a/b:1")


def test_an_image_may_have_a_tag_beside_its_digest() -> None:
    assert not of_container("image-by-digest", image=DIGEST.replace("@", ":1@"))


def load_balancer(environment: str | None, **spec: Any) -> list[str]:
    inputs = {"metadata": metadata(environment), "spec": {"type": "LoadBalancer", **spec}}
    return problems("load-balancer-sources", "core/v1:Service", inputs)


@pytest.mark.parametrize("environment", ["prod", None])
@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, "None"),
        ({"loadBalancerSourceRanges": []}, "[]"),
        ({"loadBalancerSourceRanges": ["10.0.0.0/8", "0.0.0.0/0"]}, "['0.0.0.0/0']"),
        ({"loadBalancerSourceRanges": ["::/0"]}, "['::/0']"),
    ],
)
def test_a_load_balancer_that_is_open_to_everyone_is_refused_in_production(
    spec: dict[str, Any], found: str, environment: str | None
) -> None:
    (problem,) = load_balancer(environment, **spec)
    assert problem.startswith("Service shop: spec.loadBalancerSourceRanges must name who may reach it where ")
    assert f"found {found}, which is everyone; set it to your networks" in problem


@pytest.mark.parametrize(
    ("environment", "spec"),
    [
        ("prod", {"loadBalancerSourceRanges": ["10.0.0.0/8", "fd00::/8"]}),
        ("prod", {"type": "ClusterIP"}),
        ("staging", {}),
        ("dev", {}),
    ],
)
def test_a_service_for_some_or_outside_production_is_fine(environment: str, spec: dict[str, Any]) -> None:
    assert not load_balancer(environment, **spec)


FAULTS = {"FAULT_ERROR_PERCENT": "1", "COLOUR": "blue", "FAULT_DELAY_SECONDS": "0"}


def config_map(environment: str | None, data: Any) -> list[str]:
    return problems("no-faults-in-production", "core/v1:ConfigMap", {"metadata": metadata(environment), "data": data})


@pytest.mark.parametrize("environment", ["prod", None])
def test_faults_are_refused_in_production_wherever_they_are_asked_for(environment: str | None) -> None:
    variables = [{"name": name, "value": value} for name, value in FAULTS.items()]
    found = (
        f"must not have FAULT_* where the label environment is {environment!r}, found FAULT_ERROR_PERCENT, "
        "FAULT_DELAY_SECONDS; take them out, and try faults in another environment"
    )
    assert config_map(environment, FAULTS) == [f"ConfigMap shop: data {found}"]
    assert of_container("no-faults-in-production", environment=environment, env=variables) == [
        f"Deployment shop, container web: env {found}"
    ]


@pytest.mark.parametrize("environment", ["dev", "staging", UNKNOWN])
def test_faults_may_be_asked_for_outside_production(environment: Any) -> None:
    assert not config_map(environment, FAULTS)
    assert not of_container("no-faults-in-production", environment=environment, env=[{"name": "FAULT_DELAY_SECONDS"}])


@pytest.mark.parametrize("data", [{"COLOUR": "blue"}, {"DEFAULT_COLOUR": "blue"}, {}, None, UNKNOWN])
def test_a_config_map_without_faults_is_fine(data: Any) -> None:
    assert not config_map("prod", data)


@pytest.mark.parametrize("field", ["requests", "limits"])
@pytest.mark.parametrize("resource", TAKEN)
def test_a_container_without_a_request_or_a_limit_is_refused(field: str, resource: str) -> None:
    taken = {"requests": TAKEN, "limits": TAKEN}
    taken[field] = {key: value for key, value in TAKEN.items() if key != resource}
    (problem,) = of_container("resources", resources=taken)
    assert problem.startswith(
        "Deployment shop, container web: resources must have requests and limits for cpu, memory, "
    )
    assert f"found no {field}.{resource}; " in problem


def test_all_requests_and_limits_that_are_missing_are_named_at_once() -> None:
    problem, other = of_pod("resources", initContainers=[{"name": "a"}], containers=[{"name": "b"}])
    assert "init container a: " in problem
    assert "container b: " in other
    assert problem.count("requests.") == problem.count("limits.") == len(TAKEN)


def test_an_ephemeral_container_need_not_have_resources_which_it_cannot_have() -> None:
    assert not of_pod("resources", ephemeralContainers=[{"name": "debug"}])


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({"owner": "team"}, "no environment"),
        ({"environment": "prod"}, "no owner"),
        ({"owner": "", "environment": "prod"}, "no owner"),
        ({}, "no owner and no environment"),
        (None, "no owner and no environment"),
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        "core/v1:ConfigMap",
        "core/v1:PersistentVolumeClaim",
        "apps/v1:Deployment",
        "apps/v1:StatefulSet",
        "batch/v1:Job",
        "batch/v1:CronJob",
        "gateway.networking.k8s.io/v1:HTTPRoute",
        "monitoring.coreos.com/v1:ServiceMonitor",
        "postgresql.cnpg.io/v1:Cluster",
        "traefik.io/v1alpha1:Middleware",
    ],
)
def test_an_object_that_does_not_say_whose_it_is_and_where_it_belongs_is_refused(
    kind: str, labels: dict[str, str] | None, found: str
) -> None:
    (problem,) = problems("labels", kind, {"metadata": {"name": "shop", "labels": labels}})
    assert problem.startswith(
        f"{kind.rpartition(':')[2]} shop: metadata.labels must have owner and environment, found "
    )
    assert f"found {found}; say " in problem


def test_an_object_without_any_metadata_is_refused() -> None:
    (problem,) = problems("labels", "core/v1:ConfigMap", {"data": {}})
    assert problem.startswith("a ConfigMap without a name: ")


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("apiGroups", "*"),
        ("resources", "*"),
        ("resources", "pods/*"),
        ("verbs", "*"),
        ("nonResourceURLs", "/metrics/*"),
    ],
)
def test_a_wildcard_in_a_role_is_refused(kind: str, field: str, value: str) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    inputs = {"metadata": metadata(), "rules": [rule, {**rule, field: ["x", value]}]}
    (problem,) = problems("no-wildcard-rights", f"rbac.authorization.k8s.io/v1:{kind}", inputs)
    assert problem == f"{kind} shop: rules[1].{field} must not have a wildcard, found ['x', {value!r}]; name each one"
    inputs = {"metadata": metadata(), "rules": [rule]}
    assert not problems("no-wildcard-rights", f"rbac.authorization.k8s.io/v1:{kind}", inputs)


@pytest.mark.parametrize("rule", RULE)
@pytest.mark.parametrize(
    "resource_type",
    [
        "pulumi:providers:kubernetes",
        "pulumi:pulumi:Stack",
        "cloudnative:index:WebService",
        "aws:s3:Bucket",
        "kubernetes:helm.sh/v4:Chart",
        "kubernetes:kustomize/v2:Directory",
        "kubernetes:yaml:ConfigFile",
        "kubernetes:yaml/v2:ConfigGroup",
    ],
)
def test_what_is_no_object_is_left_alone(resource_type: str, rule: str) -> None:
    assert not list(RULE[rule].problems(resource_type, {"metadata": {}, "spec": {"hostNetwork": True}}))


@pytest.mark.parametrize("kind", ["core/v1:List", "core/v1:PodList"])
def test_a_list_is_judged_by_its_items(kind: str) -> None:
    item = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(), "spec": pod()}
    for rule in RULE:
        assert not problems(rule, kind, {"items": [item]})
    (problem,) = problems("labels", kind, {"items": [item, {**item, "metadata": {"name": "other"}}]})
    assert problem.startswith("Pod other: ")
    (problem,) = problems("no-privileges", kind, {"items": [item, {**item, "spec": pod(hostPID=True)}]})
    assert problem.startswith("Pod shop: hostPID ")


def test_a_patch_is_judged_as_the_object_that_it_patches() -> None:
    (problem,) = problems("no-privileges", "apps/v1:DeploymentPatch", made("Deployment", pod(hostPID=True)))
    assert problem.startswith("Deployment shop: hostPID ")


def test_an_object_of_another_group_may_have_a_kind_that_kubernetes_has_too() -> None:
    assert not problems("no-privileges", "example.com/v1:Job", made("Job", pod(hostPID=True)))


@pytest.mark.parametrize("rule", RULE)
@pytest.mark.parametrize(
    "edit",
    [
        lambda inputs: inputs.update(metadata=UNKNOWN, spec=UNKNOWN, rules=UNKNOWN),
        lambda inputs: inputs.update(metadata={"name": UNKNOWN, "labels": UNKNOWN}),
        lambda inputs: inputs["metadata"]["labels"].update(owner=UNKNOWN, environment=UNKNOWN),
        lambda inputs: inputs["spec"].update(template=UNKNOWN, type=UNKNOWN, loadBalancerSourceRanges=UNKNOWN),
        lambda inputs: inputs["spec"]["template"]["spec"].update(dict.fromkeys(pod(), UNKNOWN)),
        lambda inputs: inputs["spec"]["template"]["spec"].update(hostNetwork=UNKNOWN, containers=[UNKNOWN]),
        lambda inputs: inputs["spec"]["template"]["spec"]["containers"].append(dict.fromkeys(container("a"), UNKNOWN)),
        lambda inputs: inputs["spec"]["template"]["spec"]["containers"].append(
            container(
                "a",
                securityContext={"privileged": UNKNOWN, "allowPrivilegeEscalation": UNKNOWN, "capabilities": UNKNOWN},
                resources={"requests": UNKNOWN, "limits": dict.fromkeys(TAKEN, UNKNOWN)},
            )
        ),
        lambda inputs: inputs.update(rules=[UNKNOWN, {"verbs": UNKNOWN, "resources": [UNKNOWN]}]),
    ],
)
@pytest.mark.parametrize(
    "kind", ["apps/v1:Deployment", "core/v1:Service", "rbac.authorization.k8s.io/v1:Role", "core/v1:PodList"]
)
def test_what_is_not_known_yet_is_fine(kind: str, edit: Edit, rule: str) -> None:
    inputs = made("Deployment", pod())
    edit(inputs)
    assert not problems(rule, kind, inputs)


def test_a_load_balancer_with_a_network_not_known_yet_is_fine() -> None:
    assert not load_balancer("prod", loadBalancerSourceRanges=[UNKNOWN])


def test_what_is_wrong_is_refused_although_something_else_is_not_known_yet() -> None:
    assert of_pod("no-privileges", hostNetwork=True, containers=UNKNOWN, volumes=UNKNOWN)
