"""Raw reads and bulk inserts inside a transaction of the service's own: COPY on PostgreSQL, executemany on SQLite.

Values are the driver's, so that a row that was read can be written again without knowing its types.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

TIMEOUT_S = 600.0
_SQLITE_CACHE_KIB = 1024 * 1024


class Bulk:
    """The driver's connection under a session.

    Args:
        session: Inside a writing transaction; what is inserted commits or rolls back with it.
    """

    def __init__(self, session: AsyncSession, driver: Any, *, is_sqlite: bool) -> None:
        self.session = session
        self._driver = driver
        self._is_sqlite = is_sqlite

    @classmethod
    async def open(cls, session: AsyncSession) -> "Bulk":
        connection = await session.connection()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            await driver.execute(f"PRAGMA cache_size=-{_SQLITE_CACHE_KIB}")
        else:
            await connection.exec_driver_sql("SELECT 1")  # only now does the driver's transaction begin
        return cls(session, driver, is_sqlite=is_sqlite)

    async def fetch(self, statement: str) -> list[dict[str, Any]]:
        """Return the rows of a query without parameters, each by column."""
        if not self._is_sqlite:
            rows = await self._driver.fetch(statement)
            return [{name: _write_document(value) for name, value in row.items()} for row in rows]
        async with self._driver.execute(statement) as cursor:
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows, all or none."""
        if not self._is_sqlite:
            await self._driver.copy_records_to_table(table, records=rows, columns=columns, timeout=TIMEOUT_S)
            return
        places = ", ".join("?" * len(columns))
        await self._driver.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)


def _write_document(value: Any) -> Any:
    """Return JSON as the text that the driver wants back, and anything else as it is."""
    return json.dumps(value) if isinstance(value, dict | list) else value
