"""The stack's own certificate authority, and the certificates that it issues to servers.

Each is made once and then kept in the state, encrypted: an update changes neither. That needs no plugin, and no
controller in the cluster. Nothing is revoked, and nothing is renewed by itself: for certificates that people outside
trust, take cert-manager and a public authority.

After a certificate's last day its clients refuse it; from 60 days before, each preview and each update warns and names
the command that makes a new one: `pulumi up --replace '**::NAME-certificate'`, or for the authority `pulumi up
--replace '**::NAME-authority'`, after which all its certificates are issued anew. Pods that are given the new ones
roll; while they do, an old pod does not trust a server that has its certificate from the new authority.
"""

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import pulumi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from components import checks

AUTHORITY_DAYS = 3650
"""How long an authority is trusted: ten years, as to replace it everything that trusts it has to follow."""

CERTIFICATE_DAYS = 825
"""How long a certificate is valid: the longest that Apple's systems take, from authorities that a user added too.

Source: https://support.apple.com/en-us/103769.
"""

WARNED_DAYS = 60
"""How long before the last day each update warns."""

_CLOCKS = dt.timedelta(hours=1)
"""How far the clock of a client may be behind."""


class Pair(TypedDict):
    """A key and the certificate for it, both as PEM."""

    key: str
    certificate: str


def new_authority(common_name: str, now: dt.datetime) -> Pair:
    """Return an authority that may issue to servers, and not to further authorities."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    unsigned = (
        _builder(name, key, now, AUTHORITY_DAYS)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _signed(unsigned, key, key)


def issue(authority: Pair, common_name: str, names: Sequence[str], now: dt.datetime) -> Pair:
    """Return a certificate for a server that is reached by each of `names`: DNS names and IP addresses."""
    issuer = x509.load_pem_x509_certificate(authority["certificate"].encode())
    issuer_key = load_pem_private_key(authority["key"].encode(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"the key of an authority must be one of an elliptic curve, found {type(issuer_key)}")
    key = ec.generate_private_key(ec.SECP256R1())
    unsigned = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]), key, now, CERTIFICATE_DAYS)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    return _signed(unsigned, key, issuer_key)


def days_left(certificate: str, now: dt.datetime) -> int:
    """Return for how many more days a certificate, as PEM, is valid."""
    return (x509.load_pem_x509_certificate(certificate.encode()).not_valid_after_utc - now).days


def names_of(certificate: str) -> list[str]:
    """Return the names that a certificate, as PEM, is for."""
    extensions = x509.load_pem_x509_certificate(certificate.encode()).extensions
    return [str(name.value) for name in extensions.get_extension_for_class(x509.SubjectAlternativeName).value]


@dataclass(frozen=True, kw_only=True)
class AuthorityArgs:
    """Whose authority it is."""

    common_name: str
    """What people see as the issuer of a certificate, such as `cloudnative-dev`; at most 64 characters."""

    def __post_init__(self) -> None:
        """Refuse a name that no certificate can hold."""
        _common_name(self.common_name)


class Authority(pulumi.ComponentResource):
    """An authority that is made once."""

    certificate: pulumi.Output[str]
    """What a client has to trust, as PEM; no secret."""

    def __init__(self, name: str, args: AuthorityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make it, or take it from the state."""
        super().__init__("cloudnative:index:Authority", checks.component_name(name), None, opts)
        made = pulumi.Output.secret(new_authority(args.common_name, _now()))
        self._pair, self.certificate = _kept(f"{name}-authority", made, None, self)
        self.register_outputs({"certificate": self.certificate})

    def issue(self, common_name: str, names: Sequence[str]) -> pulumi.Output[Pair]:
        """Return a new pair, a secret."""
        return self._pair.apply(lambda pair: issue(pair, common_name, names, _now()))


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """Who issues the certificate, and what the server is called by those who connect to it."""

    authority: Authority
    names: Sequence[str]
    """DNS names and IP addresses. Others than before make a new certificate."""

    def __post_init__(self) -> None:
        """Refuse what is neither, and a certificate for nobody."""
        if not self.names:
            raise ValueError("names must hold at least 1 DNS name or IP address, found none: nobody could connect")
        for name in self.names:
            checks.field("names", _general_name, name)


class Certificate(pulumi.ComponentResource):
    """A server's certificate, that is made once, and anew when its names or its authority are others."""

    certificate: pulumi.Output[str]
    """As PEM; no secret."""

    key: pulumi.Output[str]
    """As PEM; a secret."""

    issuer: pulumi.Output[str]
    """Certificate of the authority, which a client has to trust, as PEM; no secret."""

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make it, or take it from the state."""
        super().__init__("cloudnative:index:Certificate", _common_name(checks.component_name(name)), None, opts)
        names = list(args.names)
        made = args.authority.issue(name, names)
        # The engine takes no secret for a trigger, and says nothing: so the issuer's certificate, which is none.
        about = args.authority.certificate.apply(lambda issuer: _digest(issuer, *names))
        pair, self.certificate = _kept(f"{name}-certificate", made, about, self)
        self.key = pair["key"]
        self.issuer = args.authority.certificate
        self.register_outputs({"certificate": self.certificate})


def _kept(
    name: str, made: pulumi.Output[Pair], about: pulumi.Output[str] | None, parent: pulumi.Resource
) -> tuple[pulumi.Output[Pair], pulumi.Output[str]]:
    """Return the pair that was `made` when `about` was last another, a secret, and its certificate."""
    opts = pulumi.ResourceOptions(parent=parent, ignore_changes=["input"], replacement_trigger=about)
    pair: pulumi.Output[Pair] = pulumi.Output.secret(pulumi.Stash(name, input=made, opts=opts).output)
    certificate = pulumi.Output.unsecret(pair.apply(lambda kept: _watched(name, kept["certificate"])))
    return pair, certificate


def _watched(name: str, certificate: str) -> str:
    """Return the certificate; say so if it will not be valid for long."""
    left = days_left(certificate, _now())
    if left < WARNED_DAYS:
        pulumi.log.warn(f"{name} is valid for {left} more days; renew it: pulumi up --replace '**::{name}'")
    return certificate


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    unsigned: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey
) -> Pair:
    return Pair(
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        certificate=unsigned.sign(issuer, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(checks.dns_name(name))


def _common_name(name: str) -> str:
    if not 1 <= len(name) <= 64:
        raise ValueError(f"the name in a certificate must have 1 to 64 characters, found {name!r} ({len(name)})")
    return name


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
