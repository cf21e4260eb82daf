"""The schema of the configuration, put into words: for the errors of `settings.py` and for the reference in README.md.

It works on any JSON schema that pydantic makes of nested models, and knows nothing about the keys themselves.
"""

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_camel

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the reference."""

    path: str
    default: str | None
    """As JSON; None if there is none and the key must be set."""

    limits: str
    description: str


@dataclass(frozen=True)
class Problem:
    """One key that is wrong."""

    path: str
    text: str
    """What it must be and what was found, to stand after the path."""


def locate(root: Schema, loc: Sequence[int | str]) -> tuple[str, Schema]:
    """Return the path, as `pulumi config --path` takes it, and the schema of what pydantic calls `loc` in an error."""
    path, node = "", root
    for part in loc:
        node = _resolved(root, node)
        if part == "[key]":
            break
        if part in node.get("discriminator", {}).get("mapping", {}):
            node = {"$ref": node["discriminator"]["mapping"][part]}
        elif isinstance(part, int):
            path, node = f"{path}[{part}]", node["items"]
        else:
            known = node.get("properties", {})
            # For a default that is wrong beside the values found, pydantic gives the field's name, not the key.
            name = part if part in known else next((key for key in known if key == to_camel(part)), part)
            path, node = step(path, name), known.get(name) or node["additionalProperties"]
    return path, _resolved(root, node)


def step(path: str, name: str) -> str:
    """Return the path that leads from `path` on to the key `name`."""
    if not path:
        return name
    return f"{path}.{name}" if name.replace("_", "").isalnum() else f"{path}[{json.dumps(name)}]"


def limits(root: Schema, node: Schema) -> str:  # noqa: C901, PLR0911 - one return a kind of schema
    """Return in words what a value may be, to stand after `must be`."""
    node = _resolved(root, node)
    match node:
        case {"limits": words}:
            return str(words)
        case {"discriminator": {"propertyName": name, "mapping": kinds}}:
            return f"an object whose {name} is one of {', '.join(kinds)}"
        case {"enum": values}:
            return f"one of {', '.join(values)}"
        case {"const": value}:
            return str(value)
        case {"type": "integer" | "number" as kind, "minimum": least, "maximum": most}:
            return f"a {'whole ' if kind == 'integer' else ''}number from {least} to {most}"
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "array", "minItems": least, "items": items}:
            return f"a list of at least {least}, each {limits(root, items)}"
        case {"type": "array", "items": items}:
            return f"a list, each {limits(root, items)}"
        case {"type": "object", "properties": properties}:
            return f"an object with {', '.join(properties)}"
        case {"type": "object", "additionalProperties": values}:
            return f"an object whose every value is {limits(root, values)}"
        case {"type": "string"}:
            return "a non-empty string" if node.get("minLength") else "a string"
    raise NotImplementedError(f"no words for the schema {node}")


def problems(root: Schema, errors: Sequence[Mapping[str, Any]], *, hidden: Collection[str]) -> Iterator[Problem]:
    """Yield in words what pydantic's `errors` say of values that the schema `root` is for.

    What was found below the keys `hidden` is left out.
    """
    for one in errors:
        loc = one["loc"]
        if any(other["loc"][: len(loc)] == loc != other["loc"] for other in errors):
            continue  # A list with a wrong item is reported as too short as well, which it is not.
        path, part = locate(root, loc[:-1] if one["type"] == "extra_forbidden" else loc)
        match one["type"]:
            case "missing":
                text = f"is missing; it must be {limits(root, part)}"
            case "extra_forbidden":
                path, known = step(path, str(loc[-1])), list(part["properties"])
                close = difflib.get_close_matches(str(loc[-1]), known, n=1)
                text = f"is no key; did you mean {close[0]}?" if close else f"is no key; known are {', '.join(known)}"
            case "union_tag_invalid" | "union_tag_not_found":
                name, kinds = part["discriminator"]["propertyName"], part["discriminator"]["mapping"]
                path, found = step(path, name), one["input"].get(name)
                text = "is missing; it must be" if found is None else "must be"
                text += f" one of {', '.join(kinds)}" + ("" if found is None else f", found {_shortened(found)}")
            case "value_error":
                text = str(one["ctx"]["error"])
            case _:
                text = f"must be {limits(root, part)}, found {_shortened(one['input'])}"
        secret = path.partition(".")[0].partition("[")[0] in hidden
        yield Problem(path, text.partition(", found ")[0] if secret else text)


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def rows(root: Schema, node: Schema, path: str = "", condition: str = "") -> Iterator[Row]:
    """Yield one row for each key below `node` that holds a value and not further keys."""
    node = _resolved(root, node)
    match node:
        case {"discriminator": {"propertyName": name, "mapping": kinds}}:
            yield Row(f"{path}.{name}", None, f"one of {', '.join(kinds)}", node.get("description", ""))
            for kind, variant in kinds.items():
                of_kind = rows(root, {"$ref": variant}, path, f"With {name} {kind}: ")
                # Its name stands in the row above.
                yield from (row for row in of_kind if row.path != f"{path}.{name}")
        case {"properties": properties}:
            for name, field in properties.items():
                yield from rows(root, field, step(path, name), condition)
        case _:
            default = json.dumps(node["default"]) if "default" in node else None
            yield Row(path, default, limits(root, node), condition + node.get("description", ""))


def _resolved(root: Schema, node: Schema) -> Schema:
    """Follow a reference, and see through `X or null` to X; what stands beside either wins over what is behind it."""
    beside = {key: value for key, value in node.items() if key not in ("$ref", "anyOf")}
    if "$ref" in node:
        return {**_resolved(root, root["$defs"][node["$ref"].rpartition("/")[2]]), **beside}
    if "anyOf" in node:
        return {**_resolved(root, next(one for one in node["anyOf"] if one.get("type") != "null")), **beside}
    return node
