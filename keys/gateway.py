"""The keys of the gateway: what class of gateways it is, how it is reached, and what it refuses."""

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from components import gateway, network, routes, signals, traefik
from components.certificates import Authority
from components.exposure import Published
from components.gateway import Extensions
from components.network import Peer
from components.service import Service
from keys.base import DnsLabel, DnsName, Keys, Networks, Port


class OwnAuthority(Keys):
    """A certificate of the stack's own authority, which nobody trusts who is not told to."""

    kind: Literal["own"]


class CertManager(Keys):
    """A certificate that cert-manager gets."""

    kind: Literal["cert-manager"]
    issuer: DnsName = Field(description="Name of cert-manager's issuer.")
    issuer_kind: Literal["ClusterIssuer", "Issuer"] = Field(
        default="ClusterIssuer", description="`Issuer` is one in the stack's namespace."
    )

    def of_gateway(self) -> gateway.CertManager:
        """Return it as components take it."""
        return gateway.CertManager(issuer=self.issuer, kind=self.issuer_kind)


class RateLimit(Keys):
    """`rateLimit`: how many requests one client address may send to a service."""

    requests_per_second: int = Field(ge=1, le=1_000_000, description="In the long run; what is more gets a 429.")
    burst: int = Field(ge=1, le=1_000_000, description="At once, after a while without any.")

    def of_route(self) -> routes.RateLimit:
        """Return it as components take it."""
        return routes.RateLimit(**self.model_dump())


class GatewayMetrics(Keys):
    """`metrics`: where the gateway's own metrics are, for a Prometheus of the stack's own."""

    service: DnsLabel = Field(default="traefik-metrics", description="Name of the Service for them.")
    port: Port = Field(default=9100, description="Port of that Service and of the gateway's pods.")


class Gateway(Keys):
    """`gateway`: the one way into the stack."""

    class_name: DnsName = Field(description="Name of the GatewayClass.")
    extensions: Extensions | None = Field(
        default=None, description="Class whose own objects may be made, for what the Gateway API has no words for."
    )
    namespace: DnsLabel = Field(description="Namespace of the gateway's pods, which services let in.")
    host: DnsName = Field(description="DNS name or IP address that the gateway is reached by.")
    certificate: OwnAuthority | CertManager = Field(discriminator="kind", description="Who issues its certificate.")
    rate_limit: RateLimit | None = None
    max_body_bytes: int | None = Field(
        default=None,
        ge=1,
        le=2**40,
        description="Largest body of a request; a larger one gets a 413.",
    )
    source_ranges: Networks = Field(
        default=network.ANYWHERE, description="Networks that may get in; others need `extensions`."
    )
    timeout_seconds: int | None = Field(
        default=None, ge=1, le=3600, description="Time in which a request must be answered; Traefik has its own."
    )
    metrics: GatewayMetrics | None = None

    @field_validator("rate_limit", "max_body_bytes", "source_ranges")
    @classmethod
    def _needs_extensions(cls, value: Any, info: ValidationInfo) -> Any:
        asked = value is not None and not (info.field_name == "source_ranges" and set(network.ANYWHERE) <= set(value))
        if asked and "extensions" in info.data and not info.data["extensions"]:
            raise ValueError(
                "must not be set, because gateway.extensions is not and the Gateway API has no such thing; set that to "
                "traefik where the class is Traefik's, or take it out and let the class do it"
            )
        return value

    @field_validator("metrics")
    @classmethod
    def _of_traefik(cls, value: GatewayMetrics | None, info: ValidationInfo) -> GatewayMetrics | None:
        if value and "extensions" in info.data and info.data["extensions"] != "traefik":
            raise ValueError(
                "must not be set, because gateway.extensions is not traefik, whose metrics alone are known; set that, "
                "or take it out"
            )
        return value

    @field_validator("timeout_seconds")
    @classmethod
    def _is_honoured(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("extensions") == "traefik":
            raise ValueError(
                f"must not be set with the extensions of traefik, found {value}: Traefik ignores it; take it out, and "
                "set respondingTimeouts of its entry points"
            )
        return value

    @field_validator("certificate")
    @classmethod
    def _suits_host(cls, value: OwnAuthority | CertManager, info: ValidationInfo) -> OwnAuthority | CertManager:
        host = info.data.get("host")
        if host and isinstance(value, CertManager) and routes.is_address(host):
            raise ValueError(
                f"must be of kind own where host is an address ({host}), found cert-manager; name the host"
            )
        return value

    def peer(self) -> Peer:
        """Return its pods, as components take them."""
        return gateway.pods(self.namespace, self.extensions)

    def issuer(self, own: Authority) -> Authority | gateway.CertManager:
        """Return who issues its certificate, as components take it."""
        return self.certificate.of_gateway() if isinstance(self.certificate, CertManager) else own

    def route(self, service: Service, port: int) -> routes.Route:
        """Return the route to a service of the map whose Kubernetes Service has this `port`."""
        return routes.Route(
            service=service.name,
            port=port,
            paths=service.paths,
            authenticated=service.needs_key,
            rate_limit=self.rate_limit.of_route() if self.rate_limit else None,
            max_body_bytes=self.max_body_bytes,
            source_ranges=self.source_ranges,
            timeout_seconds=self.timeout_seconds,
        )

    def route_to_server(self, name: str, port: int, source_ranges: Networks) -> routes.Route:
        """Return the route to a server of the stack's monitoring, whose pages hold scripts; see `published`."""
        return routes.Route(
            service=name,
            port=port,
            paths=[f"/{name}"],
            rate_limit=self.rate_limit.of_route() if self.rate_limit else None,
            source_ranges=source_ranges,
            strips_path=True,
            inline_scripts=True,
            timeout_seconds=self.timeout_seconds,
        )

    def published(self, name: str) -> Published:
        """Return how such a server is reached, as components take it."""
        return Published(url=f"https://{self.host}/{name}", gateway=self.peer())

    def source(self, name: str) -> signals.Traefik | None:
        """Return where the metrics of the gateway `name` are, as components take it."""
        where = self.metrics
        if not where:
            return None
        return signals.Traefik(
            gateway=name, namespace=self.namespace, service=where.service, port=where.port, pods=traefik.PODS
        )
