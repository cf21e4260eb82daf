"""`python -m tools.new_service NAME`: one service more, of `template/`, declared wherever a service is declared.

What is its own, `app/<name>` and `tests/app/<package>`, is rendered by copier; the package is the name with
underscores. Then come the map, the keys in `Pulumi.yaml`, its lock, and what is generated. All of it is made or
nothing. Not here: who calls it, and how much of it runs, which is for people to say; and databases, which few need.
"""

import argparse
import ast
import keyword
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import copier
import yaml
from pydantic.alias_generators import to_camel

from components import checks
from components.service import package_of
from docs import app_metrics
from services import SERVICES

ROOT = Path(__file__).parents[1]
MAP, KEYS, MAIN = ROOT / "services.py", ROOT / "Pulumi.yaml", ROOT / "__main__.py"
GENERATED = (ROOT / "README.md", ROOT / "docs/map.svg")
"""Files that tell of all services, and are written by `make docs map`."""

NEXT = """\
{name} is there, and answers /api/{name} with an example. What is yours to do:
  app/{name}/{package}   make it what it is for; then `make docs lint test-unit`
  services.py   say who calls it, as in: webapp.calls({package}, timeout=0.5, retries=2)
  Pulumi.<stack>.yaml   say under cloudnative:{key} how much of it runs, where the defaults will not do
Then `make preview`, and `make up`."""


def key_of(name: str) -> str:
    """Return the service's key in the stacks' configuration."""
    return to_camel(package_of(name))


def check(name: str) -> None:
    """Refuse a name that a service cannot have.

    Raises:
        ValueError: it is no name for a service, or another's already.
    """
    checks.field("NAME", checks.component_name, name)
    package = package_of(name)
    if not package.isidentifier() or keyword.iskeyword(package):
        raise ValueError(f"NAME must begin with a letter and be no word of Python, found {name!r}")
    found = next(_taken(name), None)
    if found:
        raise ValueError(f"NAME must be new, found {name!r}: {found}; choose another name")


def _taken(name: str) -> Iterator[str]:
    """Yield what has the name already, in the code, the configuration or the cluster."""
    package, path = package_of(name), f"/api/{name}"
    for folder in folders(name):
        if folder.exists():
            yield f"{folder.relative_to(ROOT)} is there already"
    for service in SERVICES:
        if path in service.paths:
            yield f"the gateway leads {path} to {service.name}"
    for key in yaml.safe_load(KEYS.read_text(encoding="utf-8"))["config"]:
        if key_of(name) == key:
            yield f"{key} is a key of the configuration already"
    if name in _texts(MAIN):
        yield "something else in __main__.py is called so"
    if package in _names(MAP) or find_spec(package):
        yield f"{package} is another thing in Python, which the service's package would hide"


def _texts(file: Path) -> set[object]:
    return {node.value for node in ast.walk(_tree(file)) if isinstance(node, ast.Constant)}


def _names(file: Path) -> set[str]:
    nodes = list(ast.walk(_tree(file)))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.alias)}
    return defined | {node.id for node in nodes if isinstance(node, ast.Name)}


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def folders(name: str) -> Sequence[Path]:
    """Return the folders that are a service's own."""
    return (ROOT / "app" / name, ROOT / "tests/app" / package_of(name))


def render(name: str, to: Path) -> None:
    """Write what is the service's own below the folder `to`."""
    copier.run_copy(str(ROOT / "template"), to, data={"name": name}, defaults=True, quiet=True)


def with_declaration(text: str, name: str) -> str:
    """Return the text of `services.py` with a service more: declared after the others, and last in the list of all.

    Raises:
        ValueError: the file declares no service, or lists none, in the way that it did.
    """
    ends, lists = [], []
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(value=ast.Call(func=ast.Name(id="Service")), end_lineno=int(end)):
                ends.append(end)
            case ast.Assign(
                targets=[ast.Name(id="SERVICES")],
                value=ast.Call(args=[ast.List(elts=[*_, ast.expr(end_lineno=int(line), end_col_offset=int(column))])]),
            ):
                lists.append((line, column))
    if not ends or len(lists) != 1:
        raise ValueError(
            "services.py must have `NAME = Service(...)` and one `SERVICES = check([...])`; declare it by hand"
        )
    package, ((line, column),) = package_of(name), lists
    lines = text.splitlines(keepends=True)
    lines[line - 1] = f"{lines[line - 1][:column]}, {package}{lines[line - 1][column:]}"
    declared = f'name="{name}", exported=_exported("{name}"), paths=["/api/{name}"], needs_key=True'
    lines.insert(ends[-1], f"{package} = Service({declared})\n")
    return "".join(lines)


def with_keys(text: str, name: str) -> str:
    """Return the text of `Pulumi.yaml` with a service's keys, after those of the other services.

    Raises:
        ValueError: the file has no service's keys.
    """
    lines = text.splitlines(keepends=True)
    keys = [index for index, line in enumerate(lines) if line.startswith("  ") and line[2] not in " #"]
    last = max((at for at, index in enumerate(keys) if lines[index].endswith("Secrets:\n")), default=None)
    if last is None:
        raise ValueError("Pulumi.yaml must have keys that end with Secrets, after which others can be put; found none")
    key = key_of(name)
    added = f"""\
  {key}:
    type: object
    default: {{}}
    description: The service {name}.
  {key}Secrets:
    type: object
    default: {{}}
    description: Files in /run/secrets/app. Set them with `pulumi config set --secret --path {key}Secrets.NAME`.
"""
    after = keys[last + 1] if last + 1 < len(keys) else len(lines)
    return "".join([*lines[:after], added, *lines[after:]])


@contextmanager
def _whole_or_not_at_all(name: str) -> Iterator[None]:
    kept = {file: file.read_bytes() for file in (MAP, KEYS, *GENERATED)}
    try:
        yield
    except BaseException:
        for folder in folders(name):
            shutil.rmtree(folder, ignore_errors=True)
        for file, content in kept.items():
            file.write_bytes(content)
        raise


def make(name: str) -> None:
    """Add a service to the checkout.

    Raises:
        ValueError: it cannot have that name, or a shared file is not as it was; nothing is changed then.
        CalledProcessError: one of the programs failed, which has said why; likewise.
    """
    check(name)
    with _whole_or_not_at_all(name):
        render(name, ROOT)
        app, tests = folders(name)
        KEYS.write_text(with_keys(KEYS.read_text(encoding="utf-8"), name), encoding="utf-8")
        # Before the map refers to it: whoever imports the map reads it.
        (app / "metrics.json").write_text(app_metrics.of_app(name, {}), encoding="utf-8")
        MAP.write_text(with_declaration(MAP.read_text(encoding="utf-8"), name), encoding="utf-8")
        # Names have lengths, and an order.
        ruff = str(Path(sys.executable).with_name("ruff"))
        _run(ruff, "check", "--quiet", "--fix-only", str(app), str(tests), str(MAP))
        _run(ruff, "format", "--quiet", str(app), str(tests), str(MAP))
        # With the versions that others have, as uv keeps what a lock pins.
        shutil.copy(ROOT / "app" / SERVICES[0].name / "requirements.lock", app)
        _run("make", "lock", f"LOCKS=app/{name}/requirements")
        _run("make", "docs", "map")


def _run(*command: str) -> None:
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """Add the service, and say what comes next."""
    parser = argparse.ArgumentParser(prog="python -m tools.new_service", description=__doc__)
    parser.add_argument("name", help="of the service: lower-case letters, digits and hyphens")
    name = parser.parse_args().name
    try:
        make(name)
    except ValueError as error:
        sys.exit(f"{error}. Nothing was changed.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"`{' '.join(error.cmd)}` failed, and said why above. Nothing was changed.")
    sys.stdout.write(NEXT.format(name=name, package=package_of(name), key=key_of(name)) + "\n")


if __name__ == "__main__":
    main()
