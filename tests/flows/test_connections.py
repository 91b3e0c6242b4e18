"""Connections are few and shared fairly; who waits too long is told so."""

import asyncio

import pytest

from service.storage import database as storage
from service.storage.database import Database, StorageBusyError


async def test_nobody_waits_for_ever_when_every_connection_is_in_use(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "POOL_TIMEOUT_S", 0.05)
    database = Database(sqlite_url)
    held = [database.reading() for _ in range(storage.POOL_SIZE)]
    for reading in held:
        await reading.__aenter__()
    with pytest.raises(StorageBusyError) as refused:
        async with database.reading():
            pass
    assert refused.value.code == "storage_busy"
    for reading in held:
        await reading.__aexit__(None, None, None)
    async with database.reading():
        pass
    await database.close()


async def test_a_crowd_is_served_in_order(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    served: list[int] = []

    async def read(number: int) -> None:
        async with database.reading():
            await asyncio.sleep(0.001)
            served.append(number)

    await asyncio.gather(*(read(number) for number in range(storage.POOL_SIZE * 4)))
    latest = max(position - number for position, number in enumerate(served))
    assert latest < storage.POOL_SIZE
    await database.close()
