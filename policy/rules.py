"""What no environment may do: pure functions from one resource, by its type and inputs, to messages.

They hold for any program that makes objects with pulumi-kubernetes, and so take nothing for granted that this project's
components do. They see what the engine is told, and so not what a Helm `Release` makes: the provider renders that. A
`*Patch` is judged as a whole object: what it leaves out counts as missing.

In a preview some values are not known yet. They stand here as `UNKNOWN` and are never refused: the update knows them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DEVELOPMENT = frozenset({"dev"})
"""Values of the label `environment` with which images may be named by tag."""

PRODUCTION = frozenset({"prod"})
"""Values of the label `environment` with which load balancers must say who may reach them, and nothing makes faults."""

FAULTS = "FAULT_"
"""What the names of variables begin with by which a service is asked to make faults."""

LABELS = ("owner", "environment")
"""What every object must be labelled with: whom to ask about it, and how strict to be."""

RESOURCES = ("cpu", "memory", "ephemeral-storage")
"""What every container must ask for and be limited to."""


class _Unknown:
    def __repr__(self) -> str:
        return "a value that is not known yet"


UNKNOWN: Final = _Unknown()

# Groups whose types are no objects: the objects that they render are resources of their own, or the provider's matter.
_RENDERERS = ("helm.sh", "kustomize", "yaml")

_TEMPLATE = ("spec", "template", "spec")
_PODS = {
    ("core", "Pod"): ("spec",),
    ("core", "PodTemplate"): ("template", "spec"),
    ("core", "ReplicationController"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
}
"""Where the pod's spec stands in the objects that have one."""

_CONTAINERS = {
    "initContainers": "init container",
    "containers": "container",
    "ephemeralContainers": "ephemeral container",
}
"""The pod's fields that hold containers, and what messages call one."""

_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Object:
    """One Kubernetes object."""

    group: str
    """Its API group; `core` for the one without a name."""

    kind: str
    body: Any

    def __str__(self) -> str:
        """Return what messages call it."""
        name = _at(self.body, "metadata", "name")
        return f"{self.kind} {name}" if isinstance(name, str) else f"a {self.kind} without a name"

    def is_one(self, group: str, *kinds: str) -> bool:
        """Tell whether it is of this API group and one of these kinds."""
        return self.group == group and self.kind in kinds

    @property
    def environment(self) -> Any:
        """What its label `environment` says; None without one."""
        return _at(self.body, "metadata", "labels", "environment")

    @property
    def pod(self) -> Any:
        """The spec of the pods that it makes; None if it makes none."""
        path = _PODS.get((self.group, self.kind))
        return _at(self.body, *path) if path else None

    def containers(self, *fields: str) -> Iterator[tuple[str, Any]]:
        """Yield what messages call each container of the pod, and the container.

        Args:
            fields: The pod's fields to look for containers in. Default: all that hold some.
        """
        for field in fields or _CONTAINERS:
            for index, container in enumerate(_list(_at(self.pod, field))):
                name = _at(container, "name")
                yield f"{self}, {_CONTAINERS[field]} {name if isinstance(name, str) else index}", container


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that is refused."""

    name: str
    description: str
    check: Callable[[Object], Iterator[str]]
    """Yields a message for each place where an object is not as it must be."""

    def problems(self, resource_type: str, inputs: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with a resource: where, what was found, what to do. Nothing if it is no object."""
        for made in objects(resource_type, inputs):
            yield from self.check(made)


def objects(resource_type: str, inputs: Mapping[str, Any]) -> Iterator[Object]:
    """Yield the Kubernetes objects that a resource is: one, the items of a list, or none.

    Args:
        resource_type: Pulumi's, such as `kubernetes:apps/v1:Deployment`.
        inputs: The resource's inputs by name.
    """
    package, _, token = resource_type.partition(":")
    version, _, kind = token.rpartition(":")
    if package != "kubernetes" or version.partition("/")[0] in _RENDERERS:
        return
    items = inputs.get("items")
    if kind.endswith("List") and isinstance(items, Sequence):
        for item in items:
            yield _object(str(_at(item, "apiVersion") or version), str(_at(item, "kind") or kind[:-4]), item)
    else:
        yield _object(version, kind.removesuffix("Patch"), inputs)


def _object(version: str, kind: str, body: Any) -> Object:
    return Object(group=version.rpartition("/")[0] or "core", kind=kind, body=body)


def _privileges(made: Object) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        found = _at(made.pod, field)
        if not _is(found, (None, False)):
            yield f"{made}: {field} must not be set, found {found!r}; remove it, and reach the node through an API"
    for volume in _list(_at(made.pod, "volumes")):
        found = _at(volume, "hostPath")
        if not _is(found, (None,)):
            yield (
                f"{made}, volume {_at(volume, 'name')}: must not be a hostPath, found {_at(found, 'path')!r}; use "
                "emptyDir, configMap, secret or a PersistentVolumeClaim"
            )
    for where, container in made.containers():
        context = _at(container, "securityContext")
        found = _at(context, "privileged")
        if not _is(found, (None, False)):
            yield f"{where}: securityContext.privileged must not be set, found {found!r}; remove it"
        found = _at(context, "allowPrivilegeEscalation")
        if not _is(found, (False,)):
            yield f"{where}: securityContext.allowPrivilegeEscalation must be False, found {found!r}; set it to False"
        found = _at(context, "capabilities", "add")
        if not _is(found, (None,)) and found != []:
            yield f"{where}: securityContext.capabilities.add must be empty, found {found!r}; remove it"


def _root(made: Object) -> Iterator[str]:
    for where, container in made.containers():
        non_root = _effective(made.pod, container, "runAsNonRoot")
        if not _is(non_root, (True,)):
            yield f"{where}: securityContext.runAsNonRoot must be True, found {non_root!r}; set it, for the pod or here"
        user = _effective(made.pod, container, "runAsUser")
        if not _is(user) and not (isinstance(user, int | float) and user > 0):
            yield (
                f"{where}: securityContext.runAsUser must be a user's number above 0, found {user!r}; "
                "set it, for the pod or here"
            )


def _effective(pod: Any, container: Any, field: str) -> Any:
    """Return a field of the security context: the container's own, else the pod's."""
    own = _at(container, "securityContext", field)
    return _at(pod, "securityContext", field) if own is None else own


def _images(made: Object) -> Iterator[str]:
    if _is(made.environment, DEVELOPMENT):
        return
    for where, container in made.containers():
        image = _at(container, "image")
        if not _is(image) and not (isinstance(image, str) and _DIGEST.fullmatch(image)):
            yield (
                f"{where}: image must be named by digest where the label environment is {made.environment!r}, found "
                f"{image!r}; write it as repository@sha256:…, which `docker buildx imagetools inspect` shows"
            )


def _load_balancers(made: Object) -> Iterator[str]:
    if not made.is_one("core", "Service") or made.environment not in (None, *PRODUCTION):
        return
    ranges = _at(made.body, "spec", "loadBalancerSourceRanges")
    if _at(made.body, "spec", "type") != "LoadBalancer" or _is(ranges):
        return
    everyone = [one for one in _list(ranges) if isinstance(one, str) and one.strip().endswith("/0")]
    if everyone or not _list(ranges):
        yield (
            f"{made}: spec.loadBalancerSourceRanges must name who may reach it where the label environment is "
            f"{made.environment!r}, found {everyone or ranges!r}, which is everyone; set it to your networks, such as "
            "10.0.0.0/8, or make spec.type ClusterIP"
        )


def _faults(made: Object) -> Iterator[str]:
    if made.environment not in (None, *PRODUCTION):
        return
    places = [
        (where, "env", [_at(one, "name") for one in _list(_at(container, "env"))])
        for where, container in made.containers()
    ]
    data = _at(made.body, "data")
    if made.is_one("core", "ConfigMap") and isinstance(data, Mapping):
        places.append((str(made), "data", list(data)))
    for where, field, names in places:
        found = [name for name in names if isinstance(name, str) and name.startswith(FAULTS)]
        if found:
            yield (
                f"{where}: {field} must not have {FAULTS}* where the label environment is {made.environment!r}, found "
                f"{', '.join(found)}; take them out, and try faults in another environment"
            )


def _resources(made: Object) -> Iterator[str]:
    # The API server does not let an ephemeral container have any.
    for where, container in made.containers("initContainers", "containers"):
        missing = [
            f"{field}.{resource}"
            for field in ("requests", "limits")
            for resource in RESOURCES
            if _at(container, "resources", field, resource) is None
        ]
        if missing:
            yield (
                f"{where}: resources must have requests and limits for {', '.join(RESOURCES)}, found no "
                f"{', '.join(missing)}; set what the container is known to take"
            )


def _labels(made: Object) -> Iterator[str]:
    labels = _at(made.body, "metadata", "labels")
    missing = [label for label in LABELS if not _is(_at(labels, label)) and not _at(labels, label)]
    if missing:
        yield (
            f"{made}: metadata.labels must have {' and '.join(LABELS)}, found no {' and no '.join(missing)}; say there "
            "whom to ask about the object, and which environment it belongs to"
        )


def _rights(made: Object) -> Iterator[str]:
    if not made.is_one("rbac.authorization.k8s.io", "Role", "ClusterRole"):
        return
    for index, rule in enumerate(_list(_at(made.body, "rules"))):
        for field in ("apiGroups", "resources", "verbs", "nonResourceURLs"):
            found = _list(_at(rule, field))
            if any(isinstance(one, str) and "*" in one for one in found):
                yield f"{made}: rules[{index}].{field} must not have a wildcard, found {found!r}; name each one"


RULES = (
    Rule(
        name="no-privileges",
        description="A container must not get at its node: neither by rights of its own nor by the node's namespaces.",
        check=_privileges,
    ),
    Rule(
        name="no-root",
        description="A container must not be able to run as root.",
        check=_root,
    ),
    Rule(
        name="image-by-digest",
        description="Outside development, what runs is named by digest: a tag can come to mean something else.",
        check=_images,
    ),
    Rule(
        name="load-balancer-sources",
        description="In production, a load balancer is open to named networks only.",
        check=_load_balancers,
    ),
    Rule(
        name="no-faults-in-production",
        description="In production, no service is asked to make faults.",
        check=_faults,
    ),
    Rule(
        name="resources",
        description="A container must ask for what it takes, and must not be able to take all that its node has.",
        check=_resources,
    ),
    Rule(
        name="labels",
        description="An object must say whom to ask about it, and which environment it belongs to.",
        check=_labels,
    ),
    Rule(
        name="no-wildcard-rights",
        description="A role must name what it allows: a wildcard also allows what is yet to come.",
        check=_rights,
    ),
)


def _at(value: Any, *path: str) -> Any:
    """Return what stands at `path`: None if nothing does, `UNKNOWN` if that cannot be known yet."""
    for key in path:
        if value is UNKNOWN:
            return UNKNOWN
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _is(value: Any, accepted: Iterable[Any] = ()) -> bool:
    """Tell whether `value` is one of those accepted, or not known yet; True is not 1 here, nor False 0."""
    return value is UNKNOWN or any(type(value) is type(one) and value == one for one in accepted)


def _list(value: Any) -> Sequence[Any]:
    """Return `value` if it is a list, else an empty one: not known, left out, or for the API server to refuse."""
    return value if isinstance(value, list | tuple) else ()
