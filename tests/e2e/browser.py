"""A page as somebody sees it: in Debian's Chromium, without a window, driven by playwright.

The browser that playwright would download comes from no package registry, so it is told to take Debian's.
"""

import base64
import hashlib
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Page, sync_playwright

from local import debian
from local.network import NETWORK
from tests.e2e.project import Project


@dataclass(frozen=True)
class Visit:
    """An open page, and what became known of it since it was asked for."""

    page: Page
    wrong: list[str] = field(default_factory=list)
    """What its console complained of, what it did not catch, and what it asked for and did not get."""

    origins: set[str] = field(default_factory=set)
    """Whom it asked for something, such as `https://10.90.1.1`."""


@contextmanager
def visit(url: str, certificate: str | None = None) -> Iterator[Visit]:
    """Open `url` past any proxy, in a browser of its own, which is installed where it is missing.

    Args:
        url: The page. No DNS knows the names of stacks, so each is taken to the platform's gateway.
        certificate: What the server has to show, as PEM, where nobody trusts its issuer; None where there is no https.
    """
    trusted = [f"--ignore-certificate-errors-spki-list={_key_of(certificate)}"] if certificate else []
    debian.ensure((debian.BROWSER,))
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=shutil.which(debian.BROWSER),
            # The sandbox refuses to run as root, and the page is the stack's own.
            chromium_sandbox=False,
            args=["--no-proxy-server", f"--host-resolver-rules=MAP *.test {NETWORK.gateway}", *trusted],
        ) as browser,
    ):
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        visited = Visit(page)
        page.on("console", lambda said: visited.wrong.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: visited.wrong.append(str(error)))
        page.on("requestfailed", lambda request: visited.wrong.append(f"{request.url}: {request.failure}"))
        page.on("request", lambda request: visited.origins.add(_origin(request.url)))
        page.goto(url)
        yield visited


def served_certificate(project: Project) -> str:
    """Return the certificate that the gateway shows, once it is known to be of the stack's authority."""
    host = str(urlsplit(project.output("url")).hostname)
    trusted = ssl.create_default_context(cadata=project.output("ca_certificate"))
    with (
        socket.create_connection((str(NETWORK.gateway), 443), timeout=5) as connection,
        trusted.wrap_socket(connection, server_hostname=host) as tls,
    ):
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"")


def _key_of(certificate: str) -> str:
    """Return the hash of a certificate's public key, as Chromium takes it."""
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
