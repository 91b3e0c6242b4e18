"""The open deployment that a command works on."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from service.composition import build_context
from service.errors import ConflictError, ServiceError, UnavailableError
from service.settings import Settings, load_settings
from service.storage.database import is_outage
from service.storage.migrate import check_schema
from service.web.context import Context

T = TypeVar("T")


class DataDirectoryError(ServiceError):
    """The data directory cannot be read or written."""

    code = "data_directory_unusable"


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer."""

    code = "storage_unavailable"


def _build(settings: Settings) -> Context:
    try:
        return build_context(settings)
    except OSError as error:
        raise DataDirectoryError(f"GOODSTANDING_DATA_DIR cannot be used: {error.strerror}.") from error


def _make_private_file(path: Path) -> None:
    """Make the file before SQLite does: it holds personal data, so only its owner may read it.

    When aiosqlite cannot open a file, it leaves a thread behind that complains later; this fails cleanly.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


async def _check_database(context: Context, *, with_schema: bool) -> None:
    try:
        if context.database.is_sqlite:
            _make_private_file(Path(make_url(context.database.url).database or ""))
        await context.database.ping()
    except Exception as error:  # drivers raise what they like when they cannot connect
        raise DatabaseUnavailableError("The database of GOODSTANDING_DATABASE_URL does not answer.") from error
    if with_schema:
        await check_schema(context.database)


@asynccontextmanager
async def open_context(settings: Settings, *, with_schema: bool = True) -> AsyncIterator[Context]:
    """Open the deployment that the settings name and close it again.

    Args:
        settings: From ``load_settings``.
        with_schema: Refuse a database whose schema is not the newest.

    Raises:
        DataDirectoryError, DatabaseUnavailableError: See there.
        KeystoreError, PassphraseFileError: See there.
        ConflictError: Another process wrote the same first.
        SchemaOutdatedError: Unless ``with_schema`` is false.
    """
    context = _build(settings)
    try:
        await _check_database(context, with_schema=with_schema)
        yield context
    except IntegrityError as error:
        raise ConflictError("Another process changed the same thing; run the command again.") from error
    except DBAPIError as error:
        if isinstance(error, OperationalError) or error.connection_invalidated or is_outage(error):
            raise DatabaseUnavailableError("The database stopped answering.") from error
        raise
    finally:
        await context.linked_data.close()
        await context.fetcher.close()
        await context.database.close()


def run_with_context(use: Callable[[Context], Awaitable[T]], *, with_schema: bool = True) -> T:
    """Run one asynchronous use of the deployment to its end; errors as ``open_context``."""

    async def run() -> T:
        async with open_context(load_settings(), with_schema=with_schema) as context:
            return await use(context)

    return asyncio.run(run())
