"""The scripts of PostgreSQL's pods, run by a shell, with programs in PostgreSQL's place that note how they are called.

On their PATH is nothing else but what they may use, as the image has no more. What PostgreSQL itself does with what it
is told, tests on the platform show.
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.program.harness import ROOT

SCRIPTS = ROOT / "components/postgres"
PROGRAMS = ("cat", "chmod", "date", "ls", "mv", "rm", "sync")
STUBS = {
    "pg_dump": """
for word; do case $word in --file=*) echo rows > "${word#--file=}" ;; esac; done
exit "${DUMP:-0}"
""",
    "pg_restore": """
case "$*" in *--file=/dev/null*) exit "${READ:-0}" ;; esac
""",
    "psql": """
case "$*" in *filled.sql*) printf %s "${FILLED:-}" ;; *rows.sql*) echo "items|3" ;; esac
""",
    "initdb": """
for word; do case $word in --pgdata=*) mkdir "${word#*=}" || exit 1; echo 15 > "${word#*=}/PG_VERSION" ;; esac; done
exit "${INIT:-0}"
""",
    "pg_ctl": "",
}


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """Return a folder with programs, a connection and places for data and backups."""
    for folder in ("bin", "backups", "connection"):
        (tmp_path / folder).mkdir()
    for program in (*PROGRAMS, "mkdir"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    for name, text in STUBS.items():
        stub = tmp_path / "bin" / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> "{tmp_path}/calls"\n{text}\n')
        stub.chmod(0o755)
    for name, value in {
        "host": "catalog-database",
        "port": "5432",
        "dbname": "catalog",
        "username": "catalog",
        "password": 'it\'s "secret"',
        "ca.crt": "PEM",
    }.items():
        (tmp_path / "connection" / name).write_text(value)
    return tmp_path


def run(pod: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": str(pod / "bin"),
        "BACKUPS": str(pod / "backups"),
        "CONFIG": str(SCRIPTS),
        "CONNECTION": str(pod / "connection"),
        "KEPT": "2",
        "OWNER": "catalog",
        "PGDATA": str(pod / "pgdata"),
        **variables,
    }
    return subprocess.run(  # noqa: S603 - the project's own scripts
        ["/bin/sh", str(SCRIPTS / script)], env=environment, capture_output=True, text=True, check=False
    )


def calls(pod: Path) -> list[str]:
    file = pod / "calls"
    return file.read_text().splitlines() if file.exists() else []


def backups(pod: Path) -> Mapping[str, str]:
    return {path.name: path.read_text().strip() for path in sorted((pod / "backups").iterdir())}


def old(pod: Path, *days: str) -> list[str]:
    names = [f"catalog-202601{day}T030000Z.dump" for day in days]
    for name in names:
        (pod / "backups" / name).write_text(name)
    return names


def test_a_backup_is_read_before_it_counts_and_the_newest_are_kept(pod: Path) -> None:
    kept = old(pod, "01", "02", "03")[-1]
    done = run(pod, "backup.sh")
    assert (done.returncode, done.stderr) == (0, "")
    first, new = backups(pod)
    assert (first, backups(pod)[new]) == (kept, "rows")
    dump, read = calls(pod)
    assert dump == f"pg_dump --format=custom --file={new}.partial"
    assert read == f"pg_restore --file=/dev/null {new}.partial"


@pytest.mark.parametrize("fails", [{"DUMP": "1"}, {"READ": "1"}], ids=["written", "read"])
def test_a_backup_that_cannot_be_written_or_read_fails_and_costs_no_other(pod: Path, fails: dict[str, str]) -> None:
    before = old(pod, "01", "02", "03")
    assert run(pod, "backup.sh", **fails).returncode != 0
    assert [name for name in backups(pod) if not name.endswith(".partial")] == before


def test_what_a_backup_that_was_killed_has_left_is_removed_by_the_next(pod: Path) -> None:
    (pod / "backups" / "catalog-20260101T030000Z.dump.partial").write_text("half")
    assert run(pod, "backup.sh").returncode == 0
    assert [name.endswith(".dump") for name in backups(pod)] == [True]


def test_the_newest_backup_is_restored_whole_and_its_rows_are_counted(pod: Path) -> None:
    newest = old(pod, "01", "03", "02")[1]
    done = run(pod, "restore.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"restored {newest}; rows by table:", "items|3"]
    (restore,) = [call for call in calls(pod) if call.startswith("pg_restore")]
    assert {"--single-transaction", "--exit-on-error", newest} <= set(restore.split())


def test_a_backup_that_is_named_is_the_one_that_is_restored(pod: Path) -> None:
    first = old(pod, "01", "02")[0]
    assert f"restored {first};" in run(pod, "restore.sh", BACKUP=first).stdout


@pytest.mark.parametrize(
    ("days", "variables", "message"),
    [
        ([], {}, "there is no backup yet"),
        (
            ["01", "02"],
            {"BACKUP": "x.dump"},
            "there is no backup x.dump, but: catalog-20260101T030000Z.dump catalog-20260102T030000Z.dump",
        ),
        (["01"], {"FILLED": "items"}, "the database catalog has rows, in: items"),
    ],
)
def test_what_would_lose_something_is_refused(
    pod: Path, days: list[str], variables: dict[str, str], message: str
) -> None:
    old(pod, *days)
    done = run(pod, "restore.sh", **variables)
    assert (done.returncode, done.stderr.strip()) == (1, f"nothing was restored: {message}")
    assert not [call for call in calls(pod) if call.startswith("pg_restore")]


def test_the_files_are_made_once_and_owner_and_password_at_every_start(pod: Path) -> None:
    assert run(pod, "start.sh").returncode == 0
    assert run(pod, "start.sh").returncode == 0
    names = [call.split()[0] for call in calls(pod)]
    assert names == ["initdb", "pg_ctl", "psql", "pg_ctl", "pg_ctl", "psql", "pg_ctl"]
    (made,) = [call for call in calls(pod) if call.startswith("initdb")]
    assert "--data-checksums" in made
    assert (pod / "pgdata").stat().st_mode & 0o777 == 0o700


def test_a_start_that_was_killed_while_files_were_made_leaves_nothing_that_counts(pod: Path) -> None:
    assert run(pod, "start.sh", INIT="1").returncode != 0
    assert not (pod / "pgdata").exists()
    assert run(pod, "start.sh").returncode == 0


def test_before_the_server_serves_nobody_reaches_it_from_outside(pod: Path) -> None:
    run(pod, "start.sh")
    (start,) = [call for call in calls(pod) if call.startswith("pg_ctl start")]
    assert start.endswith("-c listen_addresses=")
