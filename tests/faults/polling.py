"""Read every commit of a SQLite database that can be caught, each in one snapshot, and count holders from the rows."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime

from sqlalchemy.engine import make_url

from tests.faults.watcher import Seen

PAUSE_S = 0.005
_COUNT = """
WITH settled AS (SELECT DISTINCT holder_org_id AS org, investor_ref AS ref FROM lot
                 WHERE CAST(quantity AS INTEGER) > 0),
     promised AS (SELECT DISTINCT taker_org_id AS org, taker_ref AS ref FROM reservation AS r
                  WHERE taker_ref IS NOT NULL AND expires_at > :now AND NOT EXISTS
                    (SELECT 1 FROM reservation_ending AS e WHERE e.transfer_id = r.transfer_id))
SELECT (SELECT count(*) FROM settled),
       (SELECT count(*) FROM (SELECT * FROM promised EXCEPT SELECT * FROM settled))
"""


@asynccontextmanager
async def poll_holders(database_url: str) -> AsyncIterator[list[Seen]]:
    """Count again whenever the file has changed, until the block is left; the list grows meanwhile."""
    path = make_url(database_url).database
    assert path is not None
    seen, done = list[Seen](), asyncio.Event()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)) as connection:
        watching = asyncio.create_task(_watch(connection, seen, done))
        try:
            yield seen
        finally:
            done.set()
            await watching


async def _watch(connection: sqlite3.Connection, seen: list[Seen], done: asyncio.Event) -> None:
    version = None
    while not done.is_set():
        found = connection.execute("PRAGMA data_version").fetchone()
        if found != version:
            version = found
            seen.append(await asyncio.to_thread(_count, connection))
        await asyncio.sleep(PAUSE_S)


def _count(connection: sqlite3.Connection) -> Seen:
    now = datetime.now(UTC)
    text = now.replace(tzinfo=None).isoformat(" ", "microseconds")  # as the service writes instants
    settled, promised = connection.execute(_COUNT, {"now": text}).fetchone()
    return Seen(now.timestamp(), settled, promised)
