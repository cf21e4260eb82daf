"""The keys of databases: what one runs on, and where its password comes from."""

from typing import Any

import pytest

from keys.database import CloudNativePg, Managed, Postgres
from tests.unit.program.configurations import (
    CLOUD_NATIVE_PG,
    DATABASE_PASSWORD,
    MANAGED,
    VALID,
    changed,
    parsed,
    problem,
    problems,
)


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [(VALID["catalog"]["database"], Postgres), (MANAGED, Managed), (CLOUD_NATIVE_PG, CloudNativePg)],
    ids=["own", "managed", "operator"],
)
def test_one_key_chooses_what_a_database_runs_on(chosen: dict[str, Any], kind: type) -> None:
    password = {DATABASE_PASSWORD: "hush"} if chosen is MANAGED else {}
    read = parsed({**changed("catalog.database", chosen), **password}, *password)
    keys, found = read.database("catalog")
    assert isinstance(keys, kind)
    assert found == password.get(DATABASE_PASSWORD, "")


def test_who_owns_no_database_has_none() -> None:
    with pytest.raises(TypeError, match="webapp owns no database"):
        parsed(VALID).database("webapp")


def test_a_managed_database_has_a_password_that_somebody_sets() -> None:
    assert problem(changed("catalog.database", MANAGED)) == (
        "catalogDatabasePassword must be set, because catalog.database is of kind managed"
    )


@pytest.mark.parametrize("chosen", [VALID["catalog"]["database"], CLOUD_NATIVE_PG], ids=lambda chosen: chosen["kind"])
def test_any_other_database_makes_its_own_password(chosen: dict[str, Any]) -> None:
    values = {**changed("catalog.database", chosen), DATABASE_PASSWORD: "hush"}
    assert problem(values, DATABASE_PASSWORD) == (
        f"catalogDatabasePassword must not be set, because catalog.database is of kind {chosen['kind']}, which makes "
        "its own"
    )


def test_a_databases_password_is_read_where_it_is_encrypted() -> None:
    values = {**changed("catalog.database", MANAGED), DATABASE_PASSWORD: "hush"}
    assert problems(values) == ["catalogDatabasePassword must be encrypted, found plain text"]
    assert "hush" not in repr(parsed(values, DATABASE_PASSWORD))
