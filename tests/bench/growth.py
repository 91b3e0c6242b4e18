"""How the gate and its memory grow with what the database holds."""

from collections.abc import AsyncIterator, Sequence

from tests.bench.deployment import Bench
from tests.bench.processes import read_resident_mb
from tests.bench.results import Point
from tests.bench.rounds import Pace, measure_in_turns, say
from tests.bench.rows import floor_side, trading_side
from tests.bench.transfers import make_sale

KINDS = ("sale, lone", "resale, lone", "resale, batch of 100")


async def measure_growth(
    bench: Bench, sizes: Sequence[int], pace: Pace, *, known: Sequence[Point]
) -> AsyncIterator[Point]:
    """Load up to each size and yield its points.

    Args:
        bench: Its service does not run.
        sizes: Those that the database has passed already are left out.
        pace: Of each point.
        known: Points of an earlier run on the same database, which are not measured again.
    """
    done = {(point.size, point.kind) for point in known}
    for size in sorted(sizes):
        kinds = [kind for kind in KINDS if (size, kind) not in done]
        if not kinds:
            continue
        if await bench.count() > size:
            say(f"{size:,} investors: the database holds more already")
            continue
        seconds = await bench.populate(size, say)
        async with bench.serving(), bench.flooring():
            for kind in kinds:
                say(f"{size:,} investors: {kind}")
                resale, batch = kind.startswith("resale"), "batch" in kind
                gate = trading_side(bench, size, 1, resale=resale, batch=batch)
                rounds = await measure_in_turns(gate, floor_side(bench, "/decide", make_sale(0), 1), pace)
                yield Point(kind, size, rounds, read_resident_mb(bench.pid), seconds)
