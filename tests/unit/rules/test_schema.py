"""The readers of facts, at both sides of what they accept; facts that are absent; law by its day and version."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from service.rules.facts import Facts, InvalidFactsError, MissingFactError, all_hold, any_holds
from service.rules.law import CURRENT_LAW, Law, NotInForceError, Row, Schedule, UnknownRulesVersionError, choose_law
from service.rules.rule import Regime
from service.rules.schema import (
    BadLiteral,
    Reader,
    Shape,
    read_amount,
    read_category,
    read_day,
    read_decimals,
    read_flag,
    read_number,
    read_percent,
    read_quantity,
    read_shape,
    read_string,
    read_whole,
)
from service.rules.worksheet import Worksheet


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (read_number, -1, -1),
        (read_number, "-1.50", Decimal("-1.50")),
        (read_quantity, 1, 1),
        (read_quantity, Decimal("2.0"), 2),
        (read_amount, 0, 0),
        (read_whole, 0, 0),
        (read_decimals, 0, 0),
        (read_decimals, 18, 18),
        (read_percent, 100, 100),
        (read_percent, "99.99", Decimal("99.99")),
        (read_category, 1, 1),
        (read_category, 3, 3),
        (read_day, date(2026, 2, 28), date(2026, 2, 28)),
        (read_day, "2028-02-29", date(2028, 2, 29)),
        (read_flag, False, False),
        (read_string, "", ""),
    ],
)
def test_readers_accept(read: Reader, value: Any, expected: Any) -> None:
    accepted = read(value, "x")
    assert accepted == expected
    assert type(accepted) is type(expected)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (read_number, True),
        (read_number, Decimal("NaN")),
        (read_number, Decimal("Infinity")),
        (read_number, BadLiteral("1")),
        (read_number, 1.0),
        (read_quantity, 0),
        (read_quantity, -1),
        (read_quantity, Decimal("1.5")),
        (read_amount, -1),
        (read_amount, "-0.01"),
        (read_whole, Decimal("0.5")),
        (read_decimals, 19),
        (read_decimals, -1),
        (read_percent, "100.01"),
        (read_category, 0),
        (read_category, 4),
        (read_day, datetime(2026, 2, 28, tzinfo=UTC)),
        (read_day, "2026-02-29"),
        (read_day, "2026-W09-1"),
        (read_day, "20260228"),
        (read_flag, 0),
        (read_string, BadLiteral("1e5")),
        (read_string, 1),
    ],
)
def test_readers_refuse(read: Reader, value: Any) -> None:
    with pytest.raises(InvalidFactsError, match=r"^x\b"):
        read(value, "x")


def test_shapes_name_the_place_of_what_is_wrong() -> None:
    shape: dict[str, Shape] = {"list": ({"flag": read_flag},), "text": read_string, "any": {"*": read_whole}}
    assert read_shape({"list": [{"flag": None}], "text": None, "any": {"DE": 1}}, shape, "x") == {
        "list": [{"flag": None}],
        "text": None,
        "any": {"DE": 1},
    }
    for value, place in (
        ({"list": {}}, "x.list"),
        ({"list": [{}, None]}, "x.list[1]"),
        ({"list": [{"flag": 1}]}, "x.list[0].flag"),
        ({"other": 1}, "x.other"),
        ({"any": {"DE": -1}}, "x.any.DE"),
        ([], "x"),
    ):
        with pytest.raises(InvalidFactsError) as error:
            read_shape(value, shape, "x")
        assert error.value.detail.split(":")[0] == place


def test_facts_tell_absent_from_null_and_from_a_wrong_kind() -> None:
    facts = Facts({"null": None, "yes": True, "no": False, "one": 1, "at": datetime(2026, 1, 1, tzinfo=UTC)}, "top")
    assert (facts.flag("yes"), facts.flag("no"), facts.number("one")) == (True, False, 1)
    assert facts.is_null("null")
    assert not facts.is_null("absent")
    assert not facts.is_null("one")
    assert not facts.has("null")
    wrong: list[tuple[Callable[[str], Any], str]]
    wrong = [(facts.flag, "one"), (facts.number, "yes"), (facts.text, "one"), (facts.day, "at")]
    for read, name in wrong:
        with pytest.raises(InvalidFactsError, match=rf"^top\.{name}"):
            read(name)
    readers: list[Callable[[str], Any]]
    readers = [facts.flag, facts.number, facts.text, facts.day, facts.part, facts.parts]
    for read in readers:
        with pytest.raises(MissingFactError, match=r"^top\.null$"):
            read("null")
    with pytest.raises(InvalidFactsError):
        Facts({"one": 1.5}).number("one")


def test_what_is_known_decides_and_else_the_first_absent_fact_is_named() -> None:
    facts = Facts({"yes": True, "no": False})
    first, second = (lambda: facts.flag("first")), (lambda: facts.flag("second"))
    assert not all_hold(first, lambda: facts.flag("no"), second)
    assert any_holds(first, lambda: facts.flag("yes"), second)
    for hold in (all_hold, any_holds):
        with pytest.raises(MissingFactError, match=r"^first$"):
            hold(first, second)
    assert all_hold()
    assert not any_holds()


def test_the_row_that_is_written_last_counts() -> None:
    schedule = Schedule(Row("old", effective_to=date(2026, 1, 31)), Row("new", date(2026, 1, 15)))
    assert schedule.on(date(2026, 1, 14), CURRENT_LAW) == "old"
    assert schedule.on(date(2026, 1, 15), CURRENT_LAW) == "new"
    with pytest.raises(NotInForceError):
        Schedule(Row("new", date(2026, 1, 15))).on(date(2026, 1, 14), CURRENT_LAW)
    with pytest.raises(NotInForceError):
        Schedule(Row("old", effective_to=date(2026, 1, 31))).on(date(2026, 2, 1), CURRENT_LAW)
    described = Schedule(Row("new", date(2026, 1, 15), citation="c"), Row("old")).describe(CURRENT_LAW)
    assert [row["citation"] for row in described] == ["c", None]


@pytest.mark.parametrize(
    ("since", "pending", "known"),
    [
        ("2026.11.1", None, True),
        ("2026.10.9", None, True),
        ("2026.11.2", None, False),
        ("2027.1.1", None, False),
        ("2026.11.1", "LW-X", True),
        ("2026.11.1", "LW-Y", False),
    ],
)
def test_law_knows_what_came_by_its_version_and_what_it_assumes(since: str, pending: str | None, known: bool) -> None:
    assert Law("2026.11.1", frozenset({"LW-X"})).knows(since, pending) is known


@pytest.mark.parametrize("name", ["2026.11.2", "", "2026.11.1+LW-NONE", "2026.11.1+LW-US-INVEST+LW-NONE"])
def test_an_unknown_law_is_refused(name: str) -> None:
    with pytest.raises(UnknownRulesVersionError):
        choose_law(name)


def test_law_is_found_by_its_name() -> None:
    assert choose_law(None) is CURRENT_LAW
    assert choose_law(CURRENT_LAW.name) == CURRENT_LAW
    assumed = choose_law("2026.11.1+LW-US-INVEST")
    assert (assumed.version, assumed.assumed) == ("2026.11.1", frozenset({"LW-US-INVEST"}))
    assert choose_law(assumed.name) == assumed


@pytest.mark.parametrize(("day", "in_force"), [(9, False), (10, True), (20, True), (21, False)])
def test_a_regime_is_in_force_on_its_first_and_last_day(day: int, in_force: bool) -> None:
    regime = Regime(
        id="xx.one",
        title="title",
        citation="citation",
        source="recall",
        confidence="H",
        rules=(),
        may_acquire=lambda _facts: True,
        needs=(),
        effective_from=date(2026, 1, 10),
        effective_to=date(2026, 1, 20),
    )
    assert regime.is_in_force(date(2026, 1, day)) is in_force


@pytest.mark.parametrize(
    ("comparator", "holds"),
    [
        (">", (False, False, True)),
        (">=", (False, True, True)),
        ("<", (True, False, False)),
        ("<=", (True, True, False)),
    ],
)
def test_a_comparison_holds_on_its_side_of_the_line(comparator: Any, holds: tuple[bool, ...]) -> None:
    sheet = Worksheet()
    assert tuple(sheet.compare("it", value, comparator, 1000) for value in (999, 1000, 1001)) == holds
    assert sheet.steps[0].text == f"it: 999 {comparator} 1,000 {'holds' if holds[0] else 'fails'}"
    sheet.note("silent", 1)
    assert sheet.state("so", False) is False
    assert [step.text for step in sheet.steps[3:]] == ["so: no"]
