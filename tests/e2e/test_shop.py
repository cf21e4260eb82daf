"""The page as somebody sees it who comes through the gateway: by https, with products from the database."""

import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from local.network import NETWORK
from tests.e2e.browser import visit
from tests.e2e.conftest import Deployed
from tests.e2e.project import Project
from tests.e2e.test_database import sql


def served_certificate(project: Project) -> str:
    """Return the certificate that the gateway shows, once it is known to be of the stack's authority."""
    host = str(urlsplit(project.output("url")).hostname)
    trusted = ssl.create_default_context(cadata=project.output("ca_certificate"))
    with (
        socket.create_connection((str(NETWORK.gateway), 443), timeout=5) as connection,
        trusted.wrap_socket(connection, server_hostname=host) as tls,
    ):
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True) or b"")


def test_the_page_shows_the_databases_products_in_a_browser_by_https(deployed: Deployed, tmp_path: Path) -> None:
    project = deployed.project
    wanted = sql(project, "SELECT name FROM products ORDER BY sku LIMIT 8").splitlines()
    with visit(project.output("url"), served_certificate(project)) as seen:
        shown = seen.page.locator("section li span").all_inner_texts()
        # A picture for docs/, where one is asked for by `make screenshot`.
        seen.page.screenshot(path=Path(os.environ.get("SCREENSHOTS", tmp_path), "shop.png"))
        assert seen.wrong == []
        assert seen.origins == {project.output("url")}
    assert shown[: len(wanted)] == wanted
    assert len(wanted) == 8
