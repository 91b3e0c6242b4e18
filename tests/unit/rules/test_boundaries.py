"""Values that decide nothing alone and so no scenario judges: evidence, remedies, bounds of messages, declared data."""

from datetime import date
from typing import Any

import pytest

from service.rules import evaluate_transfer
from service.rules.catalog import CATEGORIES, list_rules
from service.rules.categories import CategoryFacts
from service.rules.computation import NoSuchComputationError, compute_limit, find_limit, find_test
from service.rules.dates import first_day_outside
from service.rules.decision import Remedy
from service.rules.facts import InvalidFactsError
from service.rules.purposes import PURPOSES
from service.rules.scenario import judge_raw, judge_text, load_scenario
from service.rules.scenario_comparison import compare_evaluation
from service.rules.scenario_defaults import fill_defaults
from service.rules.scenario_text import ScenarioFileError, parse_scenario_text
from service.rules.schema import BadLiteral
from tests.unit.rules.support import facts_of, without
from tests.unit.rules.test_scenarios import RAW


@pytest.mark.parametrize(
    ("scenario_id", "remedy"),
    [
        ("S-PTY-01", Remedy("present", purpose="us.506c")),
        ("S-PTY-05", Remedy("renew", purpose="us.506c")),
        ("S-PTY-25", Remedy("renew", purpose="us.506c")),
        ("S-PTY-28", Remedy("renew", purpose="us.506c")),
        ("S-PTY-31", Remedy("renew", purpose="us.506c")),
        ("S-PTY-34", Remedy("present", purpose="us.506c")),
        ("S-PTY-37", Remedy("present", purpose="us.506c")),
        ("S-PTY-40", Remedy("present", purpose="us.506c")),
        ("S-PTY-43", Remedy("present", purpose="us.506c")),
        ("S-PTY-46", Remedy("none")),
        ("S-506C-56", Remedy("present", purpose="us.506c")),
        ("S-506C-58", Remedy("none")),
        ("S-506C-64", Remedy("none")),
    ],
)
def test_the_remedy_is_what_would_help(scenario_id: str, remedy: Remedy) -> None:
    assert evaluate_transfer(facts_of(scenario_id)).reasons[0].remedy == remedy


@pytest.mark.parametrize(
    ("scenario_id", "evidence"),
    [
        ("S-506C-85", {"tax_years": "2022 2023 2024", "needed": "2024 2025"}),
        ("S-506C-84", {"consumer_report": False}),
        ("S-506C-51", {"verified_by_issuer": "ISS-2"}),
        ("S-506C-53", {"scope": "ISS-2"}),
        ("S-PTY-56", {"screen_age_hours": -1, "limit": 24}),
    ],
)
def test_evidence_says_what_was_found_and_what_was_asked_for(scenario_id: str, evidence: dict[str, Any]) -> None:
    found = evaluate_transfer(facts_of(scenario_id)).reasons[0].evidence
    assert {name: found[name] for name in evidence} == evidence


def test_the_staff_letter_is_cited_as_itself() -> None:
    rules = list_rules()
    for name in ("amount", "representation", "financing"):
        rule = rules[f"us.506c.minimum.{name}"]
        assert rule.citation.startswith("SEC staff no-action letter")
        assert rule.source == "primary"
    assert rules["us.506c.prior.age"].citation == "17 CFR 230.506(c)(2)(ii)(E)"
    assert rules["us.506c.prior.age"].source == "secondary"


def test_only_the_resale_rule_of_regulation_s_is_less_certain() -> None:
    certain = {rule.id: rule.confidence for rule in list_rules().values() if rule.id.startswith("us.reg_s.")}
    assert {rule_id for rule_id, confidence in certain.items() if confidence != "H"} == {"us.reg_s.resale"}


def test_control_securities_have_no_holding_period() -> None:
    restricted, control = (list_rules()[name].parameters for name in ("us.resale", "us.control_resale"))
    assert {name for name in restricted if "holding" in name}
    assert set(control) == {name for name in restricted if "holding" not in name}


KINDS = CategoryFacts(("xx.a.", "xx.b."), value_fact="kind", values={"xx.a.": "plain", "xx.a.special": "special"})


def test_a_category_gives_the_value_of_its_longest_beginning() -> None:
    assert (KINDS.name_value("xx.a.special.1"), KINDS.name_value("xx.a.other")) == ("special", "plain")
    assert KINDS.name_value("xx.b.other") is None
    assert KINDS.covers("xx.b.other")
    assert not KINDS.covers("xx.c.other")
    assert KINDS.jurisdiction == "xx"


def test_only_a_us_credential_says_how_it_was_verified() -> None:
    assert not KINDS.verification
    assert {kind.jurisdiction for kind in CATEGORIES if kind.verification} == {"us"}


def test_actions_that_are_no_sale_are_purposes_of_their_own() -> None:
    assert {"pledge", "release", "redemption", "forced", "inheritance", "recovery"} < set(PURPOSES)
    assert not {"primary", "secondary", "liquidation", "gift"} & set(PURPOSES)


@pytest.mark.parametrize("find", [find_test, find_limit])
def test_a_message_quotes_64_characters_of_an_id(find: Any) -> None:
    with pytest.raises(NoSuchComputationError, match=rf"'{'x' * 64}'$"):
        find("x" * 100)
    with pytest.raises(NoSuchComputationError, match="'us-none'"):
        find("us-none")


def test_a_scenario_is_told_64_characters_of_an_id() -> None:
    raw = {"id": "X", "kind": "limit", "given": {"regime": "x" * 100}, "expect": {}}
    assert judge_raw(raw, "?").mismatches == (f"unknown limit {'x' * 64!r} at given.regime",)


def test_the_working_names_the_share_and_whose_figures() -> None:
    day = date(2026, 6, 1)
    volume = {"outstanding": 1000, "awtv": None}
    lines = {
        kind: compute_limit("us.rule144.volume", {**volume, "security": kind}, on=day).explanation[0]
        for kind in ("debt", "equity")
    }
    assert lines["debt"].startswith("10 per cent of")
    assert lines["equity"].startswith("1 per cent of")
    figures = {"annual_income": 50_000, "net_worth": 60_000}
    assert "annual income and net worth" in compute_limit("us.reg_a_t2", figures, on=day).explanation[-1]
    assert "revenue and net assets" in compute_limit("us.reg_a_t2", {**figures, "entity": True}, on=day).explanation[-1]


def test_own_scenarios_name_every_reason() -> None:
    """The format only asks that the expected reasons be given; ours are all there are."""
    wrong = []
    for raw in RAW:
        if raw["kind"] == "transfer" and "reasons" in raw["expect"]:
            given = {reason.code for reason in evaluate_transfer(load_scenario(raw).facts).reasons}
            if given != set(raw["expect"]["reasons"]):
                wrong.append((raw["id"], given))
    assert wrong == []


@pytest.mark.parametrize(
    ("scenario_id", "path", "remedy"),
    [
        ("S-506C-01", ("buyer", "sanctions"), Remedy("present", purpose="us.506c")),
        ("S-PTY-04", ("seller", "sanctions"), Remedy("present", purpose="us.506c")),
        ("S-REGS-01", ("buyer", "offshore"), Remedy("represent", purpose="us.reg_s")),
        ("S-PTY-04", ("seller", "affiliate"), Remedy("represent", purpose="us.506c")),
        ("S-PTY-04", ("seller", "lots"), Remedy("none")),
        ("S-PTY-04", ("seller",), Remedy("none")),
        ("S-REGISTER-05", ("state",), Remedy("none")),
        ("S-PTY-04", ("date",), Remedy("none")),
        ("S-PTY-04", ("qty",), Remedy("none")),
    ],
)
def test_a_missing_fact_is_asked_of_whom_it_can_come_from(
    scenario_id: str, path: tuple[str, ...], remedy: Remedy
) -> None:
    reasons = evaluate_transfer(without(facts_of(scenario_id), path)).reasons
    named = {reason.evidence["field"]: reason for reason in reasons if reason.code == "INPUT_MISSING"}
    reason = named[".".join(path)]
    assert reason.remedy == remedy
    assert reason.party == (path[0] if path[0] in {"buyer", "seller"} else None)


@pytest.mark.parametrize(("held", "most"), [(1, 1), (2, 2), (0, 0)])
def test_a_single_unit_is_the_least_that_may_pass(held: int, most: int) -> None:
    lots = [{**facts_of("S-PTY-07")["seller"]["lots"][0], "qty": held}]
    assert evaluate_transfer(facts_of("S-PTY-07", seller__lots=lots)).max_quantity == most


def test_review_and_refusal_leave_no_quantity_and_no_route() -> None:
    reviewed, refused = (evaluate_transfer(facts_of(each)) for each in ("S-PTY-16", "S-PTY-05"))
    assert (reviewed.outcome, reviewed.max_quantity, reviewed.route) == ("review", 0, None)
    assert (refused.outcome, refused.max_quantity, refused.route) == ("deny", 0, None)


def test_an_unknown_regime_or_action_can_not_be_evaluated() -> None:
    for changes, detail in (
        ({"offering__regime": "us.none"}, "unknown regime at offering.regime"),
        ({"offering__regime": None}, "offering.regime is missing"),
        ({"action": "steal"}, "unknown action at action"),
        ({"action": None}, "action is missing"),
    ):
        with pytest.raises(InvalidFactsError) as error:
            evaluate_transfer(facts_of("S-PTY-04", **changes))
        assert error.value.detail == detail


@pytest.mark.parametrize(("category", "basis"), [(1, "firm_policy"), (2, "law"), (3, "law"), (None, "law")])
def test_only_outside_a_distribution_compliance_period_is_it_policy_to_refuse_us_persons(
    category: int | None, basis: str
) -> None:
    reasons = evaluate_transfer(facts_of("S-REGS-05", offering__category=category)).reasons
    assert [reason.basis for reason in reasons if reason.code == "US_REGS_US_PERSON"] == [basis]


def test_where_no_route_says_how_much_nothing_may_pass() -> None:
    facts = facts_of("S-RESALE-62")
    assert facts["offering"]["shell"]
    assert evaluate_transfer(facts).max_quantity == 0


def test_waiting_for_today_is_no_remedy() -> None:
    facts = facts_of("S-RESALE-64")
    lots = [{**facts["seller"]["lots"][0], "acquired_on": date(2007, 2, 14)}]
    (reason,) = evaluate_transfer(facts_of("S-RESALE-64", seller__lots=lots)).reasons
    assert reason.remedy == Remedy("none")


@pytest.mark.parametrize(("absent", "most"), [("awtv", 20_000), ("outstanding", 50_000), (None, 50_000)])
def test_an_unknown_measure_of_volume_gives_nothing(absent: str | None, most: int) -> None:
    facts = facts_of("S-RESALE-20", offering__awtv=150_000, qty=1)
    if absent:
        facts = without(facts, ("offering", absent))
    evaluation = evaluate_transfer(facts)
    assert (evaluation.outcome, evaluation.max_quantity) == ("permit", most)
    assert ("limit" in evaluation.computed) == (absent is None)
    assert evaluate_transfer({**facts, "qty": most}).outcome == "permit"
    assert evaluate_transfer({**facts, "qty": most + 1}).outcome == "deny"


@pytest.mark.parametrize(
    ("day", "months", "first"),
    [
        (date(2025, 11, 27), 3, date(2026, 2, 28)),
        (date(2025, 11, 28), 3, date(2026, 3, 1)),
        (date(2025, 11, 30), 3, date(2026, 3, 1)),
        (date(2024, 2, 28), 12, date(2025, 3, 1)),
        (date(2024, 2, 29), 12, date(2025, 3, 1)),
    ],
)
def test_a_look_back_over_a_month_end(day: date, months: int, first: date) -> None:
    assert first_day_outside(day, months) == first


def test_an_affiliate_waits_for_as_many_sales_as_are_in_the_way() -> None:
    sales = [{"date": date(2026, 8, 1), "qty": 50_000}, {"date": date(2026, 9, 1), "qty": 90_000}]
    facts = facts_of("S-RESALE-20", seller__affiliate_sales=sales, qty=70_000)
    (reason,) = evaluate_transfer(facts).reasons
    assert reason.remedy == Remedy("wait_until", at=date(2026, 12, 2))
    assert evaluate_transfer({**facts, "qty": 60_000}).reasons[0].remedy == Remedy("wait_until", at=date(2026, 11, 2))


def test_a_comparison_tells_the_first_of_each_and_takes_a_text_for_no_number() -> None:
    evaluation = evaluate_transfer(facts_of("S-506C-48"))
    codes = [reason.code for reason in evaluation.reasons]
    (mismatch,) = compare_evaluation({"reasons": codes[::-1]}, evaluation)
    assert mismatch == f"first reason is {codes[0]}, expected {codes[-1]}"
    bought = evaluate_transfer(facts_of("S-506C-01"))
    (mismatch,) = compare_evaluation({"computed": {"last_valid": 1}}, bought)
    assert mismatch.startswith("computed last_valid is")


def test_what_a_scenario_leaves_out_is_no_except_for_four() -> None:
    offering = {"regime": "us.reg_cf"}
    filled = fill_defaults({"offering": offering, **{role: {} for role in ("buyer", "seller", "pledgor")}})
    flags = {(part, name): value for part, facts in filled.items() for name, value in facts.items()}
    assert {place for place, value in flags.items() if value is True} == {
        *((role, "identified") for role in ("buyer", "seller", "pledgor")),
        ("offering", "lien_allowed"),
        ("venue", "licensed"),
        ("policy", "safe_harbour_only"),
    }
    numbers = {place: value for place, value in flags.items() if type(value) is int}
    assert numbers == {
        ("offering", "min_quantity"): 1,
        ("offering", "unit_decimals"): 0,
        ("policy", "max_screen_age_hours"): 24,
    }


@pytest.mark.parametrize(
    ("raw", "name", "mismatch"),
    [
        ([], "scenarios[3]", "a scenario is an object"),
        ({"id": 5}, "scenarios[3]", "unknown kind at kind"),
        ({"id": "X", "zeta": 1, "alpha": 1}, "X", "alpha: unknown field"),
    ],
)
def test_a_scenario_without_an_id_goes_by_its_place(raw: Any, name: str, mismatch: str) -> None:
    judgement = judge_raw(raw, "scenarios[3]")
    assert (judgement.scenario_id, judgement.mismatches) == (name, (mismatch,))


def test_of_a_file_s_unknown_fields_the_first_is_named() -> None:
    with pytest.raises(ScenarioFileError, match=r"^alpha: unknown field$"):
        list(judge_text('{"schema_version": 1, "scenarios": [], "zeta": 1, "alpha": 1}'))


def test_yes_no_and_nothing_in_each_of_their_writings() -> None:
    parsed = parse_scenario_text("[true, True, TRUE, false, False, FALSE, null, Null, NULL, ~]")
    assert parsed == [True] * 3 + [False] * 3 + [None] * 4
    assert parse_scenario_text("a:") == {"a": None}


@pytest.mark.parametrize("literal", ["1e3", "1E3", "1.5e3", "NaN", "Infinity", "-Infinity"])
def test_json_numbers_that_are_no_exact_decimals_are_refused_by_every_field(literal: str) -> None:
    parsed = parse_scenario_text(f'{{"a": {literal}}}')["a"]
    assert isinstance(parsed, BadLiteral)
    assert parsed == literal


@pytest.mark.parametrize("literal", [".inf", "-.Inf", ".nan", ".NaN", "1e3", "1.E+3"])
def test_yaml_numbers_that_are_no_exact_decimals_are_refused_by_every_field(literal: str) -> None:
    assert isinstance(parse_scenario_text(f"a: {literal}")["a"], BadLiteral)
