"""Numbers and what they say: rounds, rows, points of growth. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from tests.bench.load import Sample

Metric = Literal["rate", "p50", "p99"]


@dataclass(frozen=True, slots=True)
class Load:
    """One round: pieces of work per second; latencies in seconds, None where only the rate is known."""

    rate: float
    p50: float | None = None
    p99: float | None = None

    def read(self, metric: Metric) -> float:
        """Return one of the numbers."""
        value: float | None = getattr(self, metric)
        if value is None:
            raise ValueError(f"this load has no {metric}")
        return value


@dataclass(frozen=True, slots=True)
class Round:
    """The same stretch of time for both: what is measured, and its floor."""

    measured: Load
    floor: Load


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: What is measured.
        against: The floor, in words.
        aim: The ratio that we want at least, or at most for a latency.
        rounds: At least one.
        metric: What the ratio is made of.
        unit: Of the rate.
    """

    what: str
    against: str
    aim: float
    rounds: Sequence[Round]
    metric: Metric = "rate"
    unit: str = "requests/s"

    @property
    def ratios(self) -> list[float]:
        """Measured divided by floor, for each round."""
        return [each.measured.read(self.metric) / each.floor.read(self.metric) for each in self.rounds]

    @property
    def ratio(self) -> float:
        """The median of the rounds: one disturbed round does not move it."""
        return median(self.ratios)

    @property
    def reached(self) -> bool:
        """Whether the aim is met."""
        return self.ratio >= self.aim if self.metric == "rate" else self.ratio <= self.aim

    def median_of(self, side: Literal["measured", "floor"], metric: Metric) -> float | None:
        """Return the median over the rounds of one number; None where it is not known."""
        values = [getattr(getattr(each, side), metric) for each in self.rounds]
        return None if None in values else median(values)

    @property
    def name(self) -> str:
        """What, and of which number, unless it is the rate."""
        return self.what if self.metric == "rate" else f"{self.what}, {self.metric}"


@dataclass(frozen=True, slots=True)
class Point:
    """What one kind of request took with so many investors loaded.

    Attributes:
        kind: Such as ``resale, lone``.
        size: Investors, lots, entries of the log; credentials are three times as many.
        rounds: Measured and floor.
        resident_mb: Memory of the worker after the measurement; None where the system does not tell.
        load_seconds: What loading took since the size before.
    """

    kind: str
    size: int
    rounds: Sequence[Round]
    resident_mb: float | None
    load_seconds: float

    def median_of(self, side: Literal["measured", "floor"]) -> float:
        """Return the median p50 over the rounds, in seconds."""
        loads: list[Load] = [getattr(each, side) for each in self.rounds]
        return median(load.read("p50") for load in loads)


@dataclass(frozen=True, slots=True)
class Growth:
    """A point relative to the smallest size of its kind.

    Attributes:
        ratio: p50 divided by that at the smallest size.
        floor_ratio: The same of the floor, which does not grow: how much faster or slower the machine was.
    """

    point: Point
    ratio: float
    floor_ratio: float


def relate_growth(points: Sequence[Point]) -> dict[str, list[Growth]]:
    """Relate each point to the smallest size of its kind, by kind and in order of size."""
    found: dict[str, list[Growth]] = {}
    for point in sorted(points, key=lambda each: each.size):
        series = found.setdefault(point.kind, [])
        first = series[0].point if series else point
        ratio = point.median_of("measured") / first.median_of("measured")
        series.append(Growth(point, ratio, point.median_of("floor") / first.median_of("floor")))
    return found


def summarize(sample: Sample, *, pieces: int = 1) -> Load:
    """Return rate and percentiles; ``pieces`` of work were done by each request, which share its latency."""
    ordered = sorted(sample.latencies)
    if not ordered:
        raise ValueError("nothing was done within the round")
    return Load(
        rate=len(ordered) * pieces / sample.seconds,
        p50=ordered[len(ordered) // 2],
        p99=ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
    )


def parse_row(document: dict[str, Any]) -> Row:
    """Read a row from what ``dataclasses.asdict`` made of it."""
    return Row(**document | {"rounds": [_parse_round(each) for each in document["rounds"]]})


def parse_point(document: dict[str, Any]) -> Point:
    """Read a point from what ``dataclasses.asdict`` made of it."""
    return Point(**document | {"rounds": [_parse_round(each) for each in document["rounds"]]})


def _parse_round(document: dict[str, Any]) -> Round:
    return Round(Load(**document["measured"]), Load(**document["floor"]))
