"""A PostgreSQL cluster that a test may kill, and whose every commit it may read."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.postgres import PostgresServer, running_postgres

DEATH_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster with ``wal_level = logical``."""

    server: PostgresServer

    def kill(self) -> None:
        """End the server and all its processes at once, as a power cut would."""
        master = _read_pid(self.server)
        children = _list_children(master)
        for pid in (master, *children):
            _kill(pid)
        deadline = time.monotonic() + DEATH_TIMEOUT_S
        while any(_is_alive(pid) for pid in (master, *children)):
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL does not die")
            time.sleep(0.01)

    def start(self) -> None:
        """Start it again at the same port; it recovers what was committed."""
        _control(self.server, "start", "-w", "-t", "60", "-l", str(self.server.data.parent / "log"))


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a cluster of the test's own."""
    with running_postgres() as server:
        server.execute("ALTER SYSTEM SET wal_level = 'logical'")
        server.execute(f"ALTER SYSTEM SET port = {server.port}")
        server.execute("ALTER SYSTEM SET max_connections = 60")
        _control(server, "stop", "-m", "fast", "-w")
        cluster = Cluster(server)
        cluster.start()
        yield cluster


def _control(server: PostgresServer, *arguments: str) -> None:
    owner = server.data.stat()
    account: dict[str, Any] = {}
    if owner.st_uid != os.geteuid():
        account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    subprocess.run(
        [str(server.binaries / "pg_ctl"), *arguments, "-D", str(server.data)],
        check=True,
        cwd=server.data.parent,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **account,
    )


def _read_pid(server: PostgresServer) -> int:
    return int(server.data.joinpath("postmaster.pid").read_text().split()[0])


def _list_children(parent: int) -> list[int]:
    """Return the children of a process; none where the system does not tell, and then they notice its death."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it may have noticed the death of the others
        os.kill(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
