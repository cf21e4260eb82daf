"""The stack's own authority and its certificates: what they say, whom TLS takes them from, and that they are kept."""

import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pulumi
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from components import certificates
from components.certificates import Authority, AuthorityArgs, Certificate, CertificateArgs, Pair
from tests.unit.program.harness import Cloud, Run, plain_texts, run

NOW = dt.datetime.now(dt.UTC)
NAMES = ("catalog-database", "catalog-database.shop.svc", "127.0.0.1")


@pytest.fixture(scope="module")
def authority() -> Pair:
    return certificates.new_authority("cloudnative-dev", NOW)


@pytest.fixture
def leaf(authority: Pair) -> Pair:
    return certificates.issue(authority, "catalog-database", NAMES, NOW)


def parsed(pair: Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair["certificate"].encode())


@pytest.fixture
def server(leaf: Pair, tmp_path: Path) -> Iterator[int]:
    """Serve TLS with the leaf, and return the port."""
    (tmp_path / "tls.pem").write_text(leaf["key"] + leaf["certificate"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            try:
                context.wrap_socket(connection, server_side=True).close()
            except (OSError, ssl.SSLError):
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=5)


def connect(port: int, trusted: Pair, name: str) -> None:
    context = ssl.create_default_context(cadata=trusted["certificate"])
    # Python 3.13 asks for what RFC 5280 does; so do we.
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name),
    ):
        pass


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_takes_each_of_the_servers_names(
    server: int, authority: Pair, name: str
) -> None:
    connect(server, authority, name)


def test_a_client_takes_no_other_name(server: int, authority: Pair) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(server, authority, "webapp-database")


def test_a_client_of_another_authority_of_the_same_name_takes_nothing(server: int) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
        connect(server, certificates.new_authority("cloudnative-dev", NOW), NAMES[0])


def test_an_authority_issues_to_servers_and_to_no_further_authority(authority: Pair, leaf: Pair) -> None:
    constraints = parsed(authority).extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert not parsed(leaf).extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(parsed(leaf).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]


def test_both_are_valid_for_as_long_as_the_module_says_and_for_clocks_that_are_behind(
    authority: Pair, leaf: Pair
) -> None:
    for pair, days in ((authority, certificates.AUTHORITY_DAYS), (leaf, certificates.CERTIFICATE_DAYS)):
        assert certificates.days_left(pair["certificate"], NOW + dt.timedelta(seconds=1)) == days - 1
        assert parsed(pair).not_valid_before_utc < NOW - dt.timedelta(minutes=30)


def test_no_two_keys_and_no_two_serial_numbers_are_the_same(authority: Pair) -> None:
    pairs = [certificates.issue(authority, "a", ["a"], NOW) for _ in range(3)]
    assert len({pair["key"] for pair in pairs}) == len({parsed(pair).serial_number for pair in pairs}) == 3


@pytest.mark.parametrize("name", ["", "with space", "-a", "a..b", "Shop.example.com", "10.0.0.0/8"])
def test_what_is_neither_a_dns_name_nor_an_address_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names must be a DNS name"):
        declared([name])


def test_a_certificate_for_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 DNS name or IP address, found none"):
        declared([])


def test_a_name_that_no_certificate_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 64 characters"):
        AuthorityArgs(common_name="a" * 65)


def declared(names: Sequence[str] = NAMES, cloud: Cloud | None = None) -> Run:
    def declare() -> None:
        authority = Authority("stack", AuthorityArgs(common_name="cloudnative-dev"))
        certificate = Certificate("shop", CertificateArgs(authority=authority, names=names))
        pulumi.export("authority", authority.certificate)
        pulumi.export("certificate", certificate.certificate)
        pulumi.export("key", certificate.key)

    return run(declare, cloud=cloud)


def test_what_comes_out_belongs_together() -> None:
    exports = declared().exports
    issued = x509.load_pem_x509_certificate(exports["certificate"].encode())
    issued.verify_directly_issued_by(x509.load_pem_x509_certificate(exports["authority"].encode()))
    assert "PRIVATE KEY" in exports["key"]


def test_only_what_is_kept_counts_and_not_what_an_update_makes() -> None:
    for stash in declared().all("Stash"):
        assert stash.ignore_changes == ("input",)


def test_keys_are_secret() -> None:
    result = declared()
    for stash in result.all("Stash"):
        assert "PRIVATE KEY" in json.dumps(stash.inputs)
        assert not [text for text in plain_texts(stash.wire) if "PRIVATE KEY" in text]
    assert "PRIVATE KEY" not in json.dumps(result.component_outputs)


def kept(authority: Pair) -> Cloud:
    """Return a cloud whose state has this authority already."""
    cloud = Cloud()
    cloud.stashed["stack-authority"] = authority
    return cloud


def test_other_names_or_another_authority_make_another_certificate(authority: Pair) -> None:
    def trigger(cloud: Cloud, names: Sequence[str] = NAMES) -> str:
        return declared(names, cloud).one("Stash", "shop-certificate").replacement_trigger

    same = trigger(kept(authority))
    assert same
    assert trigger(kept(authority)) == same
    assert trigger(kept(authority), NAMES[:2]) != same
    assert trigger(kept(certificates.new_authority("cloudnative-dev", NOW))) != same


def test_an_update_warns_before_the_last_day_and_names_the_command(caplog: pytest.LogCaptureFixture) -> None:
    age = dt.timedelta(days=certificates.AUTHORITY_DAYS - certificates.WARNED_DAYS)
    declared(cloud=kept(certificates.new_authority("cloudnative-dev", NOW - age)))
    assert caplog.messages == [
        "stack-authority is valid for 59 more days; renew it: pulumi up --replace '**::stack-authority'"
    ]
