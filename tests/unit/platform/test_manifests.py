"""Which manifests are fine, and what is said about the others."""

import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import manifests
from local.errors import PlatformError
from local.manifests import ACCEPTED, Accepted

METADATA = {"name": "shop", "namespace": "shop"}
GOOD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop, labels: {app: shop}}
spec:
  replicas: 2
  strategy: {type: RollingUpdate}
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 1
              podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: shop}}}
      securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: shop
          image: registry.example.com/shop:1
          ports: [{name: http, containerPort: 8080}]
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, privileged: false,
            runAsUser: 65532, runAsGroup: 65532}
          resources:
            requests: {cpu: 100m, memory: 64Mi, ephemeral-storage: 64Mi}
            limits: {cpu: 100m, memory: 64Mi, ephemeral-storage: 64Mi}
          readinessProbe: {httpGet: {path: /readyz, port: http}}
          livenessProbe: {httpGet: {path: /healthz, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: shop}
spec: {podSelector: {matchLabels: {app: shop}}, policyTypes: [Ingress, Egress], ingress: [], egress: []}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: shop}}}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: shop, namespace: shop}
spec: {selector: {matchLabels: {app: shop}}, endpoints: [{port: http, interval: 15s}]}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: shop, namespace: shop}
spec: {groups: [{name: shop, rules: [{alert: Down, expr: up == 0, for: 1m, labels: {severity: page}}]}]}
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata: {name: shop, namespace: shop}
spec:
  route: {receiver: team, groupBy: [alertname], matchers: [{name: severity, value: page, matchType: "="}]}
  receivers: [{name: team, webhookConfigs: [{url: "http://pager.example.com/"}]}]
"""
BODIES = list(yaml.safe_load_all(GOOD))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file for each of a handful of objects that nothing is wrong with."""
    for body in BODIES:
        write(tmp_path, body)
    return tmp_path


def write(folder: Path, body: Any) -> None:
    (folder / f"{body['kind']}.yaml").write_text(yaml.dump(body, Dumper=yaml.CSafeDumper))


def change(folder: Path, kind: str, edit: Callable[[Any], object]) -> None:
    body = yaml.safe_load((folder / f"{kind}.yaml").read_text())
    edit(body)
    write(folder, body)


def container(body: Any) -> Any:
    return body["spec"]["template"]["spec"]["containers"][0]


def test_objects_that_are_as_they_should_be_are_fine(folder: Path) -> None:
    assert not manifests.check(folder)


@pytest.mark.parametrize(
    ("kind", "edit", "said"),
    [
        ("Deployment", lambda body: body["spec"].update(replica=2), "spec: Additional properties are not allowed"),
        ("Deployment", lambda body: body["spec"].update(replicas="two"), "spec.replicas: 'two' is not of type"),
        ("Deployment", lambda body: body["spec"].pop("selector"), "spec: 'selector' is a required property"),
        ("Deployment", lambda body: container(body).update(prots=[]), "spec.template.spec.containers.0: Additional "),
        ("Service", lambda body: body.update(apiVersion="v2"), "there is no Service in v2 of Kubernetes 1.34"),
        (
            "PodDisruptionBudget",
            lambda body: body.update(apiVersion="policy/v1beta1"),
            "there is no PodDisruptionBudget",
        ),
        ("ServiceMonitor", lambda body: body["spec"].pop("selector"), "spec: 'selector' is a required property"),
        (
            "ServiceMonitor",
            lambda body: body["spec"].update(endpoint=[]),
            "spec: Additional properties are not allowed",
        ),
        ("ServiceMonitor", lambda body: body["spec"]["endpoints"][0].update(interval="soon"), "'soon' does not match"),
        (
            "PrometheusRule",
            lambda body: body["spec"]["groups"][0]["rules"][0].update({"for": "soon"}),
            "spec.groups.0.rules.0.for: 'soon' does not match",
        ),
        (
            "AlertmanagerConfig",
            lambda body: body["spec"]["route"]["matchers"][0].update(matchType="~"),
            "spec.route.matchers.0.matchType: '~' is not one of ['!=', '=', '=~', '!~']",
        ),
        (
            "AlertmanagerConfig",
            lambda body: body["spec"]["receivers"][0].update(webhookConfig=[]),
            "spec.receivers.0: Additional properties are not allowed",
        ),
        (
            "ServiceMonitor",
            lambda body: body.update(apiVersion="example.com/v1"),
            "add its CRD to the toolchain's assets",
        ),
    ],
)
def test_what_the_api_server_would_refuse_is_named_with_its_file_and_place(
    folder: Path, kind: str, edit: Callable[[Any], object], said: str
) -> None:
    change(folder, kind, edit)
    (problem,) = manifests.check(folder)
    assert problem.startswith(f"{folder / kind}.yaml: {kind} shop: ")
    assert said in problem


@pytest.mark.parametrize(
    ("kind", "edit", "check"),
    [
        ("Deployment", lambda body: body["spec"].update(replicas=1), "deployment-replicas"),
        ("Deployment", lambda body: container(body).update(image="registry.example.com/shop"), "container-image-tag"),
        ("Deployment", lambda body: container(body).pop("readinessProbe"), "pod-probes"),
        (
            "NetworkPolicy",
            lambda body: body["spec"].update(podSelector={"matchLabels": {"app": "other"}}),
            "pod-networkpolicy",
        ),
        ("Service", lambda body: body["spec"].update(selector={"app": "other"}), "service-targets-pod"),
        (
            "Deployment",
            lambda body: body["spec"]["template"]["spec"]["securityContext"].pop("seccompProfile"),
            "container-seccomp-profile",
        ),
    ],
)
def test_what_is_no_good_practice_is_named_with_the_check_that_says_so(
    folder: Path, kind: str, edit: Callable[[Any], object], check: str
) -> None:
    change(folder, kind, edit)
    problems = manifests.check(folder)
    assert any(problem.endswith(f"({check})") and " shop: " in problem for problem in problems), problems


def test_a_file_below_the_folder_is_looked_at(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "service.yml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {prots: []}\n"
    )
    (problem,) = manifests.check(folder)
    assert "below/service.yml: Service x: spec: " in problem


def test_what_is_no_object_is_refused(folder: Path) -> None:
    (folder / "list.yaml").write_text("- one\n")
    (folder / "kindless.yaml").write_text("apiVersion: v1\nmetadata: {name: x}\n")
    assert [problem.partition(": must be ")[0] for problem in manifests.check(folder)] == [
        f"{folder}/kindless.yaml: no kind x",
        f"{folder}/list.yaml: no object",
    ]


def test_a_folder_without_objects_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("---\n")
    with pytest.raises(PlatformError, match="There is no YAML file with an object in"):
        manifests.check(tmp_path)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(PlatformError, match=r"broken\.yaml is no YAML: "):
        manifests.check(tmp_path)


def scored(grade: int, *, skipped: bool = False, comments: Any = None) -> Any:
    check = {"check": {"id": "a-check", "name": "A check"}, "grade": grade, "skipped": skipped, "comments": comments}
    return [{"type_meta": {"kind": "Deployment"}, "object_meta": METADATA, "checks": [check], "file_name": "a.yaml"}]


def test_whatever_is_not_the_best_grade_is_a_problem() -> None:
    comments = [
        {"path": "web", "summary": "Bad", "description": "Mend it"},
        {"path": "", "summary": "Worse", "description": ""},
    ]
    assert list(manifests.against_practice(scored(7, comments=comments), ())) == [
        "a.yaml: Deployment shop: web: Bad. Mend it (a-check)",
        "a.yaml: Deployment shop: Worse (a-check)",
    ]
    assert list(manifests.against_practice(scored(1), ())) == ["a.yaml: Deployment shop: A check (a-check)"]
    assert not list(manifests.against_practice(scored(10), ()))
    assert not list(manifests.against_practice(scored(0, skipped=True), ()))


def test_a_check_is_accepted_for_the_objects_that_are_named() -> None:
    for objects, left in (("*", 0), ("Deployment shop", 0), ("Deployment other", 1)):
        accepted = [Accepted(check="a-check", reason="why", objects=objects)]
        assert len(list(manifests.against_practice(scored(1), accepted))) == left
    assert list(manifests.against_practice(scored(1), [Accepted(check="another", reason="why")]))


def test_whatever_is_accepted_has_a_reason() -> None:
    assert all(len(accepted.reason) > 20 for accepted in ACCEPTED)


def test_unknown_fields_of_a_custom_resource_are_refused_except_where_its_schema_wants_them() -> None:
    schema = {
        "type": "object",
        "properties": {
            "open": {"properties": {}, "x-kubernetes-preserve-unknown-fields": True},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "list": {"type": "array", "items": {"properties": {"a": {}}}},
        },
    }
    before = deepcopy(schema)
    closed = manifests.closed(schema)
    assert schema == before
    assert closed["additionalProperties"] is False
    assert closed["properties"]["list"]["items"]["additionalProperties"] is False
    assert closed["properties"]["map"]["additionalProperties"] == {"type": "string"}
    assert "additionalProperties" not in closed["properties"]["open"]


@pytest.mark.parametrize(("replicas", "code"), [(2, 0), ("two", 1)])
def test_the_exit_code_says_whether_all_is_fine(
    folder: Path, replicas: Any, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(folder, "Deployment", lambda body: body["spec"].update(replicas=replicas))
    monkeypatch.setattr(sys, "argv", ["manifests", "check", str(folder)])
    with pytest.raises(SystemExit) as ended:
        manifests.main()
    assert ended.value.code == code


@pytest.mark.parametrize(
    ("group", "kinds"),
    [
        ("gateway.networking.k8s.io", {"Gateway", "HTTPRoute"}),
        ("monitoring.coreos.com", {"AlertmanagerConfig", "PrometheusRule", "ServiceMonitor"}),
        ("postgresql.cnpg.io", {"Backup", "Cluster", "ScheduledBackup"}),
        ("traefik.io", {"Middleware", "TLSStore"}),
    ],
)
def test_the_kinds_that_stacks_make_are_known(group: str, kinds: set[str]) -> None:
    specs = [crd["spec"] for crd in manifests.custom_kinds()]
    assert kinds <= {spec["names"]["kind"] for spec in specs if spec["group"] == group}
