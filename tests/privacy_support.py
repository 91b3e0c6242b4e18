"""People whose every field is a canary, on a platform that trades; and where canaries are looked for."""

import subprocess
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, make_url

from service.storage.database import Database
from tests.gate_support import Market
from tests.postgres import find_binaries

SIX_YEARS = {"days": 6 * 366}
TEN_YEARS = {"days": 10 * 366}


async def call(market: Market, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
    """Call as the platform's compliance officer."""
    return await market.call(method, path, body, scopes="compliance", **headers)


async def erase(market: Market, ref: str) -> httpx2.Response:
    return await call(market, "POST", f"/v1/investors/{ref}/erasure")


async def dump_rows(database: Database) -> str:
    """Return every value of every table, bytes in Latin-1."""

    def read(connection: Connection) -> str:
        found = []
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                found += [each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in row]
        return "\n".join(found)

    async with database.engine.connect() as connection:
        return await connection.run_sync(read)


def dump_files(database: Database, folder: Path) -> str:
    """Return the bytes of SQLite's files, or what pg_dump writes of PostgreSQL's."""
    if database.is_sqlite:
        return "\n".join(path.read_bytes().decode("latin-1") for path in folder.glob("goodstanding.sqlite3*"))
    url = make_url(database.url)
    command = [str(find_binaries() / "pg_dump"), "-h", str(url.host), "-p", str(url.port), "-U", str(url.username)]
    return subprocess.run([*command, str(url.database)], check=True, capture_output=True, text=True).stdout
