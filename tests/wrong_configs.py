"""Makes wrong configurations: takes a valid one, and makes one key of it wrong in one way.

Where the keys are and of what type, the settings' own schema says. What is wrong for each is stated here.
"""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

import config_schema
import settings
from components import web_service

SCHEMA = settings.schema()

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Wrong:
    """A configuration in which one key is wrong."""

    kind: str
    path: str
    """The key that has to be named."""

    values: Values = field(repr=False)


@dataclass(frozen=True)
class Key:
    """One key that there can be, at any depth."""

    parts: tuple[str, ...]
    path: str
    schema: config_schema.Schema

    @property
    def type(self) -> str:
        """What it holds, in JSON's words."""
        return str(self.schema.get("type", "string" if "const" in self.schema else "object"))


def keys(valid: Values, location: tuple[str, ...] = (), parts: tuple[str, ...] = ()) -> Iterator[Key]:
    """Yield the configuration as a whole, and all keys that there can be beside what `valid` chooses."""
    path, schema = config_schema.locate(SCHEMA, location)
    if "discriminator" in schema:
        chosen: Any = valid
        for part in parts:
            chosen = chosen[part]
        variant = chosen[schema["discriminator"]["propertyName"]]
        yield from keys(valid, (*location, variant), parts)
        return
    yield Key(parts, path, schema)
    for name in schema.get("properties", {}):
        if (*parts, name) not in {
            (secret,) for secret in settings.SECRETS
        }:  # which have rules of their own; see CONTRADICTIONS
            yield from keys(valid, (*location, name), (*parts, name))


def changed(valid: Values, parts: Sequence[str], value: Any) -> dict[str, Any]:
    """Return `valid` with one key set."""
    values: dict[str, Any] = copy.deepcopy(dict(valid))
    node = values
    for part in parts[:-1]:
        node = node.setdefault(part, {})
    node[parts[-1]] = value
    return values


WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)

OF_TYPE: Mapping[str, st.SearchStrategy[Any]] = {
    "string": WORDS,
    "integer": st.integers(-(10**6), 10**6),
    "number": st.floats(-1000, 1000).filter(lambda number: not math.isclose(number, round(number))),
    "boolean": st.booleans(),
    "array": st.lists(st.integers(0, 9), min_size=1, max_size=3),
    "object": st.dictionaries(WORDS, st.integers(0, 9), min_size=1, max_size=3),
    "null": st.none(),
}


@st.composite
def wrong_type(draw: st.DrawFn, valid: Values, known: Sequence[Key]) -> Wrong:
    """Something of another type than the key's."""
    # A text is what the engine sends for everything at the top, so that there all is a text.
    key = draw(st.sampled_from([key for key in known if len(key.parts) > (key.type == "string")]))
    # A whole number is a number, too.
    fitting = {key.type, "integer"} if key.type == "number" else {key.type}
    others = set(OF_TYPE) - fitting - ({"null"} if key.schema.get("default", "") is None else set())
    value = draw(st.sampled_from(sorted(others)).flatmap(OF_TYPE.__getitem__))
    return Wrong("wrong type", key.path, changed(valid, key.parts, value))


@st.composite
def number_as_text(draw: st.DrawFn, valid: Values, known: Sequence[Key]) -> Wrong:
    """A number that would do, in quotes."""
    key = draw(st.sampled_from([key for key in known if key.type == "integer" and "minimum" in key.schema]))
    value = str(draw(st.integers(key.schema["minimum"], key.schema["maximum"])))
    return Wrong("number as text", key.path, changed(valid, key.parts, value))


@st.composite
def out_of_range(draw: st.DrawFn, valid: Values, known: Sequence[Key]) -> Wrong:
    """A number too small or too large."""
    key = draw(st.sampled_from([key for key in known if "minimum" in key.schema]))
    least, most = key.schema["minimum"], key.schema["maximum"]
    value = draw(st.integers(-(10**6), least - 1) | st.integers(most + 1, 10 * most))
    return Wrong("out of range", key.path, changed(valid, key.parts, value))


@st.composite
def no_such_text(draw: st.DrawFn, valid: Values, known: Sequence[Key]) -> Wrong:
    """A text with a blank in it where none may be, a choice that there is not, or nothing where something must be."""
    key = draw(st.sampled_from([key for key in known if key.type == "string"]))
    value = "" if "minLength" in key.schema else f"{draw(WORDS)} {draw(WORDS)}"
    return Wrong("no such text", key.path, changed(valid, key.parts, value))


@st.composite
def unknown_key(draw: st.DrawFn, valid: Values, known: Sequence[Key]) -> Wrong:
    """A key that there is not."""
    key = draw(st.sampled_from([key for key in known if "properties" in key.schema]))
    name = draw(WORDS.filter(lambda word: word not in key.schema["properties"]))
    values = changed(valid, (*key.parts, name), draw(WORDS))
    return Wrong("unknown key", config_schema.step(key.path, name), values)


@st.composite
def missing_key(draw: st.DrawFn, valid: Values, known: Sequence[Key]) -> Wrong:
    """Nothing where something must be."""
    required = [(key, name) for key in known for name in key.schema.get("required", [])]
    key, name = draw(st.sampled_from(required))
    values = changed(valid, (*key.parts, name), None)
    node = values
    for part in key.parts:
        node = node[part]
    del node[name]
    return Wrong("missing key", config_schema.step(key.path, name), values)


@st.composite
def contradiction(draw: st.DrawFn, valid: Values, _: Sequence[Key]) -> Wrong:
    """Values that are each right, and do not go together, or name what there is not."""
    small, large, word = draw(st.integers(2, 9)), draw(st.integers(10, 99)), draw(WORDS)
    port = draw(st.integers(1024, 65535))
    gateway = {"className": word, "namespace": word, "host": f"{word}.example.com", "certificate": {"kind": "own"}}
    managed = {"kind": "managed", "host": word, "dbname": word, "username": word, "networks": ["192.0.2.8/32"]}
    postgres = {"kind": "postgres", "image": f"registry.example.com/{word}@sha256:{'0' * 64}"}
    of_calls = ("CATALOG_URL", "CATALOG_TIMEOUT_SECONDS", "CATALOG_RETRIES")
    choices: list[tuple[str, dict[str, Any]]] = [
        ("webapp.metricsPort", {"webapp.port": port, "webapp.metricsPort": port}),
        *(
            (
                f"webapp.resources.{of}Request",
                {f"webapp.resources.{of}Request": f"{large}Mi", f"webapp.resources.{of}Limit": f"{small}Mi"},
            )
            for of in ("cpu", "memory", "ephemeralStorage")
        ),
        ("webapp.autoscaling", {"webapp.replicas": large, "webapp.autoscaling": {"maxReplicas": small}}),
        ("quota", {"webapp.replicas": large, "quota.pods": small}),
        ("catalog.config", {f"catalog.config.{draw(st.sampled_from(sorted(web_service.RESERVED)))}": word}),
        ("webapp.config", {f"webapp.config.{draw(st.sampled_from([*of_calls, *sorted(web_service.RESERVED)]))}": word}),
        ("gateway.extensions", {"gateway": gateway}),
        ("gateway.rateLimit", {"gateway": {**gateway, "rateLimit": {"requestsPerSecond": small, "burst": large}}}),
        ("gateway.maxBodyBytes", {"gateway": {**gateway, "maxBodyBytes": large}}),
        ("gateway.sourceRanges", {"gateway": {**gateway, "sourceRanges": [f"192.0.2.{large}/32"]}}),
        ("gateway.metrics", {"gateway": {**gateway, "metrics": {"port": port}}}),
        ("gateway.timeoutSeconds", {"gateway": {**gateway, "extensions": "traefik", "timeoutSeconds": small}}),
        (
            "gateway.certificate",
            {
                "gateway.host": f"192.0.2.{large}",
                "gateway.certificate": {"kind": "cert-manager", "issuer": word},
            },
        ),
        ("catalogDatabasePassword", {"catalog.database": managed}),
        ("catalogDatabasePassword", {"catalog.database": managed, "catalogDatabasePassword": word}),
        ("catalogDatabasePassword", {"catalog.database": postgres, "catalogDatabasePassword": word}),
        ("catalog.database.backupSchedule", {"catalog.database": {**postgres, "backupSchedule": f"0 {small} * * 1"}}),
        ("catalog.database.networks", {"catalog.database": {**managed, "networks": [f"192.0.2.{large}/{small}"]}}),
        (f"webapp.config.{word}", {f"webapp.config.{word}": small}),
        (f'webapp.config["{word} {word}"]', {f"webapp.config.{word} {word}": word}),
        ("registryPassword", {"registry.username": word}),
        ("registryPassword", {"registry.username": word, "registryPassword": word}),
        ("webappSecrets", {f"webappSecrets.{word}": word}),
        ("catalogSecrets", {f"catalogSecrets.{word}": word}),
        ("alertWebhookUrl", {"alertWebhookUrl": f"https://{word}.example.com"}),
        ("webapp.objective.latencySeconds", {"webapp.objective.latencySeconds": small + 0.125}),
        ("webapp.objective.latencyPercent", {"webapp.objective.latencyPercent": float(large - 10)}),
        ("monitoring.windowDivisor", {"monitoring.windowDivisor": 60, "monitoring.scrapeIntervalSeconds": small}),
        ("monitoring.windowDivisor", {"monitoring.windowDivisor": 300 + large}),
        ("build.baseImage", {"allowMutableTags": False, "build.baseImage": f"registry.example.com/{word}:1"}),
        ("build.buildImage", {"build.buildImage": f"registry.example.com/{word}:latest"}),
        ("build.builderName", {"build.builder": "docker", "build.builderName": word}),
        ("build.caCertificates", {"build.caCertificates": f"/no/such/{word}"}),
        ("build.platforms[0]", {"build.platforms": [f"{word}/{word}"]}),
        ("webapp.sourceRanges", {"webapp.sourceRanges": [f"192.0.2.{large}/{small}"]}),
        ("imageLock", {"imageLock": f"/no/such/{word}"}),
    ]
    path, values = draw(st.sampled_from(choices))
    found = dict(valid)
    for each, value in values.items():
        found = changed(found, each.split("."), value)
    return Wrong("contradiction", path, found)


KINDS = (wrong_type, number_as_text, out_of_range, no_such_text, unknown_key, missing_key, contradiction)
"""The ways in which a configuration can be wrong."""


def wrong(valid: Values) -> st.SearchStrategy[Wrong]:
    """Return a strategy that makes wrong configurations of `valid`."""
    known = list(keys(valid))
    return st.one_of([kind(valid, known) for kind in KINDS])
