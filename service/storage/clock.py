"""The database's clock, which all processes on one database share."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from sqlalchemy import String, text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.prepared import fetch_all
from service.storage.types import Instant

DatabaseClock = Callable[[AsyncConnection], Awaitable[datetime]]
# Not after what the same statement reads, for it begins before it looks.
_POSTGRESQL = text("SELECT statement_timestamp() AS now").columns(now=Instant)
_SQLITE = text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now') AS now").columns(now=String)


async def read_database_clock(connection: AsyncConnection) -> datetime:
    """Return the present instant, aware UTC: not that of the transaction's beginning, which may have waited since."""
    if connection.dialect.name == "postgresql":
        [[instant]] = await fetch_all(connection, _POSTGRESQL, {})
        found: datetime = instant
        return found
    [[written]] = await fetch_all(connection, _SQLITE, {})
    return datetime.fromisoformat(written).replace(tzinfo=UTC)
