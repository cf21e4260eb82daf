"""A PostgreSQL of the tests' own: Debian's programs, in a folder of their own, on loopback and with TLS."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import trustme

from local import debian
from tests.app.gunicorn_process import PATIENCE_SECONDS, free_port

NOBODY = 65534
"""As whom it runs where the tests are run by root, as whom PostgreSQL refuses to."""

VERSION = "lib/postgresql/15/bin"
USER, PASSWORD = "catalog", "s3cr3t"
SETTINGS = {
    "fsync": "off",  # nobody needs it after the tests
    "jit": "off",  # needs LLVM
    "listen_addresses": "127.0.0.1",
    "max_connections": "50",
    "shared_buffers": "16MB",
    "ssl": "on",
    "unix_socket_directories": "",
}


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A server that runs."""

    port: int
    authority: trustme.CA

    def admin(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as the one who may do everything."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user="postgres", password=PASSWORD, autocommit=True
        )

    def secret(self, folder: Path, **changes: str) -> Path:
        """Write the files by which a service finds a database, and return their folder; an empty one is left out."""
        folder.mkdir(exist_ok=True)
        files: Mapping[str, str] = {
            "host": "127.0.0.1",
            "port": str(self.port),
            "username": USER,
            "password": PASSWORD,
            "ca.crt": self.authority.cert_pem.bytes().decode(),
            **changes,
        }
        for name, text in files.items():
            if text:
                (folder / name).write_text(text)
        return folder


def _programs(folder: Path) -> Path:
    """Copy what the server needs to where any user can reach it, and return the folder of its programs."""
    packed = debian.unpacked("postgresql-15")
    if not packed.exists():
        raise FileNotFoundError(f"{packed} is not there; `make test-unit` gets it")
    usr = packed.parents[4]
    for part in ("bin", "lib"):
        source = usr / "lib/postgresql/15" / part
        shutil.copytree(source, folder / "lib/postgresql/15" / part, ignore=shutil.ignore_patterns("bitcode", "*jit*"))
    shutil.copytree(usr / "share/postgresql/15", folder / "share/postgresql/15")
    return folder / VERSION


@contextmanager
def running() -> Iterator[Postgres]:
    """Run one; what it held is gone afterwards."""
    # Not in pytest's own folders, which only their owner can enter.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder_:
        folder = Path(folder_)
        programs, data = _programs(folder), folder / "data"
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(folder / "server.key")
        certificate.cert_chain_pems[0].write_to_path(folder / "server.crt")
        (folder / "server.key").chmod(0o600)
        (folder / "password").write_text(PASSWORD)
        who: dict[str, Any] = {}
        if os.geteuid() == 0:
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            for path in (folder, folder / "server.key", folder / "password"):
                os.chown(path, NOBODY, NOBODY)
        subprocess.run(  # noqa: S603 - what it starts is Debian's
            [
                *(programs / "initdb", f"--pgdata={data}", "--username=postgres", f"--pwfile={folder / 'password'}"),
                *("--auth=scram-sha-256", "--no-sync", "--no-instructions", "--locale=C.UTF-8", "--encoding=UTF8"),
            ],
            check=True,
            capture_output=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            **who,
        )
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        port = free_port()
        settings = {
            **SETTINGS,
            "port": port,
            "ssl_key_file": folder / "server.key",
            "ssl_cert_file": folder / "server.crt",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - likewise
                [programs / "postgres", f"-D{data}", *options], stdout=log, stderr=log, env={"LC_ALL": "C.UTF-8"}, **who
            )
        try:
            postgres = Postgres(port=port, authority=authority)
            _wait(postgres, process, folder / "log")
            with postgres.admin() as connection:
                connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            yield postgres
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(PATIENCE_SECONDS)


def _wait(postgres: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            postgres.admin().close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.02)
        else:
            return
