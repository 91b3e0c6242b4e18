"""The numbers for a terminal: one line each."""

from collections.abc import Iterator
from typing import TextIO

from tests.bench.report.document import Findings, Section
from tests.bench.report.tables import GROWTH_AIM
from tests.bench.results import relate_growth


def print_findings(findings: Findings, out: TextIO) -> None:
    """Print every section."""
    for (_, part), section in findings.sections.items():
        print(f"\n{part}, {section.machine.database}: ratio = measured / floor of the same run", file=out)
        for line in _list_lines(section):
            print(f"  {line}", file=out)


def _list_lines(section: Section) -> Iterator[str]:
    for row in section.rows:
        mark = ("reached" if row.reached else "short") if row.aim else ""
        sign = ">=" if row.metric == "rate" else "<="
        spread = f"({min(row.ratios):.2f} to {max(row.ratios):.2f})"
        aim = f"aim {sign} {row.aim:g}" if row.aim else ""
        rate = row.median_of("measured", "rate")
        yield f"{row.name:<48} {rate:>9.1f} {row.unit:<16} ratio {row.ratio:>5.2f} {spread:<16} {aim:<12} {mark}"
    for kind, series in relate_growth(section.points).items():
        for each in series:
            memory = "" if each.point.resident_mb is None else f"worker {each.point.resident_mb:.0f} MB"
            p50 = f"p50 {each.point.median_of('measured') * 1000:.2f} ms"
            ratio = f"x smallest {each.ratio:.2f} (floor {each.floor_ratio:.2f})"
            yield f"{kind:<24} {each.point.size:>9,} investors  {p50:<16} {ratio:<34} aim <= {GROWTH_AIM}  {memory}"
    for what, profile in section.profiles.items():
        yield f"{what}: event loop's thread {profile.loop_seconds / profile.wall_seconds:.0%} of a core"
        yield from (f"  {share:>5.0%}  {stage}" for stage, share in profile.shares.items())
