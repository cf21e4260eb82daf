"""The cluster that a stack deploys to, and the stack's one namespace in it.

Everything else gets its provider and the namespace's name from here. A stack is bound to the cluster that it first met:
the provider is made only after the cluster has proved to be that one, so that nothing is touched in another. It does
not make clusters and does not read kubeconfigs: the provider does.
"""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import Namespace

from components import checks
from components.labels import Labels
from components.ownership import owned


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """Which cluster, and which namespace in it."""

    context: str
    """Context of the kubeconfig."""

    kubeconfig: str | None = None
    """Path of the kubeconfig. Default: what `KUBECONFIG` names, else `~/.kube/config`."""

    render_to: str | None = None
    """Folder that objects are written to as YAML, instead of to a cluster. Default: they are made in the cluster."""

    namespace: str
    """Name of the stack's namespace, which is made and destroyed with the stack."""

    labels: Labels

    def __post_init__(self) -> None:
        """Refuse a namespace's name that the API server would refuse."""
        checks.field("namespace", checks.dns_label, self.namespace)


class Cluster(pulumi.ComponentResource):
    """A provider that leads to the stack's own cluster and to no other, and the namespace."""

    provider: kubernetes.Provider
    """Pass it to every component that makes Kubernetes objects."""

    namespace: pulumi.Output[str]
    """Name of the namespace, once it exists."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Find out which cluster it is, connect to it, and make the namespace."""
        super().__init__("cloudnative:index:Cluster", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        self.provider = _renderer(name, args.render_to, child) if args.render_to else _connection(name, args, child)
        restricted = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
        made = Namespace(
            f"{name}-namespace",
            metadata=owned(
                name=args.namespace, labels={**args.labels.of(args.labels.part_of, "namespace"), **restricted}
            ),
            opts=pulumi.ResourceOptions(parent=self, provider=self.provider),
        )
        self.namespace = made.metadata.name

        self.register_outputs({"namespace": self.namespace})


def _renderer(name: str, folder: str, opts: pulumi.ResourceOptions) -> kubernetes.Provider:
    """Return a provider that needs no cluster and touches none."""
    return kubernetes.Provider(f"{name}-provider", render_yaml_to_directory=folder, opts=opts)


def _connection(name: str, args: ClusterArgs, opts: pulumi.ResourceOptions) -> kubernetes.Provider:
    """Return a provider that leads to the stack's own cluster, once that has proved to be it."""
    # A provider of its own looks which cluster it is. The stack's provider must not: it would be in the state with
    # the other cluster's address before the check could refuse that, and `pulumi destroy` goes by the state.
    scout = kubernetes.Provider(
        f"{name}-scout", context=args.context, kubeconfig=args.kubeconfig, cluster_identifier=name, opts=opts
    )
    # Kubernetes has no identity of a cluster; the UID of kube-system lives as long as the cluster does.
    found = Namespace.get(
        f"{name}-identity", "kube-system", opts=pulumi.ResourceOptions(parent=opts.parent, provider=scout)
    ).metadata.uid
    recorded = pulumi.Stash(
        f"{name}-uid",
        input=found,
        # Without this the record would show an update each time before the check refuses the other cluster.
        opts=pulumi.ResourceOptions(parent=opts.parent, ignore_changes=["input"]),
    ).output

    return kubernetes.Provider(
        f"{name}-provider",
        context=pulumi.Output.all(recorded, found).apply(lambda uids: _checked(args.context, *uids)),
        kubeconfig=args.kubeconfig,
        # By default a changed context or address replaces the provider, and with it every object of the stack. A
        # constant here turns that off; whether it is another cluster, the check knows better.
        cluster_identifier=name,
        opts=opts,
    )


def _checked(context: str, recorded: str, found: str) -> str:
    """Return the context, or raise `pulumi.RunError` if it leads to another cluster than the recorded one."""
    if recorded != found:
        raise pulumi.RunError(
            f"this stack is bound to the cluster with UID {recorded}, but context {context!r} leads to the cluster "
            f"with UID {found}; nothing was changed in either. Set cluster.context (or KUBECONFIG) back to the stack's "
            "own cluster. To move the stack, run `pulumi destroy` on its own cluster first; if that cluster is gone, "
            "remove the stack with `pulumi stack rm --force` and initialise it again."
        )
    return context
