"""The catalog and the one that calls it, both as their containers run them."""

from pathlib import Path

import pytest

from tests.app.catalog.postgres import Postgres
from tests.app.gunicorn_process import GunicornProcess

UNAVAILABLE = "Products are unavailable at the moment."


@pytest.mark.slow
def test_a_page_has_the_catalogs_products_also_when_its_database_is_gone(
    server: Postgres, secret: Path, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("catalog", "webapp")]
    for folder in folders:
        folder.mkdir()
    with (
        GunicornProcess(folders[0], service="catalog", DATABASE_DIR=str(secret)) as catalog,
        GunicornProcess(folders[1], WORKERS="1", CATALOG_URL=catalog.url, CATALOG_TIMEOUT_SECONDS="5") as webapp,
    ):
        catalog.wait_until_ready()
        webapp.wait_until_ready()
        page = webapp.get("/", **{"X-Request-ID": "together"})
        assert (page.status_code, UNAVAILABLE in page.text) == (200, False)
        assert page.text.count("<li>") == 8
        assert ">18.90 EUR<" in page.text
        (called,) = catalog.log(request_id="together", route="/api/products")
        (asked,) = webapp.log(request_id="together", route="/")
        assert called["trace_id"] == asked["trace_id"]

        name = (secret / "dbname").read_text()
        with server.admin() as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        page = webapp.get("/")
        assert (page.status_code, UNAVAILABLE in page.text) == (200, True)
        assert page.text.count("<li>") == 8
        assert {process.status("/readyz") for process in (catalog, webapp)} == {200}
        assert "Traceback" not in catalog.stdout() + catalog.stderr() + webapp.stdout() + webapp.stderr()
