"""The page as somebody sees it who comes through the gateway: by https, with products from the database."""

import os
from pathlib import Path

from tests.e2e.browser import served_certificate, visit
from tests.e2e.conftest import Deployed
from tests.e2e.test_database import sql


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
