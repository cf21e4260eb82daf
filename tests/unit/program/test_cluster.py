"""The connection to the cluster, and what keeps a stack in the one that it was made in."""

import pulumi
import pytest

from components.cluster import Cluster, ClusterArgs
from components.labels import Labels
from tests.unit.program.harness import UID, Cloud, Run, run

LABELS = Labels(part_of="cloudnative", instance="cloudnative-dev")


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
    assert [args.name for args in cloud.seen if args.typ == "kubernetes:core/v1:Namespace"] == ["cluster-identity"]


def test_the_cluster_is_known_by_the_uid_of_kube_system() -> None:
    result = cluster()
    assert result.one("Namespace", "cluster-identity").read
    assert result.one("Stash").inputs["input"] == UID


def test_the_record_keeps_the_first_cluster() -> None:
    assert cluster().one("Stash").ignore_changes == ("input",)


def test_a_changed_context_cannot_replace_the_provider_and_with_it_the_stack() -> None:
    identifiers = {
        cluster(context=context).one("kubernetes").inputs["clusterIdentifier"] for context in ("one", "another")
    }
    assert len(identifiers) == 1


def test_context_and_kubeconfig_reach_the_provider() -> None:
    provider = cluster(context="mine", kubeconfig="/etc/kubeconfig").one("kubernetes")
    assert (provider.inputs["context"], provider.inputs["kubeconfig"]) == ("mine", "/etc/kubeconfig")


def test_without_a_kubeconfig_the_one_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/var/lib/kubeconfig")
    assert cluster().one("kubernetes").inputs["kubeconfig"] == "/var/lib/kubeconfig"


def test_a_namespace_that_the_api_server_would_refuse_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="namespace must be lower-case letters"):
        ClusterArgs(context="c", namespace="Dev", labels=LABELS)
