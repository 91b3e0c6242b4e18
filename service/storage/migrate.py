"""Create or upgrade the database schema; run explicitly, never on start-up of a worker."""

from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service.errors import ServiceError
from service.storage.database import Database
from service.storage.subject_keys import KeyWrapper

NEWEST_REVISION = "0030"  # known without Alembic, so that only a migration takes the time to load it
_MIGRATION_LOCK = int.from_bytes(b"goodstdg", "big", signed=True)


class SchemaOutdatedError(ServiceError):
    """The database was made by another version; ``python -m service init`` brings it up to date."""

    code = "schema_outdated"


def _upgrade(connection: Connection, wrapper: KeyWrapper) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, wrapper=wrapper)
    command.upgrade(config, "head")


def _is_newest(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    stamps = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return list(stamps) == [NEWEST_REVISION]


def _upgrade_if_older(connection: Connection, wrapper: KeyWrapper) -> None:
    if not _is_newest(connection):
        _upgrade(connection, wrapper)


async def upgrade(database: Database, wrapper: KeyWrapper) -> None:
    """Bring the schema to the newest revision in one transaction; does nothing when it is there already.

    Two that run at once follow one another: SQLite has one writer, PostgreSQL an advisory lock.

    Args:
        database: Empty, or of any older version.
        wrapper: Makes the keys of people whose data an older version kept in plain.
    """
    engine = database.engine
    if not database.is_sqlite:  # a migration may take longer than any statement of a request may
        engine = create_async_engine(database.url, poolclass=NullPool, hide_parameters=True)
    async with engine.begin() as connection:
        if not database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
        await connection.run_sync(_upgrade_if_older, wrapper)


async def check_schema(database: Database) -> None:
    """Refuse to run on a schema that is not the newest.

    Raises:
        SchemaOutdatedError: The schema is missing or of another version.
    """
    async with database.engine.connect() as connection:
        newest = await connection.run_sync(_is_newest)
    if not newest:
        raise SchemaOutdatedError("The database schema is missing or out of date; run `python -m service init`.")
