"""Proves, before anything is made, that what is declared to be scraped will be found among the objects declared.

It notes the objects as the program declares them and evaluates selectors as Kubernetes, Prometheus and its Operator
do: a monitor that would find no Service, a port that the Service or its pods do not have, pods that no Deployment
makes, all of which would otherwise be found out by nobody. It does not ask a cluster, and knows only what this program
declares.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components.scrape_config import CONFIG_FILE

_KINDS = {
    "kubernetes:apps/v1:Deployment": "Deployment",
    "kubernetes:core/v1:ConfigMap": "ConfigMap",
    "kubernetes:core/v1:Service": "Service",
    "kubernetes:monitoring.coreos.com/v1:ServiceMonitor": "ServiceMonitor",
}


@dataclass(frozen=True, kw_only=True)
class Object:
    """One object as it was declared; keys are the SDK's, such as `match_labels`."""

    kind: str
    namespace: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.kind} {self.body['metadata'].get('name', '')}"


class Declared:
    """Notes what is declared; hand `note` to `pulumi.ResourceOptions(transformations=[…])`."""

    def __init__(self) -> None:
        self._noted: list[tuple[str, dict[str, Any]]] = []

    def note(self, args: pulumi.ResourceTransformationArgs) -> None:
        """Note one resource, and change nothing about it."""
        if args.type_ in _KINDS:
            self._noted.append((_KINDS[args.type_], _plain(args.props)))

    def prove(self) -> pulumi.Output[None]:
        """Hold what is scraped against what was noted; a `ValueError` in the result fails preview and update."""
        namespaces = [body["metadata"]["namespace"] for _, body in self._noted]

        def check(names: Sequence[str]) -> None:
            objects = [
                Object(kind=kind, namespace=name, body=body)
                for (kind, body), name in zip(self._noted, names, strict=True)
            ]
            problems = list(unproved(objects))
            if problems:
                raise ValueError("\n".join(["what is to be scraped would not be found:", *problems]))

        return pulumi.Output.all(*namespaces).apply(check)


def unproved(objects: Sequence[Object]) -> Iterator[str]:
    """Yield what would not be scraped, and why."""
    for scraper in objects:
        near = [one for one in objects if one.namespace == scraper.namespace]
        services = [one for one in near if one.kind == "Service"]
        pods = [one.body["spec"]["template"] for one in near if one.kind == "Deployment"]
        if scraper.kind == "ServiceMonitor":
            yield from _by_operator(scraper, services, pods)
        elif scraper.kind == "ConfigMap" and CONFIG_FILE in scraper.body["data"]:
            yield from _by_prometheus(scraper, services, pods)


def _by_operator(monitor: Object, services: Sequence[Object], pods: Sequence[Any]) -> Iterator[str]:
    labels = monitor.body["spec"]["selector"]["matchLabels"]
    found = [one for one in services if _selects(labels, one.body["metadata"]["labels"])]
    if not found:
        yield f"{monitor.name} selects {_words(labels)}, which no Service of {monitor.namespace} has"
    for service in found:
        for endpoint in monitor.body["spec"]["endpoints"]:
            yield from _reaches(monitor, service, endpoint["port"], pods)


def _by_prometheus(config: Object, services: Sequence[Object], pods: Sequence[Any]) -> Iterator[str]:
    for job in yaml.load(config.body["data"][CONFIG_FILE], Loader=yaml.CSafeLoader)["scrape_configs"]:
        kept = [rule["regex"] for rule in job.get("relabel_configs", []) if rule.get("action") == "keep"]
        for regex in kept:
            ends = [
                (service, port["name"])
                for service in services
                for port in service.body["spec"]["ports"]
                if re.fullmatch(regex, f"{service.body['metadata']['name']};{port['name']}")
            ]
            if not ends:
                yield f"the job {job['job_name']} keeps {regex}, which is no Service and port of {config.namespace}"
            for service, port in ends:
                yield from _reaches(config, service, port, pods)


def _reaches(scraper: Object, service: Object, port: str, pods: Sequence[Any]) -> Iterator[str]:
    spec = service.body["spec"]
    targets = [one["target_port"] for one in spec["ports"] if one["name"] == port]
    if not targets:
        known = ", ".join(one["name"] for one in spec["ports"])
        yield f"{scraper.name} scrapes the port {port!r}, and {service.name} has {known}"
    behind = [pod for pod in pods if _selects(spec["selector"], pod["metadata"]["labels"])]
    if not behind:
        yield f"{service.name} selects {_words(spec['selector'])}, which no Deployment's pods have"
    for pod in behind:
        ports = [one["name"] for container in pod["spec"]["containers"] for one in container["ports"]]
        for target in targets:
            if target not in ports:
                yield f"{service.name} leads to the port {target!r}, and its pods have {', '.join(ports)}"


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def _words(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _plain(value: Any) -> Any:
    """Return the SDK's argument objects as what is in them; outputs stay outputs."""
    if isinstance(value, pulumi.Output | str):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, Sequence):
        return [_plain(part) for part in value]
    return _plain(vars(value)) if hasattr(value, "__dict__") else value
