"""`python -m local.manifests check FOLDER`: hold rendered manifests against the API's schema and against good practice.

What an object may consist of, the schema of Kubernetes says, strictly (an unknown field is an error), and for a custom
resource that of its CRD. What it should consist of, kube-score says, which sees all objects of the folder together.
Neither needs a cluster. What only an API server knows is not checked: admission, quotas, and rules that are in CEL.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator, exceptions
from rich.markup import escape

from local import toolchain
from local.errors import PlatformError
from local.progress import console

CRDS = ("cloudnative-pg-crds", "gateway-api-crds", "prometheus-operator-crds", "traefik-crds")
"""The tools whose assets are the CRDs of what the program makes."""

VERSION = toolchain.KUBERNETES.rpartition(".")[0]
"""The minor version of Kubernetes that manifests are held against."""


# For each object it would read the definitions of all kinds anew, some megabytes of JSON.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


class _CrdLoader(yaml.CSafeLoader):
    """Reads what Kubernetes takes for YAML: a bare `=`, to which YAML 1.1 gives a type of its own, is a string."""


_CrdLoader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: str(node.value))

OK = 10
"""kube-score's best grade; 7 is almost, 5 a warning, 1 critical."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """One of kube-score's checks that does not hold here, for a reason."""

    check: str
    reason: str
    objects: str = "*"
    """Those that it need not hold for, as a pattern such as `Deployment prometheus`."""


ACCEPTED = (
    Accepted(
        check="deployment-has-host-podantiaffinity",
        reason="Topology spread constraints, which kube-score does not look at, spread pods over nodes and zones.",
    ),
    Accepted(
        check="container-image-pull-policy",
        reason="What runs is named by digest: what a node has of it is what it would pull, and a registry that is down "
        "must not keep pods from starting.",
    ),
    Accepted(
        check="deployment-replicas",
        objects="Deployment prometheus",
        reason="A server keeps its samples to itself: a second one would answer differently.",
    ),
    Accepted(
        check="deployment-strategy",
        objects="Deployment prometheus",
        reason="Likewise: the old server ends before the new one begins.",
    ),
    Accepted(
        check="statefulset-has-servicename",
        objects="StatefulSet *-database",
        reason="Its one pod is reached by a Service with an address of its own, which stays when the pod is another.",
    ),
    Accepted(
        check="deployment-replicas",
        objects="Deployment alertmanager",
        reason="Two that do not know each other would tell everything twice.",
    ),
    Accepted(
        check="deployment-strategy",
        objects="Deployment alertmanager",
        reason="Likewise: the old server ends before the new one begins.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One object in a file."""

    file: Path
    body: Any

    def __str__(self) -> str:
        """Return what people call it: file, kind and name."""
        return f"{self.file}: {called(self.body)}"


def called(body: Any) -> str:
    """Return kind and name of an object, as far as it has them."""
    if not isinstance(body, dict):
        return "no object"
    return f"{body.get('kind', 'no kind')} {(body.get('metadata') or {}).get('name', 'without a name')}"


def read(folder: Path) -> list[Manifest]:
    """Return the objects in the YAML files of `folder` and those below; raises `PlatformError` if there are none."""
    manifests = []
    for file in sorted(path for path in folder.rglob("*") if path.suffix in {".yaml", ".yml"}):
        try:
            bodies = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
        except yaml.YAMLError as error:
            raise PlatformError(f"{file} is no YAML: {error}") from error
        manifests += [Manifest(file=file, body=body) for body in bodies if body is not None]
    if not manifests:
        raise PlatformError(f"There is no YAML file with an object in {folder}. Render the manifests there first.")
    return manifests


@cache
def custom_kinds() -> list[Any]:
    """Return the CRDs of the toolchain."""
    files = [file for tool in CRDS for file in toolchain.ensure(tool).assets(tool)]
    return [yaml.load(file.read_text(), Loader=_CrdLoader) for file in files]  # noqa: S506 - a safe loader's child


def against_schema(manifest: Manifest, crds: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield where an object is not as the schema of its kind has it.

    Args:
        manifest: The object.
        crds: CustomResourceDefinitions, for the kinds that Kubernetes itself does not have.
    """
    body = manifest.body
    if not isinstance(body, dict) or not all(isinstance(body.get(field), str) for field in ("apiVersion", "kind")):
        yield f"{manifest}: must be an object with apiVersion and kind, found {body!r:.80}"
        return
    custom = _schema(body, crds)
    try:
        if custom is not None:
            Draft202012Validator(custom).validate(body)
        else:
            kubernetes_validate.validate(body, VERSION, strict=True)
    except exceptions.ValidationError as error:
        yield f"{manifest}: {'.'.join(map(str, error.path)) or 'the object'}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        yield (
            f"{manifest}: there is no {body['kind']} in {body['apiVersion']} of Kubernetes {VERSION}; correct it or, "
            "for a custom resource, add its CRD to the toolchain's assets"
        )


def _schema(body: Mapping[str, Any], crds: Iterable[Mapping[str, Any]]) -> Any:
    """Return the schema that the CRD of a custom resource has for it, if one has."""
    for crd in crds:
        spec = crd["spec"]
        for version in spec["versions"]:
            if (body["apiVersion"], body["kind"]) == (f"{spec['group']}/{version['name']}", spec["names"]["kind"]):
                return closed(version["schema"]["openAPIV3Schema"])
    return None


def closed(schema: Any) -> Any:
    """Return a CRD's schema with unknown fields forbidden, which an API server would drop without a word."""
    match schema:
        case dict():
            parts = {key: closed(value) for key, value in schema.items()}
            if isinstance(schema.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in schema:
                parts.setdefault("additionalProperties", False)
            return parts
        case list():
            return [closed(part) for part in schema]
    return schema


def against_practice(scores: Iterable[Mapping[str, Any]], accepted: Iterable[Accepted]) -> Iterator[str]:
    """Yield what kube-score finds wanting in its report `scores`, less what is accepted."""
    for scored in scores:
        name = called({"kind": scored["type_meta"]["kind"], "metadata": scored["object_meta"]})
        for one in scored["checks"]:
            check = one["check"]["id"]
            if one["skipped"] or one["grade"] >= OK:
                continue
            if any(each.check == check and fnmatchcase(name, each.objects) for each in accepted):
                continue
            for comment in one["comments"] or [{"path": "", "summary": one["check"]["name"], "description": ""}]:
                said = ". ".join(text for text in (comment["summary"], comment["description"]) if text)
                where = f"{comment['path']}: " if comment["path"] else ""
                yield f"{scored['file_name']}: {name}: {where}{said} ({check})"


def score(files: Iterable[Path], kube_score: Path) -> list[dict[str, Any]]:
    """Return kube-score's report on the objects in `files`; raises `PlatformError` if it made none."""
    options = [f"--kubernetes-version=v{VERSION}", "--enable-optional-test=container-seccomp-profile"]
    command: list[str | Path] = [kube_score, "score", "--output-format=json", *options, *dict.fromkeys(files)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        scores: list[dict[str, Any]] = json.loads(result.stdout)
    except ValueError as error:
        raise PlatformError(f"kube-score made no report: {(result.stderr or result.stdout).strip()}") from error
    return scores


def check(folder: Path) -> list[str]:
    """Return all problems of the manifests in `folder`; raises `PlatformError` where there is nothing to check."""
    manifests = read(folder)
    kube_score = toolchain.ensure("kube-score")["kube-score"]
    crds = custom_kinds()
    problems = [problem for manifest in manifests for problem in against_schema(manifest, crds)]
    # What is no object, kube-score refuses as a whole.
    return problems or sorted(against_practice(score((manifest.file for manifest in manifests), kube_score), ACCEPTED))


def main() -> None:
    """Print every problem of a folder's manifests; exit code 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m local.manifests", description=__doc__)
    parser.add_argument("command", choices=["check"])
    parser.add_argument("folder", type=Path, help="where the YAML files are")
    folder = parser.parse_args().folder
    try:
        problems = check(folder)
    except PlatformError as error:
        problems = [str(error)]
    for problem in problems:
        console.print("[red]error:[/red]", escape(problem), soft_wrap=True)
    if not problems:
        console.print(f"{folder}: as Kubernetes {VERSION} and kube-score have it", soft_wrap=True)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
