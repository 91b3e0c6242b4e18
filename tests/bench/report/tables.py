"""The numbers as Markdown tables. Pure."""

from collections.abc import Mapping, Sequence

from tests.bench.report.svg import write_value
from tests.bench.results import Growth, Row
from tests.bench.stages import Profile

GROWTH_AIM, MEMORY_AIM_MB = 1.25, 200


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is left-aligned, all others right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(each) + " |" for each in lines)


def tabulate_rows(rows: Sequence[Row]) -> str:
    """Return what was measured against what, with medians over the rounds and the spread of the ratio."""
    head = ["what", "measured", "floor", "ratio", "spread", "aim", "", "p50 (floor)", "p99 (floor)"]
    return table(head, [_describe_row(row) for row in rows])


def _describe_row(row: Row) -> list[str]:
    is_rate, spread = row.metric == "rate", row.ratios
    return [
        f"{row.name}<br>against {row.against}",
        _describe_number(row, row.median_of("measured", row.metric)),
        _describe_number(row, row.median_of("floor", row.metric)),
        f"**{row.ratio:.2f}**",
        f"{min(spread):.2f} to {max(spread):.2f}",
        (f"{'>=' if is_rate else '<='} {row.aim:g}") if row.aim else "",
        ("reached" if row.reached else "short") if row.aim else "",
        f"{_ms(row.median_of('measured', 'p50'))} ({_ms(row.median_of('floor', 'p50'))})",
        f"{_ms(row.median_of('measured', 'p99'))} ({_ms(row.median_of('floor', 'p99'))})",
    ]


def _describe_number(row: Row, value: float | None) -> str:
    if value is None or row.metric != "rate":
        return _ms(value)
    return f"{value:,.0f} {row.unit}" if value >= 100 else f"{value:.1f} {row.unit}"


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:,.0f} ms" if seconds >= 0.1 else f"{seconds * 1000:.3g} ms"


def tabulate_growth(growth: Mapping[str, Sequence[Growth]]) -> str:
    """Return p50 by size, and relative to the smallest."""
    head = ["what", "investors", "p50", "x smallest", "aim", "", "floor, x smallest", "worker", "loaded in"]
    return table(head, [_describe_growth(kind, each) for kind, series in growth.items() for each in series])


def _describe_growth(kind: str, each: Growth) -> list[str]:
    point = each.point
    return [
        kind,
        write_value(point.size),
        _ms(point.median_of("measured")),
        f"**{each.ratio:.2f}**",
        f"<= {GROWTH_AIM}",
        "reached" if each.ratio <= GROWTH_AIM else "short",
        f"{each.floor_ratio:.2f}",
        "-" if point.resident_mb is None else f"{point.resident_mb:.0f} MB",
        f"{point.load_seconds:.0f} s",
    ]


def tabulate_profiles(profiles: Mapping[str, Profile]) -> str:
    """Return the share of each stage, and below it how busy the process was."""
    stages = sorted(
        {stage for each in profiles.values() for stage in each.shares},
        key=lambda stage: -max(each.shares.get(stage, 0.0) for each in profiles.values()),
    )
    rows = [[stage, *(f"{each.shares.get(stage, 0.0):.0%}" for each in profiles.values())] for stage in stages]
    rows.append(["*event loop's thread, of one core*", *(_busy(each, each.loop_seconds) for each in profiles.values())])
    rows.append(["*all other threads, of one core*", *(_busy(each, each.other_seconds) for each in profiles.values())])
    return table(["stage", *profiles], rows)


def _busy(profile: Profile, seconds: float) -> str:
    return f"{seconds / profile.wall_seconds:.0%}"
