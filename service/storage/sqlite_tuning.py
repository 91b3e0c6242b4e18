"""How each connection to SQLite is set up."""

import sqlite3
import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

from service.storage.sqlite_line import BY_HAND

BUSY_TIMEOUT_MS = 10_000
_WAL_TRIES = 20
_WAL_PAUSE_S = 0.01


def tune_sqlite(engine: Engine) -> None:
    """Let every connection of an engine be durable, erase what it deletes, and begin as its options say."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own: "begin" below does.
        connection.isolation_level = None
        cursor = connection.cursor()
        _enter_wal_mode(cursor)
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
            "synchronous=FULL",
            "secure_delete=ON",  # what was erased must not stay in free pages
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(BY_HAND):
            # Taking the write lock at BEGIN avoids the deadlock of two readers that both want to write.
            connection.exec_driver_sql("BEGIN" if options.get("reading") else "BEGIN IMMEDIATE")


def _enter_wal_mode(cursor: Any) -> None:
    """Turn write-ahead logging on; of two that do so to a new file at once, SQLite turns one away without waiting."""
    for left in reversed(range(_WAL_TRIES)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_WAL_PAUSE_S)
