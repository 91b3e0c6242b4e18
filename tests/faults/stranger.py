"""The live log after the storm, judged by a program that shares no code with ours."""

import asyncio
from pathlib import Path

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.database import Database
from tests.interop.go_support import LogChecker, build_log_checker

_READ = text("SELECT level, idx, data FROM log_tile")
_WRITE = text("UPDATE log_tile SET data = :data WHERE level = :level AND idx = :idx")


async def check_log_from_outside(url: str, database_url: str, folder: Path) -> None:
    """Let the checker read the whole log over HTTP, then flip one byte of each tile in turn, which it must find."""
    checker = await asyncio.to_thread(build_log_checker, folder)
    async with httpx2.AsyncClient(base_url=url) as http:
        [vkey] = (await http.get("/.well-known/goodstanding-log")).json()["vkeys"]
    assert await _check(checker, url, vkey) == 0
    database = Database(database_url)
    try:
        async with database.engine.connect() as connection:
            await _flip_each_tile(connection, checker, url, vkey)
    finally:
        await database.close()
    assert await _check(checker, url, vkey) == 0


async def _flip_each_tile(connection: AsyncConnection, checker: LogChecker, url: str, vkey: str) -> None:
    for level, index, data in (await connection.execute(_READ)).all():
        await _write(connection, level, index, bytes([data[0] ^ 1]) + data[1:])
        assert await _check(checker, url, vkey) == 1, (level, index)
        await _write(connection, level, index, data)


async def _write(connection: AsyncConnection, level: int, index: int, data: bytes) -> None:
    await connection.execute(_WRITE, {"level": level, "idx": index, "data": data})
    await connection.commit()


async def _check(checker: LogChecker, url: str, vkey: str) -> int:
    return (await asyncio.to_thread(checker.check, f"{url}/log", vkey))[0]
