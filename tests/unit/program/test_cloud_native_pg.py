"""A database by CloudNativePG's operator: its Cluster, and who reaches whom."""

from tests.unit.program.databases import NAME, OPERATED, declared


def test_the_operator_makes_the_owners_database_and_refuses_what_is_not_encrypted() -> None:
    made = declared(OPERATED).one("Cluster", f"{NAME}-cluster").inputs
    assert made["spec"]["bootstrap"]["initdb"].items() >= {"database": "catalog", "owner": "catalog"}.items()
    assert made["spec"]["postgresql"]["pg_hba"] == ["hostnossl all all all reject"]
    assert made["spec"]["instances"] == 3
    assert "imageName" not in made["spec"]
    assert made["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"


def test_the_operator_and_the_instances_reach_each_other() -> None:
    spec = declared(OPERATED).one("NetworkPolicy").inputs["spec"]
    pods = {"cnpg.io/cluster": NAME}
    assert spec["podSelector"]["matchLabels"] == pods
    peers = [(rule["from"][0], [port["port"] for port in rule["ports"]]) for rule in spec["ingress"]]
    assert ({"podSelector": {"matchLabels": pods}}, [5432, 8000]) in peers
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "cnpg-system"}}}
    assert (operator, [5432, 8000]) in peers
    assert len(peers) == 4
    assert {"ipBlock": {"cidr": "10.90.0.1/32"}} in [peer for rule in spec["egress"] for peer in rule["to"]]
