"""The connection to the cluster, and what keeps a stack in the one that it was made in."""

import pulumi
import pytest

from components.cluster import Cluster, ClusterArgs
from tests.unit.program.harness import LABELS, UID, Cloud, Run, run

PROVIDERS = ("cluster-scout", "cluster-provider")


def cluster(context: str = "cloudnative", kubeconfig: str | None = None, cloud: Cloud | None = None) -> Run:
    args = ClusterArgs(context=context, kubeconfig=kubeconfig, namespace="cloudnative-dev", labels=LABELS)

    def declare() -> None:
        pulumi.export("namespace", Cluster("cluster", args).namespace)

    return run(declare, cloud=cloud)


def test_the_namespace_comes_out_under_its_own_name() -> None:
    assert cluster().exports == {"namespace": "cloudnative-dev"}


@pytest.mark.parametrize("mode", ["enforce", "audit", "warn"])
def test_the_namespace_holds_every_pod_to_the_restricted_standard(mode: str) -> None:
    labels = cluster().one("Namespace", "cluster-namespace").inputs["metadata"]["labels"]
    assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


def test_a_stack_refuses_another_cluster_and_touches_nothing_in_it() -> None:
    cloud = Cloud(recorded_uid="another")
    with pytest.raises(pulumi.RunError) as error:
        cluster(context="elsewhere", cloud=cloud)
    for part in ("UID another", UID, "'elsewhere'", "nothing was changed", "pulumi destroy"):
        assert part in str(error.value)
    looked_at = [args.name for args in cloud.seen if args.typ.startswith(("kubernetes:", "pulumi:providers:"))]
    assert looked_at == ["cluster-scout", "cluster-identity"]


def test_only_the_scout_looks_which_cluster_it_is() -> None:
    result = cluster()
    assert "::cluster-scout::" in result.one("Namespace", "cluster-identity").provider
    assert "::cluster-provider::" in result.one("Namespace", "cluster-namespace").provider


def test_the_cluster_is_known_by_the_uid_of_kube_system() -> None:
    result = cluster()
    assert result.one("Namespace", "cluster-identity").read
    assert result.one("Stash").inputs["input"] == UID


def test_the_record_keeps_the_first_cluster() -> None:
    assert cluster().one("Stash").ignore_changes == ("input",)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_changed_context_cannot_replace_a_provider_and_with_it_the_stack(name: str) -> None:
    identifiers = {
        cluster(context=context).one("kubernetes", name).inputs["clusterIdentifier"] for context in ("one", "another")
    }
    assert len(identifiers) == 1


@pytest.mark.parametrize("name", PROVIDERS)
def test_context_and_kubeconfig_reach_both_providers(name: str) -> None:
    provider = cluster(context="mine", kubeconfig="/etc/kubeconfig").one("kubernetes", name)
    assert (provider.inputs["context"], provider.inputs["kubeconfig"]) == ("mine", "/etc/kubeconfig")


@pytest.mark.parametrize("name", PROVIDERS)
def test_without_a_kubeconfig_the_one_of_the_environment_is_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/var/lib/kubeconfig")
    assert cluster().one("kubernetes", name).inputs["kubeconfig"] == "/var/lib/kubeconfig"


def test_a_namespace_that_the_api_server_would_refuse_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="namespace must be lower-case letters"):
        ClusterArgs(context="c", namespace="Dev", labels=LABELS)
