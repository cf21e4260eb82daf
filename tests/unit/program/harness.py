"""Runs a Pulumi program against mocks, and gives back what it declared.

Built so that a test cannot pass by accident: everything has been registered before a test sees any of it; a resource
type, function call or output that nobody declared here fails; so does a program that registers nothing. Programs run as
in a preview, because there an output that no mock gives is unknown and can be told from one that is None.
"""

import json
import logging
import re
import runpy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pulumi
import yaml
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import Mocks, mocks, rpc, set_all_config, set_mocks
from pulumi.runtime import resource as registration
from pulumi.runtime import test as in_pulumi_runtime
from pulumi.runtime.proto.source_pb2 import StackTrace
from pulumi.runtime.settings import get_root_resource, set_root_resource
from pulumi.runtime.stack import Stack

from components.labels import Labels
from settings import SERVICE_KEYS

ROOT = Path(__file__).parents[3]
PROJECT = "cloudnative"
UID = "6f1c7f0e-0000-4000-8000-00000000cafe"
DIGEST = "sha256:" + "d1" * 32
ADDRESS = "192.0.2.7"
SECRETS: Mapping[str, Any] = {
    "registryPassword": "hush",
    "alertWebhookUrl": "https://murmur.example.com/",
    **{f"{key}Secrets": {"token": "whisper"} for key in SERVICE_KEYS},
}
"""Keys whose values nobody may see, with values that a test can look for."""

LABELS = Labels(part_of=PROJECT, instance=f"{PROJECT}-dev", owner="platform", environment="dev")

# A program that fails leaves futures that nobody awaits, and asyncio would print each; Pulumi's executor does this too.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

# Where in the code a resource was declared: to find that out would take a quarter of each run, and nobody looks at it.
registration._get_stack_trace = StackTrace


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource that the program declared, as the engine would have seen it."""

    type: str
    name: str
    urn: str
    parent: str
    """URN of the parent."""

    inputs: dict[str, Any]
    wire: dict[str, Any]
    """The inputs as they went over the wire, in which secrets can be told from plain values."""

    provider: str
    """`URN::id` of an explicit provider, or nothing."""

    read: bool = False
    """Whether it was only read."""

    timeouts: tuple[str, str] = ("", "")
    """Of create and update."""

    version: str = ""
    """Of the plugin; empty if its SDK says it."""

    retain_on_delete: bool = False
    ignore_changes: tuple[str, ...] = ()
    replacement_trigger: str = ""
    depends_on: tuple[str, ...] = ()
    """URNs of what has to be there before it."""

    reads_from: frozenset[str] = frozenset()
    """URNs of the resources that its properties come from: where one of them is deleted first, so may this one be."""

    delete_before_replace: bool = False
    protect: bool = False

    @property
    def is_component(self) -> bool:
        """Whether the resource is a component of this project."""
        return self.type.startswith(f"{PROJECT}:")

    @property
    def is_kubernetes_object(self) -> bool:
        """Whether the resource is an object in the cluster that the program makes."""
        return self.type.startswith("kubernetes:") and not self.read


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a program declared."""

    resources: tuple[Registered, ...]
    exports: dict[str, Any]
    secret_exports: frozenset[str]
    """Names of those that are secrets."""

    component_outputs: dict[str, list[dict[str, Any]]]
    """What each component registered as its outputs, by its URN; one item a call."""

    def all(self, kind: str) -> list[Registered]:
        """Return the resources whose type ends with `:kind`."""
        return [resource for resource in self.resources if resource.type.endswith(f":{kind}")]

    def one(self, kind: str, name: str | None = None) -> Registered:
        """Return the one resource of this kind, or of this kind and name, which a hash of its content may follow."""
        named = re.compile(".*" if name is None else rf"{re.escape(name)}(-[0-9a-f]{{8}})?")
        found = [resource for resource in self.all(kind) if named.fullmatch(resource.name)]
        assert len(found) == 1, f"{kind} {name or ''}: expected one, found {[resource.name for resource in found]}"
        return found[0]


@dataclass
class Cloud(Mocks):
    """Stands in for the engine's providers: gives every resource the outputs that the real one would have."""

    recorded_uid: str = UID
    """UID of the cluster that the stack met first."""

    stashed: dict[str, Any] = field(default_factory=dict)
    """What else the stack keeps already, by the names of its stashes; the others are new."""

    digest: str = DIGEST
    """Of what is built."""

    unknown: Collection[str] = ()
    """Resource types whose own outputs are not known yet."""

    seen: list[mocks.MockResourceArgs] = field(default_factory=list)
    """Every resource that was asked for, also in a run that then failed."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        """Refuse every function call: the program is not meant to make any."""
        raise AssertionError(f"unexpected provider call {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        """Return the id and the outputs of a resource."""
        self.seen.append(args)
        return f"{args.name}-id", {**args.inputs, **({} if args.typ in self.unknown else self._outputs(args))}

    def _outputs(self, args: mocks.MockResourceArgs) -> dict[str, Any]:
        match args.typ.split(":"):
            case ["kubernetes", _, kind]:
                return self._kubernetes(kind, args)
            case ["docker-build", "index", "Image"]:
                return {"digest": self.digest}
            case ["docker", "index/image", "Image"]:
                return {"repoDigest": f"{args.inputs['imageName'].rpartition(':')[0]}@{DIGEST}"}
            case ["pulumi", "index", "Stash"]:
                kept = {"cluster-uid": self.recorded_uid, **self.stashed}
                return {"output": kept.get(args.name, args.inputs["input"])}
            case ["pulumi", "providers", "kubernetes"] | ["cloudnative", "index", _]:
                return {}
        raise AssertionError(f"unexpected resource type {args.typ}")

    def _kubernetes(self, kind: str, args: mocks.MockResourceArgs) -> dict[str, Any]:
        if args.resource_id == "kube-system":
            return {"metadata": {"name": "kube-system", "uid": UID}}
        outputs = {"metadata": {"name": f"{args.name}-1a2b3c4d", **args.inputs["metadata"]}}
        if kind == "Service" and args.inputs["spec"]["type"] == "LoadBalancer":
            outputs["status"] = {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}
        return outputs


@dataclass
class _Monitor(mocks.MockMonitor):
    """Keeps every request beside answering it."""

    mocks: Mocks
    allow_unknown: bool
    seen: list[Registered] = field(default_factory=list)
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.mocks)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        if request.type != "pulumi:pulumi:Stack":
            timeouts = request.customTimeouts
            self._keep(
                request,
                request.object,
                timeouts=(timeouts.create, timeouts.update),
                version=request.version,
                retain_on_delete=request.retainOnDelete,
                ignore_changes=tuple(request.ignoreChanges),
                replacement_trigger=request.replacement_trigger.string_value,
                depends_on=tuple(request.dependencies),
                reads_from=frozenset(urn for one in request.propertyDependencies.values() for urn in one.urns),
                delete_before_replace=request.deleteBeforeReplace,
                protect=request.protect,
            )
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        self._keep(request, request.properties, read=True)
        return super().ReadResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        self.outputs.setdefault(request.urn, []).append(MessageToDict(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def _keep(self, request: Any, properties: Any, **options: Any) -> None:
        wire = MessageToDict(properties)
        if not self.allow_unknown:
            assert rpc.UNKNOWN not in json.dumps(wire), f"{request.type} {request.name} has an unknown input: {wire}"
        self.seen.append(
            Registered(
                type=request.type,
                name=request.name,
                urn=self.make_urn(request.parent, request.type, request.name),
                parent=request.parent,
                inputs=_revealed(rpc.deserialize_properties(properties)),
                wire=wire,
                provider=request.provider,
                **options,
            )
        )


def run(
    declare: Callable[[], object],
    *,
    config: Mapping[str, str] | None = None,
    secrets: Collection[str] = (),
    cloud: Cloud | None = None,
    allow_unknown: bool = False,
) -> Run:
    """Run `declare` as a Pulumi program and return what it declared.

    Args:
        declare: The program.
        config: Configuration, with the project's name before each key.
        secrets: Keys of `config` that are secret.
        cloud: What stands in for the providers.
        allow_unknown: Whether outputs may be unknown, as in the preview of a stack that does not exist yet.

    Raises:
        Exception: what the program raised, in an `apply` too.
    """
    cloud = cloud or Cloud()
    monitor = _Monitor(cloud, allow_unknown)
    set_root_resource(None)  # type: ignore[arg-type]  # else the stack of the run before would go on
    set_mocks(cloud, project=PROJECT, stack="test", preview=True, monitor=monitor)
    set_all_config(dict(config or {}), list(secrets))
    exports: dict[str, Any] = {}
    hidden: set[str] = set()

    async def export(name: str, output: pulumi.Output[Any]) -> None:
        assert allow_unknown or await output.is_known(), f"the stack output {name} is unknown"
        exports[name] = await output.future()
        if await output.is_secret():
            hidden.add(name)
        assert allow_unknown or exports[name] is not None, f"the stack output {name} is None"

    async def program() -> None:
        declare()
        stack = get_root_resource()
        assert isinstance(stack, Stack)
        for name, value in stack.outputs.items():
            await export(name, pulumi.Output.from_input(value))

    in_pulumi_runtime(program)()  # type: ignore[no-untyped-call]
    assert monitor.seen, "the program registered nothing, so there is nothing to assert on"
    return Run(
        resources=tuple(monitor.seen),
        exports=exports,
        secret_exports=frozenset(hidden),
        component_outputs=monitor.outputs,
    )


def run_stack(stack: str, overrides: Mapping[str, Any] | None = None, **options: Any) -> Run:
    """Run the whole program with the configuration of `Pulumi.<stack>.yaml`.

    Args:
        stack: Which one.
        overrides: Keys to change, as in `{"webapp": {"replicas": 1}}`; objects are merged, texts replace them.
        options: As for `run`.
    """
    config = stack_config(stack, overrides)
    return run(lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"), config=config, **options)


@cache
def as_it_stands(stack: str) -> Run:
    """Return what the whole program declares with `Pulumi.<stack>.yaml` unchanged; to be left as it is found."""
    with TemporaryDirectory() as folder:
        return run_stack(stack, image_lock(Path(folder)))


@cache
def with_every_secret(stack: str) -> Run:
    """Return what the whole program declares where each key that may hold a secret does; to be left as it is found."""
    with TemporaryDirectory() as folder:
        certificates = Path(folder) / "ca.crt"
        certificates.write_text("-----BEGIN CERTIFICATE-----")
        plain = {"build": {"caCertificates": str(certificates)}, "registry": {"username": "ci"}}
        overrides = {**plain, **SECRETS, **image_lock(Path(folder))}
        return run_stack(stack, overrides, secrets=[f"{PROJECT}:{key}" for key in SECRETS])


def image_lock(folder: Path) -> dict[str, str]:
    """Return the key `imageLock`, with a digest for each image that a stack's YAML gives by tag."""
    file = folder / "image-lock.json"
    texts = [path.read_text() for path in ROOT.glob("Pulumi.*.yaml")]
    tagged = {image for text in texts for image in re.findall(r": (10\.90\.0\.1:5000/base/\S+)", text)}
    file.write_text(json.dumps(dict.fromkeys(sorted(tagged), DIGEST)))
    return {"imageLock": str(file)}


def stack_config(stack: str, overrides: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the configuration that the engine would give to the program: Pulumi.yaml's defaults, then the stack's.

    Args:
        stack: Which one.
        overrides: As for `run_stack`.
    """
    defaults = {f"{PROJECT}:{key}": encoded(schema["default"]) for key, schema in _config_of("Pulumi.yaml").items()}
    config = {**defaults, **{key: encoded(value) for key, value in _config_of(f"Pulumi.{stack}.yaml").items()}}
    for key, value in (overrides or {}).items():
        merged = {**json.loads(config[f"{PROJECT}:{key}"]), **value} if isinstance(value, dict) else value
        config[f"{PROJECT}:{key}"] = encoded(merged)
    return config


@cache
def _config_of(file: str) -> Mapping[str, Any]:
    config: Mapping[str, Any] = yaml.safe_load((ROOT / file).read_text())["config"]
    return config


def encoded(value: Any) -> str:
    """Return a configuration value as the engine sends it: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _revealed(value: Any) -> Any:
    """Return deserialised inputs without the wrappers around what is secret."""
    match value:
        case {rpc._special_sig_key: rpc._special_secret_sig, "value": hidden}:
            return _revealed(hidden)
        case dict():
            return {key: _revealed(part) for key, part in value.items()}
        case list():
            return [_revealed(part) for part in value]
    return value


def plain_texts(wire: Any) -> Iterator[str]:
    """Yield every text of inputs as they went over the wire that is not marked as secret."""
    match wire:
        case {rpc._special_sig_key: rpc._special_secret_sig}:
            return
        case dict():
            for value in wire.values():
                yield from plain_texts(value)
        case list():
            for value in wire:
                yield from plain_texts(value)
        case str():
            yield wire
