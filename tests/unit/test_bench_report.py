"""Tables, plots and the page of the benchmarks."""

import xml.etree.ElementTree as ET
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.report.document import Findings, Section
from tests.bench.report.page import BEGIN, END, PAGE, draw_pictures, replace_measured, write_page
from tests.bench.report.plots import Line, Panel, RatioLine, Spread, draw_panels, draw_ratios
from tests.bench.report.svg import LogScale, log_ticks, write_value
from tests.bench.report.tables import table, tabulate_growth, tabulate_profiles, tabulate_rows
from tests.bench.results import Load, Point, Round, Row, relate_growth
from tests.bench.stages import Profile
from tests.unit.test_bench_results import MACHINE

SVG = "{http://www.w3.org/2000/svg}"
ROW = Row("POST /x", "a floor", 0.6, [Round(Load(50, 0.02, 0.04), Load(100, 0.01, 0.02))])
POINTS = [
    Point("sale", size, [Round(Load(1, p50), Load(1, 0.001))], 130.0 + place, 2.0)
    for place, (size, p50) in enumerate([(1000, 0.004), (10**6, 0.006)])
]


@given(st.floats(1e-3, 1e6), st.floats(1.5, 1e4))
def test_a_log_scale_keeps_order_and_ends(low: float, factor: float) -> None:
    scale = LogScale(low, low * factor, 10, 110)
    assert isclose(scale(low), 10, abs_tol=1e-6)
    assert isclose(scale(low * factor), 110, abs_tol=1e-6)
    assert isclose(scale(low * factor**0.5), 60, abs_tol=1e-6)


@given(st.floats(1e-3, 1e6), st.floats(1.34, 1e4))
def test_ticks_lie_within_their_range_and_there_is_always_one(low: float, factor: float) -> None:
    ticks = log_ticks(low, low * factor)
    assert ticks
    assert all(low <= tick <= low * factor * 1.00001 for tick in ticks)
    assert ticks == sorted(ticks)


@pytest.mark.parametrize("ends", [(0, 1), (2, 1), (1, 1)])
def test_a_log_scale_of_nothing_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="log scale"):
        LogScale(*ends, 0, 1)


@pytest.mark.parametrize(
    ("value", "text"), [(0.05, "0.05"), (1.25, "1.25"), (20_000, "20,000"), (1000, "10^3"), (10**6, "10^6")]
)
def test_values_are_written_short(value: float, text: str) -> None:
    assert write_value(value) == text


def _texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_the_plot_of_ratios_has_a_mark_for_each_series_and_names_its_axis() -> None:
    lines = [
        RatioLine("a < b", 0.6, False, [Spread("SQLite", 0.1, 0.2, 0.3), Spread("PostgreSQL", 0.2, 0.4, 0.5)]),
        RatioLine("p99", 3.0, True, [Spread("SQLite", 2, 4, 30)]),
    ]
    picture = draw_ratios("Ratios", lines)
    root = ET.fromstring(picture)
    assert len(list(root.iter(f"{SVG}polyline"))) == 3
    assert {"a < b", "p99", "SQLite", "PostgreSQL", "\u25c2", "\u25b8"} <= set(_texts(picture))
    assert any("log scale" in text for text in _texts(picture))
    assert "prefers-color-scheme:dark" in picture


def test_a_better_ratio_lies_further_to_the_right() -> None:
    picture = draw_ratios("R", [RatioLine("x", 0.6, False, [Spread("a", 0.1, 0.1, 0.1), Spread("b", 0.9, 0.9, 0.9)])])
    first, second = (
        float((element.get("points") or "").split(",")[0]) for element in ET.fromstring(picture).iter(f"{SVG}polyline")
    )
    assert first < second


def test_panels_show_every_point_and_the_aim() -> None:
    panel = Panel("p50", "investors", "relative", [Line("sale", [(1000, 1.0), (10**6, 1.5)])], aim=1.25)
    picture = draw_panels("Growth", [panel, panel])
    root = ET.fromstring(picture)
    assert len(list(root.iter(f"{SVG}circle"))) == 2 * (2 + 1)  # points, and one in the legend
    assert _texts(picture).count("aim 1.25") == 2
    assert "investors (log scale)" in _texts(picture)
    assert "relative (log scale)" in _texts(picture)


def test_tables_say_whether_the_aim_is_reached() -> None:
    rows = tabulate_rows([ROW])
    assert "| 50.0 requests/s | 100 requests/s | **0.50** | 0.50 to 0.50 | >= 0.6 | short |" in rows
    growth = tabulate_growth(relate_growth(POINTS)).splitlines()
    assert "| **1.00** | <= 1.25 | reached | 1.00 | 130 MB |" in growth[2]
    assert "| 10^6 | 6 ms | **1.50** | <= 1.25 | short | 1.00 | 131 MB |" in growth[3]


def test_the_table_of_stages_begins_with_the_largest() -> None:
    lines = tabulate_profiles({"lone": Profile({"rules": 1, "facts": 3}, 8, 4, 2.0, 1.0, 0.5)}).splitlines()
    assert lines[2:4] == ["| facts | 75% |", "| rules | 25% |"]
    assert lines[-1].endswith("| 25% |")


def test_every_line_of_a_table_has_as_many_cells() -> None:
    assert {line.count("|") for line in table(["a", "b"], [["1", "2"]]).splitlines()} == {3}


def test_only_what_lies_between_the_marks_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter"
    assert replace_measured(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter"
    with pytest.raises(ValueError, match="needs"):
        replace_measured("no marks", "new")


def test_the_page_has_its_marks_and_shows_every_plot() -> None:
    findings = Findings(
        {
            ("sqlite", "rows"): Section(MACHINE, [ROW]),
            ("postgresql", "growth"): Section(MACHINE, [], POINTS),
        }
    )
    pictures = draw_pictures(findings)
    page = replace_measured(PAGE.read_text(), write_page(findings, list(pictures)))
    for name, picture in pictures.items():
        assert f"(benchmarks/{name})" in page
        ET.fromstring(picture)
    assert "commit `abc1234`" in page.replace("Commit", "commit")
    assert "### Growth: PostgreSQL" in page
