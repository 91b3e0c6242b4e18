"""PostgreSQL dies under load and comes back; every client retries with its key."""

import asyncio
import time

import pytest

from tests.faults.clients import Attempt
from tests.faults.cluster import Cluster
from tests.faults.estate import Estate
from tests.faults.probing import PROMPT_S, READY_S
from tests.faults.scale import LATE_REFS, POSTGRES_DEATHS, REFS
from tests.faults.storm import Plan, gathering_storm

DOWN_S = 3.0
BUYERS = 40


@pytest.mark.parametrize("death", range(POSTGRES_DEATHS))
async def test_postgres_dies_under_load_and_comes_back(postgres_market: Estate, cluster: Cluster, death: int) -> None:
    processes = [postgres_market.process(), postgres_market.process()]
    plan = Plan(cap=1000, clients=16, refs=REFS[:BUYERS], late_refs=LATE_REFS[:1], settle_within=600)
    down = list[float]()
    ready = list[float]()

    async def die_and_return() -> None:
        await asyncio.to_thread(cluster.kill)
        down.append(time.time())
        await asyncio.sleep(DOWN_S)
        down.append(time.time())
        await asyncio.to_thread(cluster.start)
        ready.extend(await asyncio.gather(*(each.wait_until_ready() for each in processes)))

    async with gathering_storm(postgres_market, processes, plan) as storm:
        await storm.blow(die_and_return)
        await storm.check()
    attempts = [each for desk in storm.desks for each in desk.attempts]
    during = [each for each in attempts if each.at < down[1] and each.at + each.seconds > down[0]]
    assert during
    assert {each.status for each in during if each.at > down[0]} == {503}
    assert max(_count_waiting(each, *down) for each in during) < PROMPT_S
    assert max(ready) < READY_S
    assert {each.status for each in attempts} <= {200, 409, 503}


def _count_waiting(attempt: Attempt, since: float, until: float) -> float:
    """Return how many seconds of the outage a client waited for this answer."""
    return min(attempt.at + attempt.seconds, until) - max(attempt.at, since)
