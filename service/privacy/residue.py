"""What an erasure leaves in the files of the database, and how far that is in our hands.

SQLite overwrites what it frees; the write-ahead log beside it still holds pages of before, until it is emptied.
PostgreSQL frees the versions of rows that are gone when it vacuums, which it does by itself and nobody can read past
it but from the files.
"""

import structlog
from sqlalchemy.exc import DBAPIError

from service.storage.database import Database

_log = structlog.get_logger(__name__)


async def sweep(database: Database) -> None:
    """Empty SQLite's write-ahead log after an erasure; while somebody reads, it is left to the next time."""
    if not database.is_sqlite:
        return
    try:
        async with database.engine.connect() as connection:
            raw = await connection.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
    except DBAPIError as error:
        _log.warning("residue_left", error=type(error).__name__)
