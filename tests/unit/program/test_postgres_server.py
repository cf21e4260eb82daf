"""A PostgreSQL server of the stack's own: who may connect, how its pods run, and what they find where."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from components import certificates, postgres_server
from tests.unit.program.databases import IMAGE, NAME, POSTGRES, containers, declared, pods
from tests.unit.program.harness import LABELS, ROOT, Registered, Run


@pytest.fixture(scope="module")
def own() -> Run:
    return declared()


def ingress(policy: Registered) -> list[tuple[str, list[Any]]]:
    return [
        (peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], [port["port"] for port in rule["ports"]])
        for rule in policy.inputs["spec"].get("ingress", [])
        for peer in rule["from"]
    ]


def test_the_server_takes_connections_of_the_service_its_migration_and_the_backups_alone(own: Run) -> None:
    policy = own.one("NetworkPolicy", f"{NAME}-network")
    assert policy.inputs["spec"]["podSelector"]["matchLabels"] == LABELS.selector(NAME)
    assert ingress(policy) == [
        ("catalog", ["postgres"]),
        ("catalog-migration", ["postgres"]),
        (f"{NAME}-backup", ["postgres"]),
        (f"{NAME}-restore", ["postgres"]),
    ]


def test_the_server_talks_to_nobody(own: Run) -> None:
    spec = own.one("NetworkPolicy", f"{NAME}-network").inputs["spec"]
    assert "egress" not in spec
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_a_services_pods_are_not_mistaken_for_the_databases(own: Run) -> None:
    names = {template["metadata"]["labels"]["app.kubernetes.io/name"] for template in pods(own).values()}
    assert names == {NAME, f"{NAME}-backup", f"{NAME}-restore"}
    assert own.one("Service").inputs["spec"]["selector"] == dict(LABELS.selector(NAME))


def test_from_outside_the_owner_alone_connects_and_only_by_tls_and_password(own: Run) -> None:
    lines = own.one("ConfigMap", f"{NAME}-config").inputs["data"]["pg_hba.conf"].splitlines()
    rules = [line.split() for line in lines if not line.startswith("#")]
    assert rules == [
        ["local", "all", "postgres", "peer"],
        ["hostssl", '"catalog"', '"catalog"', "all", "scram-sha-256"],
    ]


def test_the_certificate_is_for_each_name_of_the_server(own: Run) -> None:
    tls = own.one("Secret", f"{NAME}-tls").inputs
    assert tls["type"] == "kubernetes.io/tls"
    found = certificates.names_of(tls["stringData"]["tls.crt"])
    assert found == [NAME, f"{NAME}.shop", f"{NAME}.shop.svc"]
    service = own.one("Service").inputs["metadata"]
    assert f"{service['name']}.{service['namespace']}.svc" in found


def test_data_and_backups_are_on_volumes_of_the_sizes_and_class_asked_for() -> None:
    result = declared(dataclasses.replace(POSTGRES, storage="2Gi", storage_class="fast", backup_storage="5Gi"))
    found = {made.inputs["metadata"]["name"]: made.inputs["spec"] for made in result.all("PersistentVolumeClaim")}
    sizes = {name: spec["resources"]["requests"]["storage"] for name, spec in found.items()}
    assert sizes == {f"{NAME}-data": "2Gi", f"{NAME}-backups": "5Gi"}
    assert {spec["storageClassName"] for spec in found.values()} == {"fast"}


def test_the_clusters_default_class_is_left_to_the_cluster(own: Run) -> None:
    for made in own.all("PersistentVolumeClaim"):
        assert "storageClassName" not in made.inputs["spec"]


def test_each_pod_has_the_volumes_that_are_meant_for_it(own: Run) -> None:
    claims = {
        name: [
            volume["persistentVolumeClaim"]["claimName"]
            for volume in template["spec"]["volumes"]
            if "persistentVolumeClaim" in volume
        ]
        for name, template in pods(own).items()
    }
    assert claims == {
        f"{NAME}-server": [f"{NAME}-data"],
        f"{NAME}-backup-job": [f"{NAME}-backups"],
        f"{NAME}-restore-job": [f"{NAME}-backups"],
    }


def test_every_pod_meets_the_restricted_standard_and_more(own: Run) -> None:
    for template in pods(own).values():
        pod = template["spec"]
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": postgres_server.USER,
            "runAsGroup": postgres_server.USER,
            "fsGroup": postgres_server.USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert pod["automountServiceAccountToken"] is False
        for container in containers(template):
            assert container["image"] == IMAGE
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            for kind in ("requests", "limits"):
                assert container["resources"][kind].keys() == {"cpu", "memory", "ephemeral-storage"}
            assert "secretKeyRef" not in json.dumps(container)


def test_every_pod_runs_as_an_account_of_its_own_that_gives_no_token(own: Run) -> None:
    accounts = {made.inputs["metadata"]["name"]: made.inputs for made in own.all("ServiceAccount")}
    assert {template["spec"]["serviceAccountName"] for template in pods(own).values()} == set(accounts)
    assert {account["automountServiceAccountToken"] for account in accounts.values()} == {False}


def test_a_recovering_server_is_not_ready_and_not_killed(own: Run) -> None:
    (server,) = own.one("StatefulSet").inputs["spec"]["template"]["spec"]["containers"]
    assert server["readinessProbe"]["exec"]["command"] == ["pg_isready", "--quiet"]
    for kind in ("startupProbe", "livenessProbe"):
        # pg_isready's status 1: the server answers that it takes no connections yet.
        assert server[kind]["exec"]["command"] == ["sh", "-c", "pg_isready --quiet || [ $? -eq 1 ]"]


def test_the_server_is_stopped_without_waiting_for_its_clients(own: Run) -> None:
    pod = own.one("StatefulSet").inputs["spec"]["template"]["spec"]
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][:3] == ["pg_ctl", "stop", "--mode=fast"]
    assert pod["terminationGracePeriodSeconds"] > 30


def test_a_single_pod_has_no_disruption_budget(own: Run) -> None:
    assert own.one("StatefulSet").inputs["spec"]["replicas"] == 1
    assert not own.all("PodDisruptionBudget")


def test_what_pods_refer_to_is_declared(own: Run) -> None:
    objects = [made for made in own.resources if made.is_kubernetes_object]
    declared_names = {one.inputs["metadata"].get("name", f"{one.name}-1a2b3c4d") for one in objects}
    for template in pods(own).values():
        referred = {template["spec"]["serviceAccountName"]}
        for volume in template["spec"]["volumes"]:
            match volume:
                case {"secret": {"secretName": name}} | {"configMap": {"name": name}}:
                    referred.add(name)
                case {"persistentVolumeClaim": {"claimName": name}}:
                    referred.add(name)
                case {"projected": {"sources": sources}}:
                    referred |= {source["secret"]["name"] for source in sources}
        assert len(referred) >= 4
        assert referred <= declared_names


def test_scripts_find_the_files_and_variables_that_they_name(own: Run) -> None:
    for template in pods(own).values():
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        configs = {made.inputs["metadata"]["name"]: made.inputs["data"] for made in own.all("ConfigMap")}
        for container in containers(template):
            at = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"] if "subPath" not in mount}
            files = configs[volumes[at[postgres_server.CONFIG]]["configMap"]["name"]]
            text = json.dumps([container.get("command"), files if container["command"][0] == "sh" else ""])
            for name in re.findall(r"\$CONFIG/([\w.$]+)", text):
                assert name in files or name == "$1", name
            variables = {one["name"] for one in container["env"]}
            assert set(re.findall(r"\$(BACKUPS|CONFIG|CONNECTION|KEPT|OWNER|PGDATA)\b", text)) <= variables
            assert all(Path(folder).is_absolute() for folder in at)


def test_postgresql_reads_keys_and_rules_where_they_are(own: Run) -> None:
    text = own.one("ConfigMap", f"{NAME}-config").inputs["data"]["postgresql.conf"]
    settings = dict(re.findall(r"^(\w+) = '?([^'\n]*)'?$", text, re.MULTILINE))
    (server,) = own.one("StatefulSet").inputs["spec"]["template"]["spec"]["containers"]
    mounts = {mount["mountPath"]: mount for mount in server["volumeMounts"]}
    for key in ("hba_file", "ssl_cert_file", "ssl_key_file"):
        assert str(Path(settings[key]).parent) in mounts
    assert not mounts[settings["unix_socket_directories"]].get("readOnly")
    assert (settings["ssl"], settings["fsync"], settings["full_page_writes"]) == ("on", "on", "on")


def test_the_user_has_a_name() -> None:
    name, _, user, group, *_ = (ROOT / "components/postgres/passwd").read_text().split(":")
    assert (name, int(user), int(group)) == ("postgres", postgres_server.USER, postgres_server.USER)
