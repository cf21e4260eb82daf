"""The one way into the stack: by https alone, to the services that routes name, through what guards them.

Objects of the Gateway API for a class of gateways that the cluster has; what runs and what its address is are the
cluster's matter, as is who may reach that address. With `extensions`, also objects of that one class for what the API
has no words for. It does not look into requests beyond host, path, size and key: who may do what, services decide.

The API key goes by HTTP's Basic authentication: that is what a gateway can check without a service of our own, and what
every client speaks, such as `curl --user api:KEY`. It is made once and kept in the state, encrypted; in the cluster
there is its hash alone. `pulumi up --replace '**::NAME-api-key'` makes a new one, and from then on refuses the old.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from components import checks, routes, traefik
from components.certificates import Authority, Certificate, CertificateArgs
from components.labels import Labels
from components.network import Peer
from components.ownership import owned
from components.random_token import token
from components.routes import Route

Extensions = Literal["traefik"]
"""Classes of gateways whose own objects are known here."""

_VERSIONS = {
    "Gateway": routes.VERSION,
    "HTTPRoute": routes.VERSION,
    "Middleware": traefik.VERSION,
    "TLSStore": traefik.VERSION,
}

_ATTACHED = {
    # Of a route that is new: what its status says of the one before a change counts too.
    "pulumi.com/waitFor": json.dumps(
        [
            f'jsonpath={{.status.parents[0].conditions[?(@.type=="{condition}")].status}}=True'
            for condition in ("Accepted", "ResolvedRefs")
        ]
    )
}
"""A route has conditions for each Gateway that it names: it is let in there, and what it leads to is there."""

_LIMIT = pulumi.CustomTimeouts(create="5m", update="5m")
"""A controller takes a second, cert-manager with a public authority a minute or two."""


@dataclass(frozen=True, kw_only=True)
class CertManager:
    """A certificate that cert-manager gets, of its own accord, for each Gateway with its annotation.

    It has to run with support for the Gateway API: https://cert-manager.io/docs/usage/gateway/.
    """

    issuer: str
    """Name of the issuer."""

    kind: Literal["ClusterIssuer", "Issuer"] = "ClusterIssuer"
    """`Issuer` is one in the gateway's namespace."""

    def __post_init__(self) -> None:
        """Refuse a name that no issuer has."""
        checks.field("issuer", checks.dns_name, self.issuer)

    def annotations(self) -> dict[str, str]:
        """Return what cert-manager looks for on a Gateway."""
        return {f"cert-manager.io/{'cluster-issuer' if self.kind == 'ClusterIssuer' else 'issuer'}": self.issuer}


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """What is let in, where it is led, and by which gateway."""

    namespace: pulumi.Input[str]
    labels: Labels
    class_name: str
    """Name of the GatewayClass."""

    extensions: Extensions | None = None
    """Default: the Gateway API alone, which limits, networks and the API key are beyond."""

    host: str
    """DNS name or IP address of the gateway, as its clients have it."""

    certificate: Authority | CertManager
    """Who issues the certificate for all hosts: the stack's own authority, or an issuer of cert-manager."""

    routes: Sequence[Route]

    def __post_init__(self) -> None:
        """Refuse what would be refused later, and what would be ignored without a word."""
        for name in ("class_name", "host"):
            checks.field(name, checks.dns_name, getattr(self, name))
        if isinstance(self.certificate, CertManager) and routes.is_address(self.host):
            raise ValueError(
                f"host must be a DNS name where cert-manager issues the certificate, found {self.host}, for which it "
                "makes none; name the host, or take the stack's own authority"
            )
        routes.check(self.routes, self.host)
        for route in self.routes:
            self._check(route)

    def _check(self, route: Route) -> None:
        asked = {
            "authenticated": route.authenticated,
            "rate_limit": route.rate_limit,
            "max_body_bytes": route.max_body_bytes,
            "source_ranges": route.restricted,
        }
        for field in (name for name, there in asked.items() if there and not self.extensions):
            raise ValueError(
                f"routes: {field} of {route.service} needs extensions, as the Gateway API has no such thing, found "
                "none; set extensions to traefik where the class is Traefik's, or take it out and let the class do it"
            )
        if route.timeout_seconds and self.extensions == "traefik":
            raise ValueError(
                f"routes: timeout_seconds of {route.service} must not be set with the extensions of traefik, found "
                f"{route.timeout_seconds}: Traefik ignores it; take it out, and set respondingTimeouts of its entry "
                "points"
            )


def pods(namespace: str, extensions: Extensions | None) -> Peer:
    """Return the gateway's pods, which services have to let in: in a namespace, Traefik's, or without extensions all.

    They connect to the pods behind a Service themselves, by the port that these have.
    """
    return Peer(namespace=namespace, pods=traefik.PODS if extensions == "traefik" else None)


class Gateway(pulumi.ComponentResource):
    """Gateway, an HTTPRoute a service and one for the redirect; certificate, Middlewares and API key as asked for."""

    url: str
    """Where it answers."""

    ca: pulumi.Output[str] | None
    """What clients have to trust, as PEM; None where that is the issuer's matter."""

    api_key: pulumi.Output[str] | None
    """Password of the user `api` for routes with `authenticated`; a secret; None where there is no such route."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the gateway; its object is called `name`."""
        super().__init__("cloudnative:index:Gateway", checks.component_name(name), None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = args.labels.of(name, "gateway")
        issued, annotations = _certificate(name, args, child)

        def declare(
            kind: str,
            called: str,
            spec: Mapping[str, Any],
            *,
            annotations: Mapping[str, str] | None = None,
            after: Sequence[CustomResource] = (),
        ) -> CustomResource:
            return CustomResource(
                f"{name}-{called}",
                api_version=_VERSIONS[kind],
                kind=kind,
                metadata=owned(name=called, namespace=args.namespace, labels=labels, annotations=annotations),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self, depends_on=after, custom_timeouts=_LIMIT),
            )

        gateway = declare(
            "Gateway",
            name,
            routes.gateway_spec(args.class_name, args.host, args.routes, issued),
            annotations={**annotations, "pulumi.com/waitFor": "condition=Programmed"},
        )
        if args.extensions == "traefik" and routes.is_address(args.host):
            declare("TLSStore", traefik.STORE, traefik.default_certificate(issued))

        def route(
            called: str, spec: Mapping[str, Any], hosts: Sequence[str], guards: Sequence[CustomResource] = ()
        ) -> None:
            names = traefik.hostnames(hosts) if args.extensions == "traefik" else {}
            # After its guards, which so are there before it is and go after it has gone.
            declare("HTTPRoute", called, {**spec, **names}, annotations=_ATTACHED, after=[gateway, *guards])

        hosts = routes.hosts(args.host, args.routes)
        route(f"{name}-redirect", routes.redirect_spec(name, args.host, args.routes), hosts)
        self.api_key, credentials = _api_key(name, args, child)
        for one in args.routes:
            specs = {
                f"{one.service}-{what}": spec
                for what, spec in traefik.middlewares(one, realm=args.labels.instance, secret=credentials).items()
            }
            guards = [declare("Middleware", called, spec) for called, spec in specs.items()]
            filters = [traefik.reference(called) for called in specs]
            route(one.service, routes.route_spec(name, args.host, one, filters), [one.host or args.host], guards)

        self.url = f"https://{args.host}"
        self.ca = args.certificate.certificate if isinstance(args.certificate, Authority) else None
        self.register_outputs({"url": self.url})


def _certificate(
    name: str, args: GatewayArgs, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Input[str], Mapping[str, str]]:
    """Return the name of the Secret that holds the certificate, and the annotations by which it gets there."""
    if isinstance(args.certificate, CertManager):
        return f"{name}-certificate", args.certificate.annotations()
    hosts = routes.hosts(args.host, args.routes)
    issued = Certificate(name, CertificateArgs(authority=args.certificate, names=hosts))
    secret = Secret(
        f"{name}-certificate",
        # No name of its own: a new certificate is there before the old one goes.
        metadata=owned(namespace=args.namespace, labels=args.labels.of(name, "gateway")),
        type="kubernetes.io/tls",
        string_data={"tls.crt": issued.certificate, "tls.key": issued.key},
        opts=opts,
    )
    return secret.metadata.name, {}


def _api_key(
    name: str, args: GatewayArgs, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Output[str] | None, pulumi.Output[str] | None]:
    """Return the API key and the name of the Secret with its hash, if a route asks for it."""
    if not any(route.authenticated for route in args.routes):
        return None, None
    key = token(f"{name}-api-key", opts)
    secret = Secret(
        f"{name}-credentials",
        metadata=owned(namespace=args.namespace, labels=args.labels.of(name, "gateway")),
        string_data={"users": key.apply(traefik.credentials)},
        opts=opts,
    )
    return key, secret.metadata.name
