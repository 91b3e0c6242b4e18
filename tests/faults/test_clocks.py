"""Processes whose clocks are wrong: ten seconds are put up with, a minute is not, and time never runs backwards."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.faults.estate import Estate
from tests.faults.probing import Probe, probing
from tests.faults.stepped_service import STEP_FILE, STEPPED


@dataclass
class Clock:
    """The clock of one process."""

    file: Path

    def set(self, seconds: float) -> None:
        """Put it ahead of the true time, or behind."""
        beside = self.file.with_suffix(".new")
        beside.write_text(str(seconds))
        beside.replace(self.file)


@asynccontextmanager
async def stepping(estate: Estate) -> AsyncIterator[tuple[Probe, Clock]]:
    """Ask one process whose clock can be set."""
    clock = Clock(estate.folder / "step")
    clock.set(0)
    stepped = replace(estate, settings={**estate.settings, STEP_FILE: str(clock.file)})
    async with probing(stepped, stepped.process(command=STEPPED)) as probe:
        yield probe, clock


@pytest.fixture(params=["sqlite", "postgresql"])
def market(request: pytest.FixtureRequest) -> Estate:
    estate: Estate = request.getfixturevalue("sqlite_market" if request.param == "sqlite" else "postgres_market")
    return estate


async def test_a_clock_that_is_set_back(market: Estate) -> None:
    async with stepping(market) as (probe, clock):
        assert await probe.ask(2) == ["permit"] * 2
        clock.set(-5)
        assert await probe.ask(2) == ["permit"] * 2
        for seconds in (-15, -61, -86_400):
            clock.set(seconds)
            assert "permit" not in await probe.ask(2)
        clock.set(0)
        assert await probe.ask(2) == ["permit"] * 2
        books = await probe.check()
    made = sorted(books.decisions.values(), key=lambda each: each.id)
    instants = [each.decided_at for each in made]
    assert instants == sorted(instants), "a later decision names an earlier instant"


async def test_a_clock_that_is_ahead(market: Estate) -> None:
    async with stepping(market) as (probe, clock):
        clock.set(9)
        assert await probe.ask(2) == ["permit"] * 2
        for seconds in (11, 61):
            clock.set(seconds)
            assert "permit" not in await probe.ask(2)
        clock.set(0)
        assert await probe.ask(2) == ["permit"] * 2
        await probe.check()
