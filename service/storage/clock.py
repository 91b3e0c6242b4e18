"""The database's clock, which all processes on one database share."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

DatabaseClock = Callable[[AsyncConnection], Awaitable[datetime]]
_POSTGRESQL = text("SELECT clock_timestamp()")
_SQLITE = text("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")


async def read_database_clock(connection: AsyncConnection) -> datetime:
    """Return the present instant, aware UTC: not that of the transaction's beginning, which may have waited since."""
    if connection.dialect.name == "postgresql":
        instant: datetime = (await connection.execute(_POSTGRESQL)).scalar_one()
        return instant.astimezone(UTC)
    return datetime.fromisoformat((await connection.execute(_SQLITE)).scalar_one()).replace(tzinfo=UTC)
