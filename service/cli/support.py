"""What commands share: an open deployment, and output for people and for programs."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.app import build_context
from service.errors import ServiceError, UnavailableError
from service.settings import Settings, load_settings
from service.storage.migrate import check_schema
from service.web.context import Context

T = TypeVar("T")
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PIPE_COLUMNS = 240  # outside a terminal nothing may be cut off


class DataDirectoryError(ServiceError):
    """The data directory cannot be read or written."""

    code = "data_directory_unusable"


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer."""

    code = "storage_unavailable"


def new_app(text: str) -> typer.Typer:
    """Make a group of commands that never paints, guesses or installs anything."""
    return typer.Typer(
        help=text,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def _build(settings: Settings) -> Context:
    try:
        return build_context(settings)
    except OSError as error:
        raise DataDirectoryError(f"GOODSTANDING_DATA_DIR cannot be used: {error.strerror}.") from error


async def _check_database(context: Context, *, with_schema: bool) -> None:
    try:
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
        KeystoreError: Wrong passphrase.
        SchemaOutdatedError: Unless ``with_schema`` is false.
    """
    context = _build(settings)
    try:
        await _check_database(context, with_schema=with_schema)
        yield context
    finally:
        await context.fetcher.close()
        await context.database.close()


def run_with_context(use: Callable[[Context], Awaitable[T]], *, with_schema: bool = True) -> T:
    """Run one asynchronous use of the deployment to its end; errors as ``open_context``."""

    async def run() -> T:
        async with open_context(load_settings(), with_schema=with_schema) as context:
            return await use(context)

    return asyncio.run(run())


def is_terminal() -> bool:
    """Tell whether a person can be asked: input and output are both a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def printable(value: object) -> str:
    """Return text without control characters: names come from outside and must not steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def print_json(value: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_fields(fields: Mapping[str, object]) -> None:
    """Print a name and a value a line."""
    width = max(map(len, fields))
    for name, value in fields.items():
        typer.echo(f"{name:<{width}}  {printable(value)}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under headings, as text: nothing in a cell is read as markup."""
    table = Table(box=None, pad_edge=False, header_style="")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False)
    with console.capture() as rendered:
        console.print(table)
    for line in rendered.get().splitlines():
        typer.echo(line.rstrip())
