"""Copy a whole database while others use it, and put a copy in place where nobody does."""

import asyncio
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from service.errors import ConflictError, ServiceError, UnavailableError

PAGES_AT_ONCE = 4096  # 16 MiB: between two steps a writer may come


class DatabaseCopyError(ServiceError):
    """The copy is damaged, or the database's own program could not make or read it."""

    code = "database_copy_failed"


class DatabaseProgramMissingError(UnavailableError):
    """PostgreSQL is copied by its own programs, which are not installed here."""

    code = "database_program_missing"


class DatabaseInUseError(ConflictError):
    """A process has the database open, or it holds something already."""

    code = "database_in_use"


def find_sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for another database."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database as of one instant; it may be in use.

    Raises:
        DatabaseCopyError: The source is no database, or damaged.
    """
    try:
        # The copy is opened first, so that its mode is set before anything is in it.
        with closing(sqlite3.connect(target)) as copy, closing(sqlite3.connect(source)) as original:
            original.backup(copy, pages=PAGES_AT_ONCE)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing left beside it
            check_sqlite(copy)
    except sqlite3.Error as error:
        raise DatabaseCopyError(f"The database could not be copied: {error}.") from None


def check_sqlite(connection: sqlite3.Connection) -> None:
    """Raise DatabaseCopyError if the file is damaged."""
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        found = None
    if found != ("ok",):
        raise DatabaseCopyError("The database file is damaged.")


def release_sqlite(path: Path) -> None:
    """Make sure that nobody has a database open, and that all of it is in its file.

    Raises:
        DatabaseInUseError: Somebody has.
    """
    try:
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")  # refused while any other connection is open
    except sqlite3.OperationalError:
        raise DatabaseInUseError("The database is in use; stop the service first.") from None
    except sqlite3.DatabaseError:
        return  # damaged: that nobody can use it is why it is replaced


def set_aside_sqlite(path: Path, suffix: str) -> None:
    """Rename a database that nobody has open, with what belongs to it: a stray journal would damage the next one.

    Raises:
        DatabaseInUseError: Somebody has it open.
    """
    release_sqlite(path)
    for part in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + part)
        if file.exists():
            file.rename(path.with_name(path.name + suffix + part))


async def dump_postgres(url: str, target: Path, environment: Mapping[str, str], *, programs: str | None = None) -> None:
    """Have ``pg_dump`` write the database as of one instant; it may be in use.

    Args:
        url: SQLAlchemy's; its password is passed on, but not as an argument.
        target: File to write.
        environment: Of the program.
        programs: Folders to look for it in, as in ``PATH``; default: ``PATH``.

    Raises:
        DatabaseProgramMissingError, DatabaseCopyError: See ``code``.
    """
    options = ("--format=custom", "--no-owner", "--no-privileges", f"--file={target}")
    await _run(_find("pg_dump", programs), make_url(url), environment, *options)


async def load_postgres(url: str, source: Path, environment: Mapping[str, str], *, programs: str | None = None) -> None:
    """Have ``pg_restore`` fill an empty database, all of it or nothing; arguments as ``dump_postgres``.

    Raises:
        DatabaseProgramMissingError, DatabaseCopyError: See ``code``.
    """
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    await _run(_find("pg_restore", programs), make_url(url), environment, *options, str(source))


def _find(program: str, folders: str | None) -> str:
    found = shutil.which(program, path=folders)
    if found is None:
        raise DatabaseProgramMissingError(f"{program} is not installed; it belongs to PostgreSQL's client programs.")
    return found


async def _run(program: str, url: URL, environment: Mapping[str, str], *arguments: str) -> None:
    target = url.set(drivername="postgresql", password=None).render_as_string()
    secret = {"PGPASSWORD": url.password} if url.password else {}  # arguments are seen by every user of the machine
    process = await asyncio.create_subprocess_exec(
        program,
        f"--dbname={target}",
        "--no-password",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**environment, **secret},
    )
    _, errors = await process.communicate()
    if process.returncode:
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise DatabaseCopyError(f"{Path(program).name} failed: {' '.join(last)}")
