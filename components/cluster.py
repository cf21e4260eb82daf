"""The cluster that a stack deploys to, and the stack's one namespace in it.

Everything else gets the provider and the namespace's name from here. A stack is bound to the cluster that it first
met: the name becomes known only after the cluster has proved to be that one, so that nothing is made in another.
It does not make clusters and does not read kubeconfigs: the provider does.
"""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from components import checks
from components.labels import Labels


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Which cluster, and which namespace in it."""

    context: str
    """Context of the kubeconfig."""

    kubeconfig: str | None = None
    """Path of the kubeconfig. Default: what `KUBECONFIG` names, else `~/.kube/config`."""

    namespace: str
    """Name of the stack's namespace, which is made and destroyed with the stack."""

    labels: Labels

    def __post_init__(self) -> None:
        """Refuse a namespace's name that the API server would refuse."""
        checks.field("namespace", checks.dns_label, self.namespace)


class Cluster(pulumi.ComponentResource):
    """One explicit provider, the check that it leads to the stack's own cluster, and the namespace."""

    provider: kubernetes.Provider
    """Pass it to every component that makes Kubernetes objects."""

    namespace: pulumi.Output[str]
    """Name of the namespace; resolves only if this is the cluster that the stack is bound to."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Connect to the cluster and make the namespace."""
        super().__init__("cloudnative:index:Cluster", name, None, opts)

        self.provider = kubernetes.Provider(
            f"{name}-provider",
            context=args.context,
            kubeconfig=args.kubeconfig,
            # By default a changed context or address replaces the provider, and with it every object of the stack.
            # A constant here turns that off; which cluster it is, the check below decides better.
            cluster_identifier=name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        of_cluster = pulumi.ResourceOptions(parent=self, provider=self.provider)

        # Kubernetes has no identity of a cluster; the UID of kube-system lives as long as the cluster does.
        found = Namespace.get(f"{name}-identity", "kube-system", opts=of_cluster).metadata.uid
        recorded = pulumi.Stash(
            f"{name}-uid",
            input=found,
            # Without this the record would show an update each time before the check refuses the other cluster.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
        ).output

        made = Namespace(
            f"{name}-namespace",
            metadata=ObjectMetaArgs(
                name=pulumi.Output.all(recorded, found).apply(
                    lambda uids: _checked(args.namespace, recorded=uids[0], found=uids[1], context=args.context)
                ),
                labels={
                    **args.labels.of(args.labels.part_of, "namespace"),
                    **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")},
                },
            ),
            opts=of_cluster,
        )
        self.namespace = made.metadata.name

        self.register_outputs({"namespace": self.namespace})


def _checked(namespace: str, *, recorded: str, found: str, context: str) -> str:
    """Return the namespace's name, or raise `pulumi.RunError` if the stack was made in another cluster."""
    if recorded != found:
        raise pulumi.RunError(
            f"this stack is bound to the cluster with UID {recorded}, but context {context!r} leads to the cluster "
            f"with UID {found}; nothing was changed there. Set cluster.context (or KUBECONFIG) back to the stack's own "
            "cluster. To move the stack, run `pulumi destroy` on its own cluster first; if that cluster is gone, "
            "remove the stack with `pulumi stack rm --force` and initialise it again."
        )
    return namespace
