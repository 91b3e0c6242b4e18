"""Reading and judging scenario files: FACTS.md."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from service.rules.computation import find_release_day
from service.rules.law import Law
from service.rules.scenario import judge_text
from service.rules.scenario_text import ScenarioFileError, parse_scenario_text

BASE = """
schema_version: 1
scenarios:
- id: X
  title: t
  kind: transfer
  rule: [r]
  confidence: H
  given:
    offering: {regime: us.506c, issuer: I}
    action: primary
    date: '2026-05-01'
    qty: 10
    price: 1000
    buyer:
      {kyc_valid_until: '2027-12-31', kyc_loa: substantial, screen_age_hours: 6, sanctions: clear, accredited: false}
  expect: {decision: deny, reasons: [US_NOT_ACCREDITED], obligations: []}
"""


def mismatches_of(text: str) -> tuple[str, ...]:
    (judgement,) = judge_text(text)
    return judgement.mismatches


def test_a_good_file_passes_as_yaml_and_json() -> None:
    assert mismatches_of(BASE) == ()
    assert mismatches_of(json.dumps(parse_scenario_text(BASE))) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("issuer: I", "issuer: I, issuers: J", "given.offering.issuers: unknown field"),
        ("  title: t", "  titel: t", "titel: unknown field"),
        ("obligations: []", "obligation: []", "expect.obligation: unknown field"),
        ("us.506c", "us.506x", "unknown regime at given.offering.regime"),
        ("primary", "steal", "unknown action at given.action"),
        ("kind: transfer", "kind: quality", "unknown kind at kind"),
        ("qty: 10", "qty: 1e3", "given.qty:"),
        ("qty: 10", "qty: .nan", "given.qty:"),
        ("qty: 10", "qty: 1.5", "given.qty:"),
        ("qty: 10", "qty: 0", "given.qty:"),
        ("price: 1000", "price: .inf", "given.price:"),
        ("price: 1000", "price: 1.0e+3", "given.price:"),
        ("price: 1000", "price: -1", "given.price:"),
        ("'2026-05-01'", "'2026-5-1'", "given.date:"),
        ("'2026-05-01'", "'2026-02-30'", "given.date:"),
        ("'2026-05-01'", "2026-02-30", "given.date:"),
        ("'2026-05-01'", "'2026-W10-1'", "given.date:"),
        ("issuer: I}", "issuer: I, countries_blocked: [kp]}", "given.offering.countries_blocked[0]:"),
        ("accredited: false", "accredited: false, country: kp", "given.buyer.country:"),
        ("accredited: false", "accredited: false, country: PRK", "given.buyer.country:"),
        ("accredited: false", "accredited: false, owners: [{pct: 100.01}]", "given.buyer.owners[0].pct:"),
        ("sanctions: clear", "sanctions: fine", "given.buyer.sanctions:"),
        ("accredited: false", "accredited: 0", "given.buyer.accredited:"),
        ("accredited: false", "accredited: no", "given.buyer.accredited:"),
        ("US_NOT_ACCREDITED", "US_NOT_A_CODE", "expect.reasons[0]:"),
    ],
)
def test_what_cannot_be_loaded_fails_with_its_path(old: str, new: str, expected: str) -> None:
    assert BASE.count(old) == 1
    (mismatch,) = mismatches_of(BASE.replace(old, new))
    assert mismatch.startswith(expected)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("decision: deny", "decision: permit", "decision is deny"),
        ("[US_NOT_ACCREDITED]", "[US_506D_BAD_ACTOR]", "reasons ['US_506D_BAD_ACTOR'] are not among"),
        ("obligations: []", "obligations: [OBL_LEGEND]", "obligations are []"),
        ("obligations: []", "obligations: [], route: rule144", "route is None"),
        ("obligations: []", "obligations: [], computed: {used: 1}", "computed used is None"),
    ],
)
def test_a_mismatch_is_told(old: str, new: str, expected: str) -> None:
    assert any(mismatch.startswith(expected) for mismatch in mismatches_of(BASE.replace(old, new)))


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("qualify", "{test: us.ai.wealth, value: 1}", "unknown investor test 'us.ai.wealth' at given.test"),
        ("qualify", "{value: 1}", "given.test: a string is needed"),
        ("qualify", "[]", "given: an object is needed"),
        ("limit", "{regime: us.506c}", "unknown limit 'us.506c' at given.regime"),
        ("limit", "{regime: [us.reg_cf]}", "given.regime: a string is needed"),
    ],
)
def test_an_unknown_test_or_limit_is_named(kind: str, given: str, expected: str) -> None:
    text = f"schema_version: 1\nscenarios: [{{id: X, kind: {kind}, given: {given}, expect: {{}}}}]"
    assert mismatches_of(text) == (expected,)


QIB = "given: {test: us.qib, value: 100000000, dealer: false}"
WORTH = (
    "given: {test: us.ai.net_worth, total_assets: 2500000.50, residence_fmv: 0, "
    "residence_debt: 0, other_liabilities: 0}"
)
HK = "given: {test: hk.pi.individual, sole: 8000000, joint_with_associate: 0, joint_other_holders: 0, joint_other: 0}"
CF = "given: {regime: us.reg_cf, annual_income: 50001, net_worth: 0}"
FREE = "given: {regime: us.reg_cf, accredited: true}"


@pytest.mark.parametrize(
    ("kind", "given", "expect", "expected"),
    [
        ("qualify", QIB, "{qualifies: true}", None),
        ("qualify", QIB, "{qualifies: false}", "qualifies is true, expected false"),
        ("qualify", QIB, "{qualifies: null}", "qualifies is true, expected null"),
        ("qualify", QIB, "{}", None),
        ("qualify", QIB, "{qualifies: 1}", "expect.qualifies: true or false is needed"),
        ("qualify", QIB, "{limit: 1}", "expect.limit: unknown field"),
        ("qualify", QIB, "{decision: permit}", "expect.decision: unknown field"),
        ("qualify", QIB, "{computed: {met: 1}}", "computed met is None, expected 1"),
        ("qualify", WORTH, "{qualifies: true, computed: {net_worth: 2500000.5}}", None),
        ("qualify", WORTH, "{computed: {net_worth: '2500000.500'}}", None),
        ("qualify", WORTH, "{computed: {net_worth: 2500000}}", "computed net_worth is 2500000.50, expected 2500000"),
        ("qualify", QIB.replace("false", "0"), "{}", "given.dealer: true or false is needed"),
        ("qualify", QIB.replace("value", "worth"), "{}", "given.worth: unknown field"),
        ("qualify", QIB.replace("value: 100000000", "value: 1e8"), "{}", "given.value: an exact decimal number"),
        ("qualify", QIB.replace("value: 100000000", "value: -1"), "{}", "given.value: a number of at least 0"),
        ("qualify", QIB.replace("value: 100000000, ", ""), "{}", "INPUT_MISSING: given.value is missing"),
        ("qualify", QIB.replace("}", ", as_of: '1990-04-29'}"), "{}", "us.qib was not in force on 1990-04-29"),
        ("qualify", QIB.replace("}", ", as_of: 1990}"), "{}", "given.as_of: a civil date YYYY-MM-DD is needed"),
        ("limit", CF, "{limit: 2500.05}", None),
        ("limit", CF, "{limit: '2500.050'}", None),
        ("limit", CF, "{limit: 2500}", "limit is 2500.05, expected 2500"),
        ("limit", CF, "{limit: null}", "limit is 2500.05, expected null"),
        ("limit", CF, "{}", None),
        ("limit", CF, "{limit: true}", "expect.limit: an exact decimal number"),
        ("qualify", HK, "{qualifies: true, computed: {counted: 8000000}}", None),
        ("qualify", HK.replace("8000000", "7999999"), "{qualifies: false}", None),
        (
            "qualify",
            HK.replace("8000000", "7999999").replace("other: 0", "other: 1, joint_other_share: null"),
            "{}",
            "given.joint_other_holders:",
        ),
        ("limit", FREE, "{limit: null}", None),
        ("limit", FREE, "{}", None),
        ("limit", FREE, "{limit: 5000}", "limit is null, expected 5000"),
        ("limit", CF.replace("}", ", test: x}"), "{}", "given.test: unknown field"),
    ],
)
def test_tests_and_limits_are_judged(kind: str, given: str, expect: str, expected: str | None) -> None:
    text = f"schema_version: 1\nscenarios: [{{id: X, kind: {kind}, {given}, expect: {expect}}}]"
    mismatches = mismatches_of(text)
    assert mismatches == () if expected is None else mismatches[0].startswith(expected), mismatches


def test_the_day_of_the_release_stands_for_a_day_that_is_not_said() -> None:
    assert find_release_day(Law("2026.11.1")) == date(2026, 11, 23)
    old = CF.replace("50001", "110000").replace("0}", "110000, as_of: 2022-06-01}")
    for given, limit in ((old, 11000), (old.replace(", as_of: 2022-06-01", ""), 5500)):
        text = f"schema_version: 1\nscenarios: [{{id: X, kind: limit, {given}, expect: {{limit: {limit}}}}}]"
        assert mismatches_of(text) == ()


def test_a_mismatch_names_the_missing_fact() -> None:
    text = BASE.replace("accredited: false", "accredited: null")
    assert mismatches_of(text)[0] == "reasons ['US_NOT_ACCREDITED'] are not among ['INPUT_MISSING buyer.accredited']"
    decision = mismatches_of(text.replace("decision: deny", "decision: permit"))[0]
    assert decision == "decision is deny ['INPUT_MISSING buyer.accredited'], expected permit"


def test_a_json_integer_too_long_to_be_one_fails_with_its_path() -> None:
    text = json.dumps(parse_scenario_text(BASE)).replace('"qty": 10', '"qty": ' + "1" * 5000)
    assert mismatches_of(text)[0].startswith("given.qty:")


def test_first_expected_reason_must_come_first() -> None:
    text = BASE.replace("issuer: I}", "issuer: I, bad_actor: true}")
    assert mismatches_of(text) == ()
    swapped = text.replace("[US_NOT_ACCREDITED]", "[US_506D_BAD_ACTOR]")
    assert mismatches_of(swapped) == ("first reason is US_NOT_ACCREDITED, expected US_506D_BAD_ACTOR",)


def test_absent_expectations_are_not_judged() -> None:
    text = BASE.replace("{decision: deny, reasons: [US_NOT_ACCREDITED], obligations: []}", "{decision: deny}")
    assert mismatches_of(text) == ()


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("199999.99", Decimal("199999.99")),
        ("10.0", Decimal("10.0")),
        ("007", 7),
        ("NO", "NO"),
        ("1:30", "1:30"),
        ("null", None),
        ("true", True),
        ("'1'", "1"),
        ("0.1", Decimal("0.1")),
    ],
)
def test_yaml_scalars_keep_their_literal(literal: str, value: Any) -> None:
    parsed = parse_scenario_text(f"a: {literal}")["a"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_json_decimals_are_exact() -> None:
    assert parse_scenario_text('{"a": 0.1, "b": 12345678901234567890.12}') == {
        "a": Decimal("0.1"),
        "b": Decimal("12345678901234567890.12"),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "schema_version: 2\nscenarios: []",
        "schema_version: true\nscenarios: []",
        "schema_version: 1",
        "schema_version: 1\nscenarios: []\nmore: 1",
        "a: 1\na: 2",
        '{"schema_version": 1, "scenarios": [], "scenarios": []}',
        "a: *b",
        "a: [",
        "--- 1\n--- 2",
        "\x00",
        "[" * 100_000,
    ],
)
def test_an_unreadable_file_is_an_error(text: str) -> None:
    with pytest.raises(ScenarioFileError):
        list(judge_text(text))


def test_aliases_stand_for_their_value() -> None:
    assert parse_scenario_text("a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}
