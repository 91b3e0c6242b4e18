"""Measure something and its floor in turns, so that what disturbs the machine disturbs both."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.load import Sample
from tests.bench.results import Load, Round, summarize

Measure = Callable[[float], Awaitable[Sample]]
"""Works for so many seconds."""

_WARM_UP = 0.3  # of a round


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rounds, and the seconds of each half of one."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Side:
    """One half of each round; ``pieces`` of work are done by one request."""

    measure: Measure
    pieces: int = 1

    async def run(self, seconds: float) -> Load:
        """Work for so many seconds."""
        return summarize(await self.measure(seconds), pieces=self.pieces)


async def measure_in_turns(measured: Side, floor: Side, pace: Pace) -> list[Round]:
    """Return the rounds; every second one begins with what is measured. A short round before them is thrown away."""
    for side in (floor, measured):
        await side.run(pace.seconds * _WARM_UP)
    rounds = []
    for number in range(pace.rounds):
        first, second = (floor, measured) if number % 2 == 0 else (measured, floor)
        loads = {first: await first.run(pace.seconds), second: await second.run(pace.seconds)}
        rounds.append(Round(loads[measured], loads[floor]))
    return rounds


def say(line: str) -> None:
    """Tell of progress."""
    print(f"... {line}", file=sys.stderr, flush=True)
