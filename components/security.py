"""What the Pod Security Standard `restricted` asks of every pod, and a little more, from one place.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/. The read-only root file system is more
than the standard asks for: what a process may write to, its component mounts.
"""

from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    PodSecurityContextArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
)


def of_pod(user: int) -> PodSecurityContextArgs:
    """Return the security context of a pod that runs as the number `user`, which also becomes its group."""
    return PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=user,
        run_as_group=user,
        fs_group=user,
        seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
    )


def of_container() -> SecurityContextArgs:
    """Return the security context of every container."""
    return SecurityContextArgs(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=CapabilitiesArgs(drop=["ALL"]),
    )
