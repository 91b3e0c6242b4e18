"""Read every commit of a PostgreSQL database in the order of the commits, and count holders from the rows.

Logical decoding tells what the write-ahead log holds: no commit is too short to be seen, and nothing that a
transaction reads or locks changes by being watched.

Source: PostgreSQL, chapter "Logical Decoding", and appendix F, "test_decoding".
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

SLOT = "watcher"
_TABLES = ("lot", "reservation", "reservation_ending")
_CHANGE = re.compile(r"table public\.(\w+): (INSERT|UPDATE|DELETE): (.*)", re.DOTALL)
_COLUMN = re.compile(r"(\w+)\[[^\]]*\]:('(?:[^']|'')*'|\S+)")
_COMMIT = re.compile(r"COMMIT \d+ \(at (.+)\)")


@dataclass(frozen=True, slots=True)
class Seen:
    """Holders of a security after one commit, counted from its lots and reservations."""

    at: float
    settled: int
    promised: int


@dataclass
class _Rows:
    """The rows of one security's register, as far as they make holders."""

    lots: dict[str, tuple[str, int]] = field(default_factory=dict)
    promises: dict[str, tuple[str, float]] = field(default_factory=dict)

    def take(self, table: str, action: str, row: dict[str, str]) -> None:
        if table == "lot" and action == "DELETE":
            self.lots.pop(row["id"], None)
        elif table == "lot":
            self.lots[row["id"]] = (f"{row['holder_org_id']}/{row['investor_ref']}", int(row["quantity"]))
        elif table == "reservation" and action == "INSERT" and row["taker_ref"] != "null":
            taker = f"{row['taker_org_id']}/{row['taker_ref']}"
            self.promises[row["transfer_id"]] = (taker, datetime.fromisoformat(row["expires_at"]).timestamp())
        elif table == "reservation_ending":
            self.promises.pop(row["transfer_id"], None)

    def count(self, at: float) -> Seen:
        """Count distinct investors; who is promised to and holds already counts once."""
        settled = {holder for holder, quantity in self.lots.values() if quantity > 0}
        promised = {taker for taker, expires_at in self.promises.values() if expires_at > at}
        return Seen(at, len(settled), len(promised - settled))


async def start_watching(database_url: str) -> None:
    """Keep every commit from now on; a crash of the server loses none."""
    await _execute(database_url, "SELECT pg_create_logical_replication_slot($1, 'test_decoding')", SLOT)


async def stop_watching(database_url: str) -> None:
    """Let go of the kept commits, without which the database cannot be dropped."""
    await _execute(database_url, "SELECT pg_drop_replication_slot($1)", SLOT)


async def list_commits(database_url: str) -> list[Seen]:
    """Return the holders after every commit that touched the register; only one security may be in use."""
    wanted = rf"^(COMMIT|table public\.({'|'.join(_TABLES)}):)"
    query = (
        "SELECT data FROM pg_logical_slot_peek_changes($1, NULL, NULL, 'include-timestamp', 'on',"
        " 'skip-empty-xacts', 'on') WHERE data ~ $2"
    )
    return list(_replay(row["data"] for row in await _execute(database_url, query, SLOT, wanted)))


def _replay(lines: Iterable[str]) -> Iterator[Seen]:
    rows, touched = _Rows(), False
    for line in lines:
        if commit := _COMMIT.match(line):
            if touched:
                yield rows.count(datetime.fromisoformat(commit[1]).timestamp())
            touched = False
        elif change := _CHANGE.match(line):
            new = change[3].rpartition("new-tuple: ")[2]
            rows.take(change[1], change[2], {name: value.strip("'") for name, value in _COLUMN.findall(new)})
            touched = True


async def _execute(database_url: str, query: str, *arguments: Any) -> list[Any]:
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    try:
        found: list[Any] = await connection.fetch(query, *arguments)
        return found
    finally:
        await connection.close()
