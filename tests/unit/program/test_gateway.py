"""The one way into the stack."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from cryptography import x509

from components.certificates import Authority, AuthorityArgs
from components.gateway import CertManager, Gateway, GatewayArgs, pods
from components.network import Peer
from components.routes import RateLimit, Route
from local import manifests
from tests.unit.program.harness import LABELS, Cloud, Run, plain_texts, run

NAMESPACE = "cloudnative-dev"
WEBAPP = Route(service="webapp", port=80, paths=["/"])
CATALOG = Route(
    service="catalog",
    port=80,
    paths=["/api/catalog"],
    host="catalog.example.com",
    authenticated=True,
    rate_limit=RateLimit(requests_per_second=10, burst=20),
    max_body_bytes=1000,
    source_ranges=["192.0.2.0/24"],
)
CERT_MANAGER = CertManager(issuer="letsencrypt")


def args(**changes: Any) -> GatewayArgs:
    return GatewayArgs(
        **{
            "namespace": NAMESPACE,
            "labels": LABELS,
            "class_name": "traefik",
            "extensions": "traefik",
            "host": "shop.example.com",
            "certificate": CERT_MANAGER,
            "routes": [WEBAPP, CATALOG],
            **changes,
        }
    )


def gateway(cloud: Cloud | None = None, *, own: bool = False, **changes: Any) -> Run:
    def declare() -> None:
        authority = {"certificate": Authority("stack", AuthorityArgs(common_name="dev"))} if own else {}
        made = Gateway("gateway", args(**authority, **changes))
        pulumi.export("url", made.url)
        for name, output in (("ca", made.ca), ("api_key", made.api_key)):
            if output is not None:
                pulumi.export(name, output)
                pulumi.export(f"{name} is secret", pulumi.Output.from_input(output.is_secret()))

    return run(declare, cloud=cloud)


@pytest.fixture(scope="module")
def made() -> Run:
    return gateway(own=True)


def filters(run: Run, route: str) -> list[str]:
    """Return the Middlewares that a route leads through, in order."""
    (rule,) = run.one("HTTPRoute", f"gateway-{route}").inputs["spec"]["rules"]
    return [one["extensionRef"]["name"] for one in rule["filters"] if one["type"] == "ExtensionRef"]


def middleware(run: Run, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = run.one("Middleware", f"gateway-{name}").inputs["spec"]
    return spec


def test_every_service_has_a_route_of_its_name_beside_the_redirect(made: Run) -> None:
    names = [one.inputs["metadata"]["name"] for one in made.all("HTTPRoute")]
    assert sorted(names) == ["catalog", "gateway-redirect", "webapp"]
    for route in made.all("HTTPRoute"):
        assert {one["name"] for one in route.inputs["spec"]["parentRefs"]} == {"gateway"}
    assert made.one("Gateway", "gateway-gateway").inputs["metadata"]["name"] == "gateway"


def test_the_url_is_by_https_on_its_own_port(made: Run) -> None:
    assert made.exports["url"] == "https://shop.example.com"
    assert gateway(own=True, host="10.90.1.1").exports["url"] == "https://10.90.1.1"


def test_the_certificate_is_for_every_host_and_issued_by_the_authority_that_comes_out(made: Run) -> None:
    secret = made.one("Secret", "gateway-certificate").inputs
    assert secret["type"] == "kubernetes.io/tls"
    issued = x509.load_pem_x509_certificate(secret["stringData"]["tls.crt"].encode())
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["shop.example.com", "catalog.example.com"]
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(made.exports["ca"].encode()))


def test_every_listener_takes_the_certificate_from_its_secret(made: Run) -> None:
    listeners = made.one("Gateway", "gateway-gateway").inputs["spec"]["listeners"]
    references = {ref["name"] for one in listeners if "tls" in one for ref in one["tls"]["certificateRefs"]}
    assert references == {"gateway-certificate-1a2b3c4d"}


def test_a_new_certificate_gets_a_new_secret_so_that_there_is_always_one(made: Run) -> None:
    for secret in made.all("Secret"):
        assert "name" not in secret.inputs["metadata"]


@pytest.mark.parametrize(
    ("kind", "annotation"),
    [("ClusterIssuer", "cert-manager.io/cluster-issuer"), ("Issuer", "cert-manager.io/issuer")],
)
def test_cert_manager_finds_its_issuer_on_the_gateway_and_makes_the_secret(kind: Any, annotation: str) -> None:
    result = gateway(certificate=CertManager(issuer="letsencrypt", kind=kind), routes=[WEBAPP])
    inputs = result.one("Gateway", "gateway-gateway").inputs
    assert inputs["metadata"]["annotations"][annotation] == "letsencrypt"
    assert inputs["spec"]["listeners"][1]["tls"]["certificateRefs"][0]["name"] == "gateway-certificate"
    assert not result.all("Secret")
    assert "ca" not in result.exports


def test_clients_that_name_no_host_get_the_certificate_where_the_host_is_an_address() -> None:
    store = gateway(own=True, host="10.90.1.1").one("TLSStore").inputs
    assert (store["apiVersion"], store["metadata"]["name"]) == ("traefik.io/v1alpha1", "default")
    assert store["spec"] == {"defaultCertificate": {"secretName": "gateway-certificate-1a2b3c4d"}}


@pytest.mark.parametrize("host", ["shop.example.com", "10.90.1.1"])
def test_what_is_asked_of_another_name_or_address_is_not_answered(host: str) -> None:
    result = gateway(own=True, host=host)
    names = {one.inputs["metadata"]["name"]: one.inputs["spec"]["hostnames"] for one in result.all("HTTPRoute")}
    other = "catalog.example.com"
    assert names == {"gateway-redirect": [host, other], "webapp": [host], "catalog": [other]}


def test_a_gateway_with_a_name_leaves_the_clusters_one_default_certificate_alone(made: Run) -> None:
    assert not made.all("TLSStore")
    assert not gateway(own=True, host="10.90.1.1", extensions=None, routes=[WEBAPP]).all("TLSStore")


def test_a_request_meets_its_guards_from_the_cheapest_to_the_dearest(made: Run) -> None:
    assert filters(made, "catalog") == [
        "catalog-sources",
        "catalog-rate-limit",
        "catalog-api-key",
        "catalog-body-limit",
    ]
    assert middleware(made, "catalog-sources") == {"ipAllowList": {"sourceRange": ["192.0.2.0/24"]}}
    assert middleware(made, "catalog-rate-limit") == {"rateLimit": {"average": 10, "period": "1s", "burst": 20}}
    assert middleware(made, "catalog-body-limit") == {"buffering": {"maxRequestBodyBytes": 1000}}


def test_a_route_is_never_there_without_its_guards(made: Run) -> None:
    guards = {one.urn for one in made.all("Middleware")}
    assert guards <= set(made.one("HTTPRoute", "gateway-catalog").depends_on)


def test_a_route_that_asks_for_nothing_has_no_guard(made: Run) -> None:
    assert filters(made, "webapp") == []
    assert {one.name.rpartition("gateway-")[2] for one in made.all("Middleware")} == set(filters(made, "catalog"))


def test_the_cluster_holds_the_keys_hash_alone_and_services_never_see_the_key(made: Run) -> None:
    key = made.exports["api_key"]
    assert len(base64.urlsafe_b64decode(f"{key}=")) == 32
    credentials = made.one("Secret", "gateway-credentials")
    hashed = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
    assert credentials.inputs["stringData"] == {"users": f"api:{{SHA}}{hashed}"}
    assert middleware(made, "catalog-api-key") == {
        "basicAuth": {"realm": "cloudnative-dev", "secret": "gateway-credentials-1a2b3c4d", "removeHeader": True}
    }
    assert [one.name for one in made.resources if key in json.dumps(one.inputs)] == ["gateway-api-key"]


def test_key_and_hash_are_secret(made: Run) -> None:
    hidden = [made.exports["api_key"], made.one("Secret", "gateway-credentials").inputs["stringData"]["users"]]
    for one in made.resources:
        assert not [text for text in plain_texts(one.wire) if any(secret in text for secret in hidden)], one.name
    assert made.exports["api_key"] not in json.dumps(made.component_outputs)
    assert made.exports["api_key is secret"]


def test_the_key_is_made_once() -> None:
    assert gateway().one("Stash").ignore_changes == ("input",)
    cloud = Cloud()
    cloud.stashed["gateway-api-key"] = "kept"
    assert gateway(cloud).exports["api_key"] == "kept"
    assert gateway().exports["api_key"] != gateway().exports["api_key"]


def test_without_a_route_that_asks_for_it_there_is_no_key() -> None:
    result = gateway(routes=[WEBAPP])
    assert "api_key" not in result.exports
    assert not result.all("Stash")
    assert not result.all("Secret")


def test_without_extensions_there_are_objects_of_the_gateway_api_alone() -> None:
    result = gateway(extensions=None, routes=[WEBAPP])
    custom = {one.type.split(":")[1] for one in result.resources if one.is_kubernetes_object}
    assert custom == {"gateway.networking.k8s.io/v1"}
    assert not [one.name for one in result.all("HTTPRoute") if "hostnames" in one.inputs["spec"]]


def test_an_update_waits_until_the_gateway_is_in_place_and_leads_to_the_services(made: Run) -> None:
    annotations = made.one("Gateway", "gateway-gateway").inputs["metadata"]["annotations"]
    assert annotations["pulumi.com/waitFor"] == "condition=Programmed"
    for route in made.all("HTTPRoute"):
        waits = json.loads(route.inputs["metadata"]["annotations"]["pulumi.com/waitFor"])
        assert [condition for wait in waits for condition in re.findall(r'"(\w+)"', wait)] == [
            "Accepted",
            "ResolvedRefs",
        ]
    for one in (*made.all("HTTPRoute"), made.one("Gateway", "gateway-gateway")):
        assert one.timeouts == ("5m", "5m")


@pytest.mark.parametrize("host", ["shop.example.com", "10.90.1.1"])
def test_what_is_declared_is_what_the_schemas_of_the_api_and_of_traefik_have(host: str) -> None:
    kinds = (":Gateway", ":HTTPRoute", ":Middleware", ":TLSStore")
    custom = [
        one for one in gateway(own=True, host=host).resources if one.is_kubernetes_object and one.type.endswith(kinds)
    ]
    assert {one.inputs["kind"] for one in custom} >= {"Gateway", "HTTPRoute", "Middleware"}
    for one in custom:
        manifest = manifests.Manifest(file=Path(one.name), body=one.inputs)
        assert not list(manifests.against_schema(manifest, manifests.custom_kinds()))


def test_services_let_in_the_gateways_pods_and_nobody_else_of_their_namespace() -> None:
    assert pods("traefik", "traefik") == Peer(namespace="traefik", pods={"app.kubernetes.io/name": "traefik"})
    assert pods("envoy-gateway-system", None) == Peer(namespace="envoy-gateway-system")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("authenticated", True),
        ("rate_limit", RateLimit(requests_per_second=1, burst=1)),
        ("max_body_bytes", 1),
        ("source_ranges", ["192.0.2.0/24"]),
    ],
)
def test_what_the_gateway_api_has_no_words_for_is_refused_without_extensions(field: str, value: object) -> None:
    asked: dict[str, Any] = {field: value}
    route = Route(service="webapp", port=80, paths=["/"], **asked)
    with pytest.raises(ValueError, match=f"routes: {field} of webapp needs extensions, .* set extensions to traefik"):
        args(extensions=None, routes=[route])


def test_what_traefik_would_ignore_is_refused() -> None:
    route = Route(service="webapp", port=80, paths=["/"], timeout_seconds=5)
    with pytest.raises(ValueError, match=r"timeout_seconds of webapp must not be set .* found 5: Traefik ignores it"):
        args(routes=[route])
    args(routes=[route], extensions=None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"host": "Shop.example.com"}, "host must be a DNS name"),
        ({"class_name": "a b"}, "class_name must be a DNS name"),
        ({"host": "10.90.1.1"}, "host must be a DNS name where cert-manager issues .* found 10.90.1.1"),
        ({"routes": []}, "routes must hold at least 1 route"),
    ],
    ids=["host", "class_name", "address", "routes"],
)
def test_wrong_arguments_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        args(**changes)


def test_an_issuer_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="issuer must be a DNS name"):
        CertManager(issuer="my issuer")
