"""The schedule that keeps foreign status lists fresh survives a failing round."""

import asyncio
from pathlib import Path

import pytest

from service.app import refresh_status_lists_forever
from service.web.context import Context
from tests.log_support import open_log_context


async def test_a_failing_round_is_followed_by_the_next(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_log_context(sqlite_url, tmp_path) as context:
        await refresh_three_times(context, monkeypatch)


async def refresh_three_times(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, third_round = 0, asyncio.Event()
    database = context.database
    healthy = database.reading

    def flaky_reading() -> object:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            third_round.set()
        if rounds == 1:
            raise ConnectionError("the database is away")
        return healthy()

    monkeypatch.setattr(database, "reading", flaky_reading)
    task = asyncio.create_task(refresh_status_lists_forever(context, every_s=0.01))
    async with asyncio.timeout(10):
        await third_round.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
