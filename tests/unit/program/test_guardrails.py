"""What holds for all of a namespace: network, quota and limits."""

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.guardrails import UNSTATED, Guardrails, GuardrailsArgs
from components.network import Flow, Peer, spec
from components.quota import Demand, Quota
from tests.unit.program.harness import LABELS, Run, run

QUOTA = Quota(pods=10, cpu="1", memory="1Gi", ephemeral_storage="1Gi")


def args(**changes: Any) -> GuardrailsArgs:
    demand = Demand(name="webapp", pods=6, resources=UNSTATED)
    return GuardrailsArgs(
        **{"namespace": "cloudnative-dev", "labels": LABELS, "quota": QUOTA, "demands": [demand], **changes}
    )


@pytest.fixture(scope="module")
def guardrails() -> Run:
    return run(lambda: pulumi.export("namespace", Guardrails("guardrails", args()).namespace))


def test_the_namespaces_name_comes_out_under_its_own_name(guardrails: Run) -> None:
    assert guardrails.exports == {"namespace": "cloudnative-dev"}


def test_no_pod_may_talk_to_anybody(guardrails: Run) -> None:
    assert guardrails.one("NetworkPolicy", "guardrails-deny").inputs["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_every_pod_may_ask_the_clusters_dns_and_nothing_else(guardrails: Run) -> None:
    (rule,) = guardrails.one("NetworkPolicy", "guardrails-dns").inputs["spec"]["egress"]
    (peer,) = rule["to"]
    assert peer == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    assert rule["ports"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


def test_the_quota_reaches_the_namespace(guardrails: Run) -> None:
    assert guardrails.one("ResourceQuota").inputs["spec"]["hard"] == {
        "pods": "10",
        "requests.cpu": "1",
        "requests.memory": "1Gi",
        "requests.ephemeral-storage": "1Gi",
    }


def test_a_container_that_states_nothing_is_given_something(guardrails: Run) -> None:
    (limits,) = guardrails.one("LimitRange").inputs["spec"]["limits"]
    assert limits["type"] == "Container"
    assert limits["default"].keys() == limits["defaultRequest"].keys() == {"cpu", "memory", "ephemeral-storage"}


def test_what_does_not_fit_is_refused_with_who_asks_for_how_much() -> None:
    much = Demand(name="catalog", pods=5, resources=UNSTATED)
    with pytest.raises(ValueError, match=r"quota must hold .* pods 11 \(webapp 6, catalog 5\), found 10"):
        args(demands=[*args().demands, much])


@pytest.mark.parametrize("name", ["cpu", "memory", "ephemeral_storage"])
def test_a_quota_that_is_no_quantity_is_refused(name: str) -> None:
    wrong: dict[str, Any] = {name: "x"}
    with pytest.raises(ValueError, match=f"{name} must be a positive Kubernetes quantity"):
        replace(QUOTA, **wrong)


def test_a_peer_that_is_nobody_is_refused_as_it_would_be_everybody() -> None:
    with pytest.raises(ValueError, match="it would be everybody"):
        Peer()


def test_a_flow_without_ports_is_refused_as_it_would_be_all_of_them() -> None:
    with pytest.raises(ValueError, match="it would be all of them"):
        Flow(peer=Peer(namespace="a"), ports=[])


def test_an_address_that_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="addresses must be a list of at least 1 network in CIDR notation"):
        Peer(addresses=["10.0.0.1"])


def test_pods_of_another_namespace_have_to_be_in_it_and_to_have_the_labels() -> None:
    rules: Any = spec({}, ingress=[Flow(peer=Peer(namespace="a", pods={"b": "c"}), ports=[1])]).ingress
    (peer,) = rules[0].from_
    assert peer.namespace_selector.match_labels == {"kubernetes.io/metadata.name": "a"}
    assert peer.pod_selector.match_labels == {"b": "c"}
