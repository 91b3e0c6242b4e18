"""The arithmetic of the benchmarks: rounds, ratios, growth, profiles, and the document that keeps them."""

import json

import pytest

from tests.bench.load import Sample
from tests.bench.population.layout import KNOWN, LayoutChangedError, check_layout
from tests.bench.report.document import Findings, Section, dump_findings, parse_findings
from tests.bench.report.machine import Machine
from tests.bench.results import Load, Point, Round, Row, relate_growth, summarize
from tests.bench.rounds import Pace, Side, measure_in_turns
from tests.bench.stages import EVENT_LOOP, OTHER, WAITING, Profile, find_stage

MACHINE = Machine("abc1234", "2026-11-23", "3.11", "some processor", 2, "SQLite 3")


def _rounds(*pairs: tuple[float, float]) -> list[Round]:
    return [Round(Load(a, 1 / a, 2 / a), Load(b, 1 / b, 2 / b)) for a, b in pairs]


def test_percentiles_and_rate_of_a_sample() -> None:
    load = summarize(Sample([number / 1000 for number in range(100, 0, -1)], 2.0), pieces=3)
    assert load == Load(rate=150.0, p50=0.051, p99=0.1)


def test_a_round_in_which_nothing_was_done_is_no_number() -> None:
    with pytest.raises(ValueError, match="nothing was done"):
        summarize(Sample([], 1.0))


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_quotient_of_medians() -> None:
    row = Row("x", "y", 0.6, _rounds((50, 100), (60, 100), (10, 200)))
    assert row.ratios == [0.5, 0.6, 0.05]
    assert row.ratio == 0.5
    assert not row.reached


@pytest.mark.parametrize(("metric", "aim", "reached"), [("rate", 0.5, True), ("p99", 1.9, False), ("p99", 2.0, True)])
def test_an_aim_is_a_least_for_rates_and_a_most_for_latencies(metric: str, aim: float, reached: bool) -> None:
    row = Row("x", "y", aim, _rounds((50, 100)), metric=metric)  # type: ignore[arg-type]  # parametrized
    assert row.reached is reached


def test_a_floor_of_which_only_the_rate_is_known_has_no_latency() -> None:
    row = Row("x", "y", 1, [Round(Load(5, 0.1, 0.2), Load(10))])
    assert row.median_of("floor", "p99") is None
    assert row.median_of("measured", "p99") == 0.2
    with pytest.raises(ValueError, match="no p99"):
        Row("x", "y", 1, row.rounds, metric="p99").ratios  # noqa: B018  # reading it is what raises


def _point(kind: str, size: int, measured: float, floor: float) -> Point:
    return Point(kind, size, [Round(Load(1, measured), Load(1, floor))], 100.0, 1.0)


def test_growth_is_relative_to_the_smallest_size_and_shows_how_the_machine_drifted() -> None:
    points = [_point("a", 1000, 0.020, 0.002), _point("a", 100, 0.010, 0.001), _point("b", 1000, 0.5, 0.1)]
    growth = relate_growth(points)
    assert [each.ratio for each in growth["a"]] == [1.0, 2.0]
    assert [each.floor_ratio for each in growth["a"]] == [1.0, 2.0]
    assert [each.ratio for each in growth["b"]] == [1.0]


async def test_rounds_alternate_who_begins_so_that_drift_favours_neither() -> None:
    order: list[str] = []

    def side(name: str) -> Side:
        async def measure(seconds: float) -> Sample:
            order.append(name)
            return Sample([0.5], seconds)

        return Side(measure)

    rounds = await measure_in_turns(side("m"), side("f"), Pace(3, 1.0))
    assert order == ["f", "m", *("f", "m"), *("m", "f"), *("f", "m")]
    assert len(rounds) == 3


def test_findings_survive_writing_and_reading() -> None:
    section = Section(MACHINE, [Row("x", "y", 0.6, _rounds((5, 10)))], [_point("a", 10, 0.2, 0.1)])
    section.profiles["z"] = Profile({"rules": 3}, 5, 3, 1.0, 0.5, 0.1)
    findings = Findings({("sqlite", "rows"): section})
    assert parse_findings(json.loads(dump_findings(findings))) == findings


def test_a_column_that_the_loader_does_not_know_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check_layout()
    monkeypatch.setitem(KNOWN, "lot", KNOWN["lot"].replace("reserved ", ""))
    with pytest.raises(LayoutChangedError, match="reserved"):
        check_layout()


def test_a_later_run_replaces_only_the_parts_that_it_measured() -> None:
    old, new = Section(MACHINE), Section(MACHINE, [Row("x", "y", 0.6, _rounds((5, 10)))])
    before = Findings({("sqlite", "rows"): old, ("sqlite", "growth"): old})
    merged = before.merge(Findings({("sqlite", "rows"): new}))
    assert merged.sections == {("sqlite", "rows"): new, ("sqlite", "growth"): old}


@pytest.mark.parametrize(
    ("files", "stage"),
    [
        (["/lib/json/encoder.py", "/x/service/gate/bundle.py", "/x/service/gate/transfers.py"], "bundle"),
        (["/lib/sqlalchemy/orm/session.py", "/x/service/gate/lots.py"], "database: ORM"),
        (["/lib/sqlalchemy/sql/compiler.py"], "database: SQLAlchemy Core"),
        (["/x/service/rules/engine.py", "/x/service/gate/verdict.py"], "rules"),
        (["/x/service/gate/some_new_module.py"], "gate: the rest"),
        (["/lib/python3/threading.py"], OTHER),
    ],
)
def test_the_innermost_known_frame_decides_the_stage(files: list[str], stage: str) -> None:
    assert find_stage((file, "f") for file in files).startswith(stage)


@pytest.mark.parametrize(
    "frame", [("/lib/asyncio/runners.py", "run"), ("/lib/concurrent/futures/thread.py", "_worker"), None]
)
def test_a_thread_without_work_waits(frame: tuple[str, str] | None) -> None:
    assert find_stage([frame, ("/x/uvicorn/server.py", "run")] if frame else []) == WAITING


def test_a_driver_in_the_same_thread_is_told_by_what_it_is_called_for() -> None:
    frames = [("/x/sqlalchemy/engine/default.py", "do_commit"), ("/x/service/storage/database.py", "write")]
    assert find_stage(frames) == "database: SQLite, commit"


def test_what_the_loop_worked_beyond_its_callbacks_is_its_own() -> None:
    profile = Profile({"rules": 30, "facts": 10}, 100, 40, 10.0, 5.0, 0.0)
    assert profile.shares == pytest.approx({"rules": 0.6, "facts": 0.2, EVENT_LOOP: 0.2})
    idle = Profile({"rules": 30}, 100, 30, 10.0, 2.0, 0.0)
    assert idle.shares == {"rules": 1.0}


def test_other_threads_count_and_leave_the_loop_its_own() -> None:
    profile = Profile({"rules": 60, "facts": 20}, 100, 20, 10.0, 4.0, 6.0)
    assert profile.shares == pytest.approx({"rules": 0.6, "facts": 0.2, EVENT_LOOP: 0.2})
