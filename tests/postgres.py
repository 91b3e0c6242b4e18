"""A PostgreSQL cluster of the test run's own: made when the first test asks for it, gone when the run ends.

It listens on one loopback port and on nothing else, trusts every connection there, and never syncs to disk.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.requirements_support import require_or_skip

OLDEST_VERSION = 15
SUPERUSER = "goodstanding"
START_ATTEMPTS = 3
# synchronous_commit stays on: tests that kill the server must still find every acknowledged transaction.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
max_connections = 100
"""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running cluster.

    Attributes:
        binaries: Directory of initdb, pg_ctl and psql.
        data: Data directory.
        port: TCP port on 127.0.0.1.
    """

    binaries: Path
    data: Path
    port: int

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of ``database``."""
        return f"postgresql+asyncpg://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> None:
        """Run one SQL statement as superuser, in a transaction of its own."""
        self._ask(statement)

    def _ask(self, statement: str) -> str:
        """Run one SQL statement and return what it answers, as text without a head."""
        return _run(
            [
                str(self.binaries / "psql"),
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
                f"--dbname=postgresql://{SUPERUSER}@127.0.0.1:{self.port}/postgres",
                f"--command={statement}",
            ],
            cwd=self.data.parent,
        ).strip()

    def ensure_database(self, name: str) -> None:
        """Make an empty database, unless there is one of this name."""
        counting = f"SELECT count(*) FROM pg_database WHERE datname = '{name}'"
        if self._ask(counting) == "0":
            self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')

    def make_database(self, template: str) -> str:
        """Copy a database that nothing is connected to, and return the SQLAlchemy URL of the copy."""
        name = f"test_{secrets.token_hex(8)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    @contextmanager
    def temporary_database(self, *, template: str = "template0") -> Iterator[str]:
        """Make a database, yield its SQLAlchemy URL, and drop it together with what is still connected.

        Args:
            template: Database to copy; nothing may be connected to it. The default gives an empty one.
        """
        url = self.make_database(template)
        try:
            yield url
        finally:
            self.execute(f'DROP DATABASE "{url.rsplit("/", 1)[1]}" WITH (FORCE)')


@contextmanager
def running_postgres(*, durable: bool = False, home: Path | None = None) -> Iterator[PostgresServer]:
    """Run a cluster for the length of the ``with`` block.

    Args:
        durable: Sync to disk as in production; tests have no use for it, benchmarks do.
        home: Where a cluster is kept that an earlier run may have made; without it, a new one is made and removed.

    Ends the test through ``require_or_skip`` when no PostgreSQL 15 or later is found.
    """
    binaries = find_binaries()
    account = _unprivileged_account()
    with _open_home(home) as folder:
        if account:
            os.chown(folder, account["user"], account["group"])
        data = folder / "data"
        if not data.exists():
            _run([str(binaries / "initdb"), *_initdb_options(data)], cwd=folder, **account)
            with data.joinpath("postgresql.auto.conf").open("a") as configuration:
                configuration.write(CONFIGURATION.replace("off", "on") if durable else CONFIGURATION)
        server = _start(binaries, data, account)
        try:
            yield server
        finally:
            mode = "fast" if home else "immediate"
            _run([str(binaries / "pg_ctl"), "stop", "-D", str(data), "-m", mode, "-w"], cwd=folder, **account)


@contextmanager
def _open_home(home: Path | None) -> Iterator[Path]:
    if home is not None:
        home.mkdir(parents=True, exist_ok=True)
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="goodstanding-postgres-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def find_binaries() -> Path:
    """Return the directory that holds initdb, pg_ctl and psql of the newest PostgreSQL, 15 or later."""
    found = {version: path for path in _candidate_directories() if (version := _version(path)) >= OLDEST_VERSION}
    if not found:
        require_or_skip(f"postgresql-{OLDEST_VERSION}", "no initdb on PATH, by pg_config or in /usr/lib/postgresql")
    return found[max(found)]


def _candidate_directories() -> Iterator[Path]:
    """Yield every directory with the server programs; Debian keeps them off PATH."""
    directories = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    if pg_config := shutil.which("pg_config"):
        directories.append(Path(_run([pg_config, "--bindir"], cwd=Path("/")).strip()))
    directories += Path("/usr/lib/postgresql").glob("*/bin")
    for directory in directories:
        if all(shutil.which(program, path=directory) for program in ("initdb", "pg_ctl", "psql")):
            yield directory


def _version(binaries: Path) -> int:
    """Return the major version, from a line like ``initdb (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)``."""
    line = _run([str(binaries / "initdb"), "--version"], cwd=Path("/"))
    return int(line.split(")", 1)[1].split()[0].split(".")[0])


def _unprivileged_account() -> dict[str, Any]:
    """Return the ``subprocess`` arguments that drop root, which the server refuses to run as; empty otherwise."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _initdb_options(data: Path) -> list[str]:
    return [f"--pgdata={data}", f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]


def _start(binaries: Path, data: Path, account: dict[str, Any]) -> PostgresServer:
    """Start the server on a free port; another process may take the port first, so try again a few times."""
    log = data.parent / "log"
    for _ in range(START_ATTEMPTS):
        port = _free_port()
        command = [str(binaries / "pg_ctl"), "start", "-D", str(data), "-w", "-t", "60", "-l", str(log), "-o"]
        started = _complete([*command, f"-p {port}"], cwd=data.parent, **account)
        if started.returncode == 0:
            return PostgresServer(binaries, data, port)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str], *, cwd: Path | str, **account: Any) -> str:
    """Run ``command`` and return what it printed; raise with what it complained about."""
    completed = _complete(command, cwd=cwd, **account)
    if completed.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed: {completed.stderr.strip() or completed.stdout.strip()}")
    return completed.stdout


def _complete(command: list[str], *, cwd: Path | str, **account: Any) -> subprocess.CompletedProcess[str]:
    # Settings such as PGDATA or PGHOST of the person who runs the tests must not reach our cluster.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **account,
    )
