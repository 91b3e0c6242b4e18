"""The measured part of docs/benchmarks.md, and its plots."""

from collections.abc import Iterator
from pathlib import Path

from tests.bench.report.document import Findings, Section, write_findings
from tests.bench.report.machine import ROOT
from tests.bench.report.plots import Line, Panel, RatioLine, Spread, draw_panels, draw_ratios
from tests.bench.report.tables import GROWTH_AIM, MEMORY_AIM_MB, tabulate_growth, tabulate_profiles, tabulate_rows
from tests.bench.results import Row, relate_growth

PAGE = ROOT / "docs" / "benchmarks.md"
FOLDER = ROOT / "docs" / "benchmarks"
RESULTS = FOLDER / "results.json"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "none": "no database"}
_HEADINGS = {
    "rows": "Against the floor",
    "growth": "Growth",
    "profile": "Where the time goes",
    "rules": "The rules alone",
}


def write_docs(findings: Findings) -> list[Path]:
    """Write results, plots and the measured part of the page; returns the files."""
    pictures = draw_pictures(findings)
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_findings(findings, RESULTS)
    for name, picture in pictures.items():
        (FOLDER / name).write_text(picture)
    PAGE.write_text(replace_measured(PAGE.read_text(), write_page(findings, list(pictures))))
    return [RESULTS, PAGE, *(FOLDER / name for name in pictures)]


def replace_measured(page: str, measured: str) -> str:
    """Put what was measured between its two marks; the words around it are written by hand.

    Raises:
        ValueError: The page does not have the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{measured.strip()}\n\n{END}{after}"


def write_page(findings: Findings, pictures: list[str]) -> str:
    """Return the measured part, in Markdown."""
    parts: list[str] = []
    for part, heading in _HEADINGS.items():
        sections = findings.list_kinds(part)
        if sections:
            parts.append(f"## {heading}")
            parts += [f"![{heading}](benchmarks/{name})" for name in pictures if name.startswith(part)]
        for kind, section in sections:
            parts += [f"### {heading}: {_TITLES[kind]}", section.machine.describe(), _tabulate(section)]
    return "\n\n".join(parts)


def _tabulate(section: Section) -> str:
    if section.points:
        return tabulate_growth(relate_growth(section.points))
    return tabulate_profiles(section.profiles) if section.profiles else tabulate_rows(section.rows)


def draw_pictures(findings: Findings) -> dict[str, str]:
    """Return each plot that there are numbers for, by file name."""
    pictures = {}
    if rows := findings.list_kinds("rows"):
        by_kind = {_TITLES[kind]: section.rows for kind, section in rows}
        pictures["rows-ratios.svg"] = draw_ratios("Ratio to the floor", list(_list_ratios(by_kind)))
    if points := findings.list_kinds("growth"):
        panels = [panel for kind, section in points for panel in _list_panels(_TITLES[kind], section)]
        pictures["growth.svg"] = draw_panels("Growth of the database", panels)
    return pictures


def _list_ratios(by_kind: dict[str, list[Row]]) -> Iterator[RatioLine]:
    names = list(dict.fromkeys(row.name for rows in by_kind.values() for row in rows if row.aim))
    for name in names:
        found = {kind: row for kind, rows in by_kind.items() for row in rows if row.name == name}
        first = next(iter(found.values()))
        spreads = [Spread(kind, min(row.ratios), row.ratio, max(row.ratios)) for kind, row in found.items()]
        yield RatioLine(name, first.aim, first.metric != "rate", spreads)


def _list_panels(title: str, section: Section) -> Iterator[Panel]:
    growth = relate_growth(section.points)
    lines = [Line(kind, [(each.point.size, each.ratio) for each in series]) for kind, series in growth.items()]
    lines.append(Line("floor", [(each.point.size, each.floor_ratio) for each in next(iter(growth.values()))]))
    yield Panel(f"{title}: p50", "investors", "p50 / p50 at the smallest", lines, GROWTH_AIM)
    memory: dict[float, float] = {}
    for point in section.points:
        if point.resident_mb is not None:
            memory[point.size] = max(point.resident_mb, memory.get(point.size, 0.0))
    if memory:
        yield Panel(
            f"{title}: memory", "investors", "MB of a worker", [Line("worker", sorted(memory.items()))], MEMORY_AIM_MB
        )
