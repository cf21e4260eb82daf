"""A pod that runs one command to its end: hardened, and without anything but what it is given.

What `postgres_backup` and `migration` have in common. When it runs, and how often it is tried, they say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import (
    ContainerArgs,
    EmptyDirVolumeSourceArgs,
    EnvVarArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components import security
from components.resources import Resources


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to run."""

    image: pulumi.Input[str]
    command: Sequence[str]
    variables: Mapping[str, str]
    user: int
    resources: Resources
    volumes: Sequence[VolumeArgs]
    mounts: Sequence[VolumeMountArgs]


def template(
    name: str, task: Task, *, service_account: pulumi.Input[str], labels: Mapping[str, str]
) -> PodTemplateSpecArgs:
    """Return the pod, whose one container is called `name`."""
    container = ContainerArgs(
        name=name,
        image=task.image,
        image_pull_policy="IfNotPresent",
        command=task.command,
        env=[EnvVarArgs(name=key, value=value) for key, value in task.variables.items()],
        resources=task.resources.requirements(),
        security_context=security.of_container(),
        # What it said last then stands in the pod's status, and so in the error of `pulumi up`.
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=[*task.mounts, VolumeMountArgs(name="tmp", mount_path="/tmp")],  # noqa: S108 - the pod's own
    )
    pod = PodSpecArgs(
        service_account_name=service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        # Another try is another pod, so that what the one before said is not lost.
        restart_policy="Never",
        security_context=security.of_pod(task.user),
        containers=[container],
        volumes=[*task.volumes, VolumeArgs(name="tmp", empty_dir=EmptyDirVolumeSourceArgs(size_limit="16Mi"))],
    )
    return PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod)
