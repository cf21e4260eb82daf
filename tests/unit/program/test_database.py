"""A service's database, whatever its engine: who gets to it and by what, and what is kept."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from components import connection
from components.certificates import Authority, AuthorityArgs
from components.connection import Connection
from components.database import Database, DatabaseArgs
from components.engines import Engine
from policy.rules import RULES
from tests.unit.program.databases import MANAGED, NAME, OPERATED, POSTGRES, declared
from tests.unit.program.harness import LABELS, Cloud, Run, plain_texts, run


@pytest.fixture(scope="module")
def own() -> Run:
    return declared()


@pytest.fixture(scope="module", params=[POSTGRES, MANAGED, OPERATED], ids=lambda engine: type(engine).__name__)
def any_engine(request: pytest.FixtureRequest) -> Run:
    return declared(request.param)


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


def test_the_policy_pack_has_nothing_against_it(any_engine: Run) -> None:
    for made in any_engine.resources:
        for rule in RULES:
            assert not list(rule.problems(made.type, made.inputs)), made.name


def test_of_a_server_of_the_stacks_own_alerts_are_declared_and_of_others_none(any_engine: Run) -> None:
    assert any_engine.exports["rules"] == ([NAME] if any_engine.all("StatefulSet") else [])
