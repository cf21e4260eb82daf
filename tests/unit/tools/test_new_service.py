"""One service more: what it begins as, where it is declared, and which names it cannot have."""

import ast
from pathlib import Path

import pytest
import yaml

from components.service import package_of
from services import SERVICES
from tools import new_service
from tools.new_service import ROOT

LONGEST = "a" * 46
ALIKE = ("Dockerfile", "Dockerfile.dockerignore", "requirements.txt", "webapp/wsgi.py")


@pytest.mark.parametrize("file", ALIKE)
def test_what_a_service_begins_with_is_what_webapp_has(file: str, tmp_path: Path) -> None:
    new_service.render("webapp", tmp_path)
    assert (tmp_path / "app/webapp" / file).read_text() == (ROOT / "app/webapp" / file).read_text()


def test_what_is_rendered_goes_into_the_services_own_folders_and_leaves_nothing_to_fill_in(tmp_path: Path) -> None:
    new_service.render("order-history", tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    own = ["app/order-history", "tests/app/order_history"]
    assert files
    for file in files:
        assert str(file.relative_to(tmp_path)).startswith(tuple(f"{folder}/" for folder in own))
        assert not {"{{", "}}", "webapp"} & {part for part in ("{{", "}}", "webapp") if part in file.read_text()}


def test_the_longest_name_makes_no_line_too_long(tmp_path: Path) -> None:
    new_service.render(LONGEST, tmp_path)
    assert max(len(line) for file in tmp_path.rglob("*.py") for line in file.read_text().splitlines()) <= 120


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "NAME must be lower-case letters, digits and hyphens, at most 46"),
        ("Order", "NAME must be lower-case letters, digits and hyphens, at most 46"),
        ("order_history", "NAME must be lower-case letters, digits and hyphens, at most 46"),
        ("../order", "NAME must be lower-case letters, digits and hyphens, at most 46"),
        (f"{LONGEST}a", "NAME must be lower-case letters, digits and hyphens, at most 46"),
        ("2nd", "NAME must begin with a letter and be no word of Python, found '2nd'"),
        ("class", "NAME must begin with a letter and be no word of Python, found 'class'"),
        ("webapp", "NAME must be new, found 'webapp': app/webapp is there already; choose another name"),
        ("chassis", "app/chassis is there already"),
        ("products", "the gateway leads /api/products to catalog"),
        ("image-lock", "imageLock is a key of the configuration already"),
        ("gateway", "gateway is a key of the configuration already"),
        ("catalog-secrets", "catalogSecrets is a key of the configuration already"),
        ("prometheus", "something else in __main__.py is called so"),
        ("check", "check is another thing in Python"),
        ("flask", "flask is another thing in Python"),
        ("local", "local is another thing in Python"),
    ],
)
def test_a_name_that_is_bad_or_taken_is_refused_with_what_is_wrong(name: str, said: str) -> None:
    with pytest.raises(ValueError, match="NAME must") as error:
        new_service.check(name)
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["brand-new", "b", LONGEST])
def test_any_other_name_will_do(name: str) -> None:
    new_service.check(name)


def test_a_refused_name_changes_nothing_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["new_service", "webapp"])
    monkeypatch.setattr(new_service, "render", lambda *_arguments: pytest.fail("something was made"))
    with pytest.raises(SystemExit, match=r"choose another name\. Nothing was changed\.$"):
        new_service.main()


def test_the_map_has_the_service_after_the_others_and_keeps_the_rest() -> None:
    text = new_service.MAP.read_text()
    before, after = (ast.parse(source).body for source in (text, new_service.with_declaration(text, "brand-new")))
    (declared,) = [node for node in after if ast.unparse(node).startswith("brand_new = ")]
    assert ast.unparse(declared) == (
        "brand_new = Service(name='brand-new', exported=_exported('brand-new'), "
        "paths=['/api/brand-new'], needs_key=True)"
    )
    names = [package_of(service.name) for service in SERVICES]
    assert ast.unparse(after[-1]) == f"SERVICES = check([{', '.join([*names, 'brand_new'])}])"
    assert [ast.unparse(node) for node in after if node is not declared][:-1] == [ast.unparse(one) for one in before][
        :-1
    ]


@pytest.mark.parametrize(
    "text", ["SERVICES = check([])", "SERVICES = check([catalog])", "catalog = Service()\nSERVICES = [catalog]", ""]
)
def test_a_map_that_is_written_in_another_way_is_not_touched(text: str) -> None:
    with pytest.raises(ValueError, match=r"services\.py must have"):
        new_service.with_declaration(text, "brand-new")


def test_the_services_keys_come_after_those_of_the_others_and_all_else_stays() -> None:
    text = new_service.KEYS.read_text()
    changed = new_service.with_keys(text, "brand-new")
    before, after = (yaml.safe_load(source)["config"] for source in (text, changed))
    names = [key for key in after if key not in before]
    assert names == ["brandNew", "brandNewSecrets"]
    assert {key: value for key, value in after.items() if key in before} == before
    last = [key for key in before if key.endswith("Secrets")][-1]
    assert list(after)[list(after).index("brandNew") - 1] == last
    assert all(after[key]["default"] == {} for key in names)
    assert [line for line in changed.splitlines() if "#" in line] == [line for line in text.splitlines() if "#" in line]


def test_keys_can_be_the_last_of_the_file() -> None:
    changed = new_service.with_keys("config:\n  webappSecrets:\n    type: object\n", "prices")
    assert list(yaml.safe_load(changed)["config"]) == ["webappSecrets", "prices", "pricesSecrets"]


def test_without_keys_of_a_service_there_is_no_place_for_others() -> None:
    with pytest.raises(ValueError, match=r"Pulumi\.yaml must have keys that end with Secrets"):
        new_service.with_keys("config:\n  owner:\n    type: string\n", "prices")
