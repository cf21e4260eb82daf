"""A service's database: who gets to it and by what, what is kept, and what each engine is told."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import alerts, certificates, connection, engines, postgres_server
from components.certificates import Authority, AuthorityArgs
from components.connection import Connection
from components.database import Database, DatabaseArgs
from components.engines import CloudNativePg, Engine, Managed, Postgres
from components.objective import Objective
from components.rules import rule_file
from policy.rules import RULES
from tests.unit.program.harness import LABELS, ROOT, Cloud, Registered, Run, plain_texts, run
from tests.unit.program.promtool import said
from tests.unit.program.rule_cases import cases, promtool_tests

NAME = "catalog-database"
IMAGE = "registry.example.com/base/postgres@sha256:" + "e1" * 32

POSTGRES = Postgres(image=IMAGE)
MANAGED = Managed(
    host="db.example.com",
    dbname="shop",
    username="app",
    password=pulumi.Output.secret("hush"),
    networks=["198.51.100.0/24"],
)
OPERATED = CloudNativePg(api_server=["10.90.0.1/32"])


def declared(engine: Engine = POSTGRES, *, name: str = NAME, cloud: Cloud | None = None, **changed: Any) -> Run:
    """Declare a database of the service `catalog`, and export what a Deployment would take of its connection."""

    def declare() -> None:
        authority = Authority("stack", AuthorityArgs(common_name="cloudnative-dev"))
        args = {
            "namespace": "shop",
            "namespace_name": "shop",
            "labels": LABELS,
            "owner": "catalog",
            "engine": engine,
            "authority": authority,
            **changed,
        }
        database = Database(name, DatabaseArgs(**args))
        made = database.connection(args["owner"])
        pulumi.export("authority", authority.certificate)
        pulumi.export("files", [{"secret": one.secret, "names": list(one.names)} for one in made.files])
        pulumi.export("rules", [group.name for group in database.rules])

    return run(declare, cloud=cloud)


@pytest.fixture(scope="module")
def own() -> Run:
    return declared()


@pytest.fixture(scope="module", params=[POSTGRES, MANAGED, OPERATED], ids=lambda engine: type(engine).__name__)
def any_engine(request: pytest.FixtureRequest) -> Run:
    return declared(request.param)


def pods(result: Run) -> dict[str, dict[str, Any]]:
    """Return the templates of all pods by the name of what makes them."""
    found = {made.name: made.inputs["spec"]["template"] for made in result.all("StatefulSet")}
    for made in result.all("CronJob"):
        found[made.name] = made.inputs["spec"]["jobTemplate"]["spec"]["template"]
    return found


def containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


# Who gets to it.


def test_nobody_but_the_owner_gets_the_connection() -> None:
    def declare() -> None:
        authority = Authority("stack", AuthorityArgs(common_name="cloudnative-dev"))
        args = DatabaseArgs(
            namespace="shop",
            namespace_name="shop",
            labels=LABELS,
            owner="catalog",
            engine=MANAGED,
            authority=authority,
        )
        Database(NAME, args).connection("webapp")

    with pytest.raises(ValueError, match="catalog-database belongs to catalog, and webapp asks for it") as error:
        run(declare)
    assert "let webapp call catalog's API" in str(error.value)


@pytest.mark.parametrize("owner", ["postgres", "public", "none", "template1"])
def test_an_owner_whose_name_postgresql_has_for_itself_is_refused(owner: str) -> None:
    with pytest.raises(ValueError, match=f"owner must be none of .* found '{owner}'"):
        declared(owner=owner)


@pytest.mark.parametrize("owner", ["a" * 44, "Catalog", "a_b"])
def test_an_owner_after_whom_nothing_can_be_called_is_refused(owner: str) -> None:
    with pytest.raises(ValueError, match="owner must "):
        declared(owner=owner)


def test_the_longest_name_is_short_enough_for_every_object() -> None:
    longest = "a" * 43
    for made in declared(name=longest, owner=longest).resources:
        if made.is_kubernetes_object:
            limit = 52 if made.type.endswith(":CronJob") else 63
            assert len(made.inputs["metadata"].get("name", f"{made.name}-1a2b3c4d")) <= limit, made.name
    with pytest.raises(ValueError, match="at most 43 characters"):
        declared(name="a" * 44)


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


@pytest.mark.parametrize("kind", ["backup", "restore"])
def test_backups_talk_to_the_server_alone_and_nobody_talks_to_them(own: Run, kind: str) -> None:
    spec = own.one("NetworkPolicy", f"{NAME}-{kind}-network").inputs["spec"]
    (rule,) = spec["egress"]
    assert rule["to"] == [{"podSelector": {"matchLabels": dict(LABELS.selector(NAME))}}]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]
    assert "ingress" not in spec
    (template,) = [template for name, template in pods(own).items() if f"-{kind}-" in name]
    assert spec["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


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


# The connection's files.


def test_the_owner_finds_the_files_of_the_contract(own: Run) -> None:
    content = own.one("Secret", f"{NAME}-connection").inputs["stringData"]
    assert content == {
        "host": NAME,
        "port": "5432",
        "dbname": "catalog",
        "username": "catalog",
        "password": content["password"],
        "ca.crt": own.exports["authority"],
    }
    assert len(content["password"]) >= 40
    (files,) = own.exports["files"]
    assert files["secret"] == f"{NAME}-connection-1a2b3c4d"
    assert set(files["names"]) == set(content)


def test_a_changed_secret_has_another_name_and_so_rolls_the_pods(any_engine: Run) -> None:
    for secret in any_engine.all("Secret"):
        assert "name" not in secret.inputs["metadata"]


def test_a_managed_database_with_a_public_certificate_has_no_authority_of_its_own() -> None:
    content = declared(MANAGED).one("Secret").inputs["stringData"]
    assert content == {
        "host": "db.example.com",
        "port": "5432",
        "dbname": "shop",
        "username": "app",
        "password": "hush",
    }
    with_ca = declared(dataclasses.replace(MANAGED, ca="PEM")).one("Secret").inputs["stringData"]
    assert with_ca["ca.crt"] == "PEM"


def test_the_operators_secrets_are_the_files_and_its_key_is_not_among_them() -> None:
    assert declared(OPERATED).exports["files"] == [
        {"secret": f"{NAME}-app", "names": ["host", "port", "dbname", "username", "password"]},
        {"secret": f"{NAME}-ca", "names": ["ca.crt"]},
    ]


def made_by(engine: Engine, use: Callable[[Connection], object]) -> Any:
    """Return what `use` makes of the connection."""
    found = []

    def declare() -> None:
        authority = Authority("stack", AuthorityArgs(common_name="cloudnative-dev"))
        args = DatabaseArgs(
            namespace="shop", namespace_name="shop", labels=LABELS, owner="catalog", engine=engine, authority=authority
        )
        found.append(use(Database(NAME, args).connection("catalog")))

    run(declare)
    return found[0]


def test_the_files_are_read_only_and_for_the_pods_group_alone() -> None:
    volume, mount = made_by(MANAGED, lambda one: (one.volume(), one.mount()))
    assert volume.projected.default_mode == 0o440
    assert mount.read_only
    assert (mount.mount_path, mount.name) == (connection.FOLDER, volume.name)


@pytest.mark.parametrize(
    ("engine", "peer", "port"),
    [
        (POSTGRES, {"pods": LABELS.selector(NAME)}, 5432),
        (dataclasses.replace(MANAGED, port=6432), {"addresses": ["198.51.100.0/24"]}, 6432),
        (OPERATED, {"pods": {"cnpg.io/cluster": NAME}}, 5432),
    ],
    ids=["own", "managed", "operated"],
)
def test_the_owner_may_reach_the_server_at_its_port(engine: Engine, peer: Mapping[str, Any], port: int) -> None:
    flow = made_by(engine, lambda one: one.flow)
    assert {name: getattr(flow.peer, name) for name in peer} == peer
    assert flow.ports == [port]


def test_the_password_is_made_once_and_kept(own: Run) -> None:
    assert own.one("Stash", f"{NAME}-password").ignore_changes == ("input",)
    cloud = Cloud(stashed={f"{NAME}-password": "kept"})
    content = declared(cloud=cloud).one("Secret", f"{NAME}-connection").inputs["stringData"]
    assert content["password"] == "kept"


def test_no_two_databases_have_the_same_password(own: Run) -> None:
    passwords = {result.one("Stash", f"{NAME}-password").inputs["input"] for result in (own, declared())}
    assert len(passwords) == 2


def test_no_secret_is_plain(any_engine: Run) -> None:
    hidden = {"hush", "PRIVATE KEY"}
    hidden |= {one.inputs["stringData"]["password"] for one in any_engine.all("Secret") if "-connection" in one.name}
    for made in any_engine.resources:
        for text in plain_texts(made.wire):
            assert not [secret for secret in hidden if secret in text], made.name


# What is kept.


@pytest.mark.parametrize(
    ("engine", "kind", "count"), [(POSTGRES, "PersistentVolumeClaim", 2), (OPERATED, "Cluster", 1)]
)
def test_what_holds_data_is_protected_unless_it_is_droppable(engine: Engine, kind: str, count: int) -> None:
    kept = [made for made in declared(engine).all(kind) if made.is_kubernetes_object]
    assert [made.protect for made in kept] == [True] * count
    dropped = [made for made in declared(engine, droppable=True).all(kind) if made.is_kubernetes_object]
    assert [made.protect for made in dropped] == [False] * count


def test_nothing_else_is_protected(any_engine: Run) -> None:
    kinds = {made.type.rpartition(":")[2] for made in any_engine.resources if made.protect}
    assert kinds <= {"PersistentVolumeClaim", "Cluster"}


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


# How it runs.


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


def test_the_policy_pack_has_nothing_against_it(any_engine: Run) -> None:
    for made in any_engine.resources:
        for rule in RULES:
            assert not list(rule.problems(made.type, made.inputs)), made.name


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


# Backups.


def test_a_backup_runs_daily_and_never_beside_another(own: Run) -> None:
    spec = own.one("CronJob", f"{NAME}-backup-job").inputs["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("0 3 * * *", "Etc/UTC", False)
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] == 3600


def test_a_restore_never_runs_by_itself_and_is_tried_once(own: Run) -> None:
    spec = own.one("CronJob", f"{NAME}-restore-job").inputs["spec"]
    assert spec["suspend"] is True
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0


@pytest.mark.parametrize("schedule", ["0 3 * * 1", "*/5 * * * *", "60 3 * * *", "0 24 * * *", "@daily", ""])
def test_a_backup_that_is_not_a_daily_one_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match=r"backup_schedule must be a minute and an hour in cron"):
        Postgres(image=IMAGE, backup_schedule=schedule)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(Postgres, image="postgres"), "image must be an image with a digest or a tag"),
        (partial(Postgres, image=IMAGE, storage="1 GB"), "storage must be a positive Kubernetes quantity"),
        (partial(Postgres, image=IMAGE, backup_storage="0"), "backup_storage must be a positive Kubernetes quantity"),
        (partial(Postgres, image=IMAGE, backups_kept=0), "backups_kept must be from 1 to 100, found 0"),
        (partial(dataclasses.replace, MANAGED, host="db example"), "host must be a DNS name"),
        (partial(dataclasses.replace, MANAGED, networks=[]), "networks must name at least one network"),
        (partial(dataclasses.replace, MANAGED, networks=["10.0.0.1"]), "networks must be a list"),
        (partial(dataclasses.replace, MANAGED, port=0), "port must be from 1 to 65535, found 0"),
        (partial(CloudNativePg, api_server=[]), "api_server must name at least one network"),
        (partial(dataclasses.replace, OPERATED, instances=0), "instances must be from 1 to 9, found 0"),
        (partial(dataclasses.replace, OPERATED, operator_namespace="No"), "operator_namespace must be"),
    ],
)
def test_an_engine_refuses_what_it_cannot_be(make: Callable[[], Engine], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_quota_is_asked_for_every_pod_that_there_may_be(own: Run) -> None:
    asked = engines.demands(NAME, POSTGRES)
    assert sum(demand.pods for demand in asked) == len(pods(own))
    for demand, template in zip([asked[0], asked[1], asked[1]], pods(own).values(), strict=True):
        for container in containers(template):
            assert container["resources"]["requests"] == demand.resources.quantities("request")
    assert [demand.pods for demand in engines.demands(NAME, OPERATED)] == [4]
    assert engines.demands(NAME, MANAGED) == []


# CloudNativePG.


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


# Alerts.


def test_of_a_server_of_the_stacks_own_alerts_are_declared_and_of_others_none(any_engine: Run) -> None:
    assert any_engine.exports["rules"] == ([NAME] if any_engine.all("StatefulSet") else [])


GROUP = alerts.of_database(NAME, namespace="cloudnative-dev", owner="catalog")


@pytest.mark.parametrize("alert", [rule.name for rule in GROUP.rules])
def test_its_alerts_fire_stay_silent_and_resolve(alert: str, promtool: Path, tmp_path: Path) -> None:
    content = rule_file([GROUP], labels={}, runbooks="docs/runbooks.md")
    (rule,) = [rule for rule in content["groups"][0]["rules"] if rule["alert"] == alert]
    del rule["annotations"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
    (tests,) = promtool_tests("rules.yml", rule, cases(rule, Objective(), 1))
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests))
    assert not said(promtool, "test", "rules", tmp_path / "test.yml")


def test_a_backup_that_never_was_is_missed_from_a_day_after_the_cronjob_was_made(
    promtool: Path, tmp_path: Path
) -> None:
    content = rule_file([GROUP], labels={}, runbooks="docs/runbooks.md")
    (rule,) = [rule for rule in content["groups"][0]["rules"] if rule["alert"] == "BackupMissed"]
    del rule["annotations"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}))
    labels = {"namespace": "cloudnative-dev", "cronjob": f"{NAME}-backup"}
    series = "kube_cronjob_created{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
    fires = [{"exp_labels": {**labels, **rule["labels"]}}]
    test = {
        "interval": "1h",
        "input_series": [{"series": series, "values": "0x30"}],
        "alert_rule_test": [
            {"eval_time": "26h", "alertname": "BackupMissed", "exp_alerts": []},
            {"eval_time": "27h", "alertname": "BackupMissed", "exp_alerts": fires},
        ],
    }
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1h", "tests": [test]})
    )
    assert not said(promtool, "test", "rules", tmp_path / "test.yml")
