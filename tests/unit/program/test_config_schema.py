"""The configuration's schema in words, and the reference that is made of it."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

import config_schema
import settings
from config_schema import Row
from docs import config_reference


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Cat(_Keys):
    kind: Literal["cat"]
    life_count: int = Field(default=9, ge=1, le=9, description="Lives.")


class Dog(_Keys):
    kind: Literal["dog"]
    tricks: list[Literal["sit", "roll"]] = Field(min_length=1, description="What it can do.")


class Home(_Keys):
    owner: str | None = Field(default=None, description="Who lives there.")
    colour: Annotated[str, Field(json_schema_extra={"limits": "a colour"})]
    warm: bool = True
    style: Literal["modern"] | None = None
    plants: dict[str, str] = {}
    pet: Cat | Dog = Field(discriminator="kind", description="Which animal.")


SCHEMA = Home.model_json_schema()


@pytest.mark.parametrize(
    ("loc", "path", "limits"),
    [
        (("owner",), "owner", "a string"),
        (("colour",), "colour", "a colour"),
        (("warm",), "warm", "true or false"),
        (("style",), "style", "modern"),
        (("plants",), "plants", "an object whose every value is a string"),
        (("plants", "fern"), "plants.fern", "a string"),
        (("plants", "big fern", "[key]"), 'plants["big fern"]', "a string"),
        (("pet",), "pet", "an object whose kind is one of cat, dog"),
        (("pet", "cat", "lifeCount"), "pet.lifeCount", "a whole number from 1 to 9"),
        (("pet", "cat", "life_count"), "pet.lifeCount", "a whole number from 1 to 9"),
        (("pet", "dog", "tricks"), "pet.tricks", "a list of at least 1, each one of sit, roll"),
        (("pet", "dog", "tricks", 1), "pet.tricks[1]", "one of sit, roll"),
        ((), "", "an object with owner, colour, warm, style, plants, pet"),
    ],
)
def test_a_place_is_given_as_its_path_and_what_may_stand_there(
    loc: tuple[int | str, ...], path: str, limits: str
) -> None:
    found, schema = config_schema.locate(SCHEMA, loc)
    assert (found, config_schema.limits(SCHEMA, schema)) == (path, limits)


def test_a_schema_without_words_is_an_error_and_no_empty_text() -> None:
    with pytest.raises(NotImplementedError, match="no words"):
        config_schema.limits({}, {"type": "number"})


def test_there_is_one_row_for_each_key_that_holds_a_value() -> None:
    assert list(config_schema.rows(SCHEMA, SCHEMA)) == [
        Row("owner", "null", "a string", "Who lives there."),
        Row("colour", None, "a colour", ""),
        Row("warm", "true", "true or false", ""),
        Row("style", "null", "modern", ""),
        Row("plants", "{}", "an object whose every value is a string", ""),
        Row("pet.kind", None, "one of cat, dog", "Which animal."),
        Row("pet.lifeCount", "9", "a whole number from 1 to 9", "With kind cat: Lives."),
        Row("pet.tricks", None, "a list of at least 1, each one of sit, roll", "With kind dog: What it can do."),
    ]


def test_every_key_of_the_configuration_is_described() -> None:
    schema = settings.schema()
    assert not [row.path for row in config_schema.rows(schema, schema) if not row.description]


def test_the_table_says_what_must_be_set_and_what_is_left_out() -> None:
    table = config_reference.table([Row("a", None, "x|y", "A."), Row("b", "null", "z", "B."), Row("c", "3", "z", "C.")])
    assert table.splitlines()[2:] == [
        "| `a` | must be set | x\\|y | A. |",
        "| `b` | none | z | B. |",
        "| `c` | `3` | z | C. |",
    ]


def test_what_is_the_same_for_all_services_stands_there_once_and_what_is_not_by_itself() -> None:
    def row(path: str, description: str) -> Row:
        return Row(path, None, "a string", description)

    rows = [
        row("shop.image", "Image."),
        row("shop.database.kind", "Kind."),
        row("shopSecrets", "Files."),
        row("cart.image", "Image."),
        row("cartSecrets", "Files."),
        row("shops", "Another."),
    ]
    assert [one.path for one in config_reference.without_repetition(rows, ["shop", "cart"])] == [
        "<service>.image",
        "<service>.database.kind",
        "<service>Secrets",
        "shops",
    ]


def test_the_reference_has_the_keys_of_each_kind_of_database_below_the_service_that_owns_one() -> None:
    schema = settings.schema()

    def conditions(key: str) -> list[str]:
        rows = [row for row in config_schema.rows(schema, schema) if row.path == f"catalog.database.{key}"]
        return [row.description.partition(":")[0].removeprefix("With kind ") for row in rows]

    assert conditions("kind") == ["What the service's database runs on."]
    assert conditions("storage") == ["cloudnative-pg", "postgres"]
    assert conditions("host") == ["managed"]
    assert conditions("instances") == ["cloudnative-pg"]


def test_the_reference_replaces_what_stands_between_the_markers_and_nothing_else() -> None:
    text = f"before\n{config_reference.BEGIN}\nold\n{config_reference.END}\nafter\n"
    new = config_reference.replaced(text, "new")
    assert new == text.replace("old", "new")
    assert config_reference.replaced(new, "new") == new


@pytest.mark.parametrize(
    "text",
    [
        "",
        config_reference.BEGIN,
        config_reference.END,
        f"{config_reference.END}{config_reference.BEGIN}",
        f"{config_reference.BEGIN}{config_reference.END}{config_reference.BEGIN}{config_reference.END}",
    ],
    ids=["none", "no end", "no beginning", "wrong order", "twice"],
)
def test_a_file_without_both_markers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="needs one line"):
        config_reference.replaced(text, "new")
