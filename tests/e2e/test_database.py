"""The catalog's database on real parts: what becomes of it under load, of its backups, and of its tables."""

import base64
import re
import secrets
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.toolchain import Toolchain
from tests.e2e.conftest import Deployed, Figures
from tests.e2e.load import Load, under_load
from tests.e2e.project import Project, eventually
from tests.e2e.test_faults import configured

DATABASE = "catalog-database"
UNAVAILABLE = "Products are unavailable at the moment."
WRITERS = 4
ENOUGH = 20_000
RATE = 30
"""Requests a second of each of two loads, all of which end in the database; two cores serve three times as many, with
nothing else to do."""

DIGEST = "SELECT count(*) || ' ' || md5(coalesce(string_agg(p::text, E'\\n' ORDER BY sku), '')) FROM products AS p"
"""How many products there are, and a checksum of all that is known of them."""


@pytest.fixture(scope="module")
def project(deployed: Deployed) -> Project:
    return deployed.project


@pytest.fixture(scope="module")
def api(project: Project) -> Callable[..., httpx.Response]:
    """Return what asks the catalog's API through the gateway, with the key."""
    key = project.output("api_key")

    def ask(method: str, path: str = "", **options: Any) -> httpx.Response:
        return project.request(method, f"/api/products{path}", auth=("api", key), **options)

    return ask


def product(sku: str) -> dict[str, Any]:
    return {
        "sku": sku,
        "name": f"Product {sku}",
        "description": "Made by a test.",
        "price_cents": 100,
        "currency": "EUR",
    }


def sql(project: Project, statement: str) -> str:
    """Return what the database says, asked as its superuser in its own pod."""
    where = [f"--namespace={project.namespace}", f"{DATABASE}-0"]
    psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--username=postgres", "--dbname=catalog"]
    return project.plain_kubectl("exec", *where, "--", *psql, f"--command={statement}").strip()


@dataclass
class Written:
    """What writers were told, and what readers saw meanwhile."""

    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0
    read: int = 0
    degraded: int = 0
    failed: list[str] = field(default_factory=list)
    """Pages that were not answered with 200."""

    last: float = 0
    """When a write was acknowledged last."""

    longest: float = 0
    """The longest time between two acknowledged writes, in seconds."""

    def looked_at(self, project: Project) -> None:
        """Read the page once."""
        self.read += 1
        try:
            answer = project.get()
        except httpx.TransportError as error:
            self.failed.append(repr(error))
            return
        self.degraded += UNAVAILABLE in answer.text
        if answer.status_code != httpx.codes.OK:
            self.failed.append(answer.text)


@contextmanager
def writing(project: Project, api: Callable[..., httpx.Response]) -> Iterator[Written]:
    """Write products, and read the page, over and over while the block runs."""
    written, lock, over = Written(last=time.monotonic()), threading.Lock(), threading.Event()

    def write() -> None:
        while not over.is_set():
            sku = f"TEST-{secrets.token_hex(8).upper()}"
            try:
                done = api("POST", json=product(sku)).status_code == httpx.codes.CREATED
            except httpx.TransportError:
                done = False
            with lock:
                if done:
                    now = time.monotonic()
                    written.acknowledged.append(sku)
                    written.longest, written.last = max(written.longest, now - written.last), now
                else:
                    written.refused += 1
            if not done:
                over.wait(0.1)

    def read() -> None:
        while not over.is_set():
            written.looked_at(project)

    with ThreadPoolExecutor(max_workers=WRITERS + 1) as threads:
        running = [*(threads.submit(write) for _ in range(WRITERS)), threads.submit(read)]
        try:
            yield written
        finally:
            over.set()
        for one in running:
            one.result()


def test_the_pages_products_are_those_of_the_database(project: Project) -> None:
    names = sql(project, "SELECT name FROM products ORDER BY sku LIMIT 3").splitlines()
    assert names
    page = project.page()
    assert [name for name in names if name not in page] == []


def test_a_database_that_is_killed_under_load_loses_no_acknowledged_write(
    project: Project, api: Callable[..., httpx.Response], figures: Figures
) -> None:
    pod = f"{DATABASE}-0"
    before = project.kubectl("get", "pod", pod)["metadata"]["uid"]
    with writing(project, api) as written:
        eventually(lambda: len(written.acknowledged) > 50, "writes are acknowledged")
        project.plain_kubectl(
            *("delete", "pod", pod, f"--namespace={project.namespace}", "--grace-period=0", "--force", "--wait=false")
        )
        eventually(lambda: written.degraded > 0, "the page says that products are unavailable", seconds=60)
        count = len(written.acknowledged)
        eventually(lambda: len(written.acknowledged) > count + 50, "writes are acknowledged again", seconds=120)
        eventually(lambda: UNAVAILABLE not in project.page(), "the page shows products again", seconds=60)
    assert project.kubectl("get", "pod", pod)["metadata"]["uid"] != before
    there = set(sql(project, "SELECT sku FROM products WHERE sku LIKE 'TEST-%'").splitlines())
    lost = set(written.acknowledged) - there
    figures(
        "the database's pod killed under load",
        f"{len(lost)} of {len(written.acknowledged)} acknowledged writes lost, {written.refused} refused; "
        f"{written.degraded} of {written.read} pages said so, {len(written.failed)} failed; "
        f"writes again after {written.longest:.1f} s",
    )
    assert lost == set()
    assert written.failed == []
    sql(project, "DELETE FROM products WHERE sku LIKE 'TEST-%'")


def run_job(project: Project, name: str) -> str:
    """Run what a CronJob would run, to its end, and return what it said."""
    called, where = f"{name}-{secrets.token_hex(3)}", f"--namespace={project.namespace}"
    project.plain_kubectl("create", "job", called, f"--from=cronjob/{name}", where)

    def ended() -> bool:
        status = project.kubectl("get", "job", called).get("status", {})
        assert not status.get("failed"), project.plain_kubectl("logs", f"job/{called}", where)
        return bool(status.get("succeeded"))

    eventually(ended, f"the end of {called}", seconds=60)
    said = project.plain_kubectl("logs", f"job/{called}", where)
    project.plain_kubectl("delete", "job", called, where)
    return said


def test_a_backup_is_restored_into_an_empty_database_with_the_same_rows(project: Project, figures: Figures) -> None:
    sql(
        project,
        "INSERT INTO products (sku, name, description, price_cents, currency) "
        "SELECT 'MANY-' || n, 'Product ' || n, repeat('x', 50), n, 'EUR' FROM generate_series(1, 5000) AS n",
    )
    before = sql(project, DIGEST)
    run_job(project, f"{DATABASE}-backup")
    sql(project, "TRUNCATE products")
    assert sql(project, DIGEST) != before
    sql(project, "DROP TABLE products, alembic_version")
    started = time.monotonic()
    run_job(project, f"{DATABASE}-restore")
    after = sql(project, DIGEST)
    count, checksum = before.split()
    figures("restored into an empty database", f"{count} rows, checksum {checksum}, {time.monotonic() - started:.1f} s")
    assert after == before
    assert sql(project, "SELECT count(*) FROM alembic_version") == "1"
    sql(project, "DELETE FROM products WHERE sku LIKE 'MANY-%'")
    eventually(lambda: UNAVAILABLE not in project.page(), "the page shows products again")


def test_a_database_with_rows_is_not_restored_over(project: Project) -> None:
    before = sql(project, DIGEST)
    with pytest.raises(AssertionError, match=r"has rows, in: [\s\S]*products"):
        run_job(project, f"{DATABASE}-restore")
    assert sql(project, DIGEST) == before


def revision(project: Project, number: int, body: str) -> None:
    """Add a revision of the tables to the project."""
    folder = project.folder / "app/catalog/catalog/migrations/versions"
    (folder / f"revision_{number:04}_test.py").write_text(
        textwrap.dedent(
            f'''
            """A revision of the tests."""

            import sqlalchemy as sa
            from alembic import op

            revision = "{number:04}"
            down_revision = "{number - 1:04}"


            def upgrade() -> None:
                {body}
            '''
        )
    )


def test_a_migration_is_rolled_out_under_load_without_a_failed_request(
    project: Project, tools: Toolchain, tmp_path: Path, figures: Figures
) -> None:
    expanded, contracted = (
        'op.add_column("products", sa.Column("stock", sa.Integer))',
        'op.drop_column("products", "stock")',
    )
    # Not the page, which would be answered without the database too.
    path, credentials = "/api/products?limit=1", f"api:{project.output('api_key')}"
    key = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
    with (
        under_load(tools, project, path, tmp_path, rate=RATE, keep_alive=True, headers=key) as kept,
        under_load(tools, project, path, tmp_path, rate=RATE, keep_alive=False, headers=key) as fresh,
    ):
        started = time.monotonic()
        revision(project, 3, expanded)
        project.up()
        assert "stock" in sql(project, COLUMNS)
        revision(project, 4, contracted)
        project.up()
        assert "stock" not in sql(project, COLUMNS)
        # The load goes on for as long as it takes to have been load enough.
        time.sleep(max(0, ENOUGH / (2 * RATE) + 2 - (time.monotonic() - started)))
    total: Load = kept + fresh
    figures("two migrations rolled out under load", total)
    assert total.sent >= ENOUGH
    assert total.lost == 0, total.errors


def test_migrations_that_are_to_run_once_more_do_and_nothing_else_does(project: Project) -> None:
    before = project.uids("jobs,deployments,statefulsets")
    project.stack.up(replace=["**::catalog-migration-job"], color="never")
    after = project.uids("jobs,deployments,statefulsets")
    assert after.keys() == before.keys()
    (anew,) = (name for name in after if after[name] != before[name])
    assert anew.startswith("Job/catalog-migration-")


COLUMNS = "SELECT string_agg(column_name, ' ') FROM information_schema.columns WHERE table_name = 'products'"


def test_a_destroy_refuses_a_database_that_it_was_not_told_to_drop_and_deletes_nothing(project: Project) -> None:
    before = project.uids("deployments,statefulsets,pvc,pods")
    with configured(project, {"catalog.database.droppable": False}):
        project.up()
        said = destroy(project)
    after = project.uids("deployments,statefulsets,pvc,pods")
    assert re.search(rf"{DATABASE}-data-volume\S* cannot be deleted\s+because it is protected", said)
    assert before.items() <= after.items()
    project.up()


def destroy(project: Project) -> str:
    """Run `pulumi destroy`, which has to fail, and return what it said."""
    command = ["pulumi", "destroy", "--yes", "--color=never", "--stack=e2e"]
    env = {**project.env, **project.stack.workspace.env_vars}
    result = subprocess.run(command, cwd=project.folder, env=env, capture_output=True, text=True, check=False)
    assert result.returncode != 0, result.stdout
    return result.stdout + result.stderr
