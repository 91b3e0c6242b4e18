"""Regulation Crowdfunding: what issuer and investor may sell and buy, and the first year's limits on resale.

Source: 17 CFR 227.100, 227.501, 227.503.
"""

from collections.abc import Iterator
from datetime import date

from service.rules.dates import first_day_after_elapsed
from service.rules.decision import Remedy
from service.rules.facts import Facts, MissingFactError, any_holds
from service.rules.law import Row, Schedule
from service.rules.needs import AML, INVESTMENT_LIMIT, KYC, QUALIFIED, ask_if_held
from service.rules.packs.lots import read_free_lots, sum_free_quantity
from service.rules.packs.us_506d import build_bad_actor_rule
from service.rules.packs.us_amounts import yield_room
from service.rules.packs.us_control import CONTROL_RESALE
from service.rules.packs.us_reg_cf_limit import IN_FORCE_FROM, INVESTOR_LIMIT
from service.rules.rule import RESALES, AtMost, Deny, Finding, Note, Regime, Rule

ISSUER_CAP = Schedule(
    Row(1_000_000, IN_FORCE_FROM, date(2017, 4, 11)),
    Row(1_070_000, date(2017, 4, 12), date(2021, 3, 14)),
    Row(5_000_000, date(2021, 3, 15)),
)
HELD_MONTHS = 12
FAMILY = frozenset(
    {
        *("child", "stepchild", "grandchild", "parent", "stepparent", "grandparent"),
        *("spouse", "spousal_equivalent", "sibling"),
        *("mother_in_law", "father_in_law", "son_in_law", "daughter_in_law", "brother_in_law", "sister_in_law"),
    }
)
ADOPTIVE = ("adoptive_", "adopted_")
TRUSTS = frozenset({"trust_controlled_by_seller", "trust_for_family"})


def _check_issuer_cap(facts: Facts) -> Iterator[Finding]:
    sold = facts.part("state").number("issuer_cf_sold_12m")
    cap = facts.in_force(ISSUER_CAP)
    yield from yield_room(facts, "US_CF_OFFERING_CAP", used=sold, limit=cap, remedy=Remedy("none"))


def _is_family(buyer: Facts) -> bool:
    """Tell whether the buyer is said to be family of the seller, or a trust of it; unsaid, it is neither."""
    if not buyer.has("family_relation"):
        return False
    relation = buyer.text("family_relation").strip().lower().replace("-", "_").replace(" ", "_")
    for prefix in ADOPTIVE:
        relation = relation.removeprefix(prefix)
    return relation in FAMILY or relation in TRUSTS


def _is_issuer(facts: Facts) -> bool:
    buyer = facts.part("buyer")
    return buyer.has("id") and buyer.text("id") == facts.part("offering").text("issuer")


def _find_free_day(facts: Facts, lot: Facts) -> date:
    """Return the first day after the lot's year; a holder's own year is enough where the issuance is unknown."""
    boundary = facts.part("policy").text("elapsed_boundary")
    if not lot.has("issued_on") and lot.has("acquired_on"):
        free_on = first_day_after_elapsed(lot.day("acquired_on"), HELD_MONTHS, boundary=boundary)
        if free_on <= facts.day("date"):
            return free_on
    return first_day_after_elapsed(lot.day("issued_on"), HELD_MONTHS, boundary=boundary)


def _read_days(facts: Facts) -> tuple[list[tuple[date, int]], MissingFactError | None]:
    """Return (first free day, quantity) of each lot whose day is known, and what is missing of the others."""
    days, missing = list[tuple[date, int]](), None
    for lot in read_free_lots(facts):
        try:
            days.append((_find_free_day(facts, lot), int(lot.number("qty"))))
        except MissingFactError as error:
            missing = missing or error
    return sorted(days), missing


def _check_first_year(facts: Facts) -> Iterator[Finding]:
    days, missing = _read_days(facts)
    eligible = sum(quantity for free_on, quantity in days if free_on <= facts.day("date"))
    wanted = min(facts.number("qty"), sum_free_quantity(facts))  # what the seller lacks is another rule's reason
    if missing is None:
        yield Note("eligible_qty", eligible)
    if eligible >= wanted or _may_take_early(facts):
        return
    if missing:
        raise missing
    yield AtMost(eligible)
    free_on = next(free_on for free_on, _ in days if sum(qty for day, qty in days if day <= free_on) >= wanted)
    yield Deny("US_CF_RESALE_1Y", Remedy("wait_until", at=free_on), smaller_may_pass=True)


def _may_take_early(facts: Facts) -> bool:
    buyer = facts.part("buyer")
    return any_holds(
        lambda: _is_issuer(facts),
        lambda: _is_family(buyer),
        lambda: buyer.flag("accredited"),
    )


ISSUER_LIMIT = Rule(
    id="us.reg_cf.issuer_cap",
    citation="17 CFR 227.100(a)(1)",
    source="primary",
    confidence="H",
    basis="law",
    inputs=("date", "qty", "price", "state.issuer_cf_sold_12m"),
    actions=frozenset({"primary"}),
    effective_from=IN_FORCE_FROM,
    parameters={"cap_12_months": ISSUER_CAP},
    check=_check_issuer_cap,
)
FIRST_YEAR = Rule(
    id="us.reg_cf.first_year",
    citation="17 CFR 227.501",
    source="primary",
    confidence="H",
    basis="law",
    inputs=(
        *("date", "qty", "seller.lots", "buyer.accredited", "buyer.family_relation", "buyer.id", "offering.issuer"),
        "policy.elapsed_boundary",
    ),
    actions=RESALES,
    effective_from=IN_FORCE_FROM,
    parameters={
        "months": str(HELD_MONTHS),
        "family": " ".join(sorted(FAMILY)),
        "trusts": " ".join(sorted(TRUSTS)),
    },
    check=_check_first_year,
)
REGIMES = (
    Regime(
        id="us.reg_cf",
        title="Regulation Crowdfunding",
        citation="17 CFR part 227",
        source="primary",
        confidence="H",
        needs=(KYC, AML, ask_if_held(INVESTMENT_LIMIT), ask_if_held(QUALIFIED)),
        effective_from=IN_FORCE_FROM,
        rules=(
            build_bad_actor_rule("us.reg_cf.bad_actor", "17 CFR 227.503", IN_FORCE_FROM),
            ISSUER_LIMIT,  # before the investor's: of values that both compute, the investor's are kept
            INVESTOR_LIMIT,
            FIRST_YEAR,
            CONTROL_RESALE,
        ),
        may_acquire=lambda _facts: True,
    ),
)
