"""Where the time of a decision goes, by sampling a service under load."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from tests.bench.deployment import Bench
from tests.bench.rounds import Pace, say
from tests.bench.rows import MANY, trading_side
from tests.bench.sampler import answer_file
from tests.bench.stages import Profile

PATIENCE_S = 10.0
WRAPPER = ("-m", "tests.bench.sampler", "serve")


async def measure_profiles(bench: Bench, pace: Pace) -> AsyncIterator[tuple[str, Profile]]:
    """Yield the profile of lone requests, of 64 clients, and of batches; the service runs only for this."""
    trigger, investors = bench.folder / "profile", await bench.count()
    async with bench.serving(wrapper=WRAPPER, BENCH_PROFILE=str(trigger)):
        for what, clients, batch in (
            ("resale, lone", 1, False),
            (f"resale, {MANY} clients", MANY, False),
            ("resale, batch of 100", 1, True),
        ):
            say(f"where the time goes: {what}")
            side = trading_side(bench, investors, clients, resale=True, batch=batch)
            await side.run(pace.seconds)
            trigger.touch()
            await side.run(pace.seconds * pace.rounds)
            yield what, await _collect(trigger)


async def _collect(trigger: Path) -> Profile:
    trigger.unlink()
    answer = answer_file(trigger)
    async with asyncio.timeout(PATIENCE_S):
        while not answer.exists():
            await asyncio.sleep(0.05)
    found = json.loads(answer.read_text())
    answer.unlink()
    return Profile(**found)
