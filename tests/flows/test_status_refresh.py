"""The schedule that keeps foreign status lists fresh survives a failing round."""

import asyncio

import pytest

from service.app import refresh_status_lists_forever
from tests.deployment import Deployment


async def test_a_failing_round_is_followed_by_the_next(
    sqlite_deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds, third_round = 0, asyncio.Event()
    database = sqlite_deployment.context.database
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
    task = asyncio.create_task(refresh_status_lists_forever(sqlite_deployment.context, every_s=0.01))
    async with asyncio.timeout(10):
        await third_round.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
