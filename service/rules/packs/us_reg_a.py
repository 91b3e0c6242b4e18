"""Regulation A: the issuer's cap, the investor's limit of Tier 2, and state law where it is not pre-empted.

Source: 17 CFR 230.251-263; Securities Act section 18(b)(3), (b)(4); 17 CFR 230.256.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from service.rules.decision import Remedy
from service.rules.facts import Facts, MissingFactError, Number
from service.rules.law import Row, Schedule
from service.rules.needs import AML, INVESTMENT_LIMIT, KYC, QUALIFIED, CredentialNeed, ask_if_held
from service.rules.packs.us_506d import build_bad_actor_rule
from service.rules.packs.us_amounts import compute_amount, yield_room
from service.rules.packs.us_blue_sky import RESALE_CLEARED, SALE_CLEARED, is_said
from service.rules.packs.us_control import CONTROL_RESALE
from service.rules.rule import Counting, Finding, Regime, Rule, TransferCheck
from service.rules.schema import read_amount, read_flag, read_number
from service.rules.worksheet import InvestorLimit, Worksheet

IN_FORCE_FROM = date(2015, 6, 19)
TIER_1_CAP = 20_000_000
TIER_2_CAP = Schedule(Row(50_000_000, IN_FORCE_FROM, date(2021, 3, 14)), Row(75_000_000, date(2021, 3, 15)))
SHARE = Decimal("0.1")


def _check_tier_1_cap(facts: Facts) -> Iterator[Finding]:
    yield from _check_cap(facts, TIER_1_CAP)


def _check_tier_2_cap(facts: Facts) -> Iterator[Finding]:
    yield from _check_cap(facts, facts.in_force(TIER_2_CAP))


def _check_cap(facts: Facts, cap: int) -> Iterator[Finding]:
    sold = facts.part("state").number("issuer_rega_sold_12m")
    yield from yield_room(facts, "US_REGA_OFFERING_CAP", used=sold, limit=cap, remedy=Remedy("none"))


def _compute_share(person: Facts) -> Number:
    """Return ten per cent of the greater figure: income and net worth, or an entity's revenue and net assets."""
    return SHARE * max(person.number("annual_income"), person.number("net_worth"))


def _find_share(facts: Facts, person: Facts) -> Number:
    """Return the share of the greater figure, or of the one that is known where that is enough for this sale."""
    try:
        return _compute_share(person)
    except MissingFactError:
        known = [person.number(name) for name in ("annual_income", "net_worth") if person.has(name)]
        if not known:
            raise
        (figure,) = known  # the other one is missing
        if compute_amount(facts) > SHARE * figure:
            raise
        return SHARE * figure


def _compute_limit(figures: Facts, sheet: Worksheet) -> Number | None:
    if sheet.state("accredited", figures.flag("accredited")):
        return None
    if sheet.state("listed upon qualification", figures.flag("exchange_listed")):
        return None
    limit = _compute_share(figures)
    sheet.note("limit", limit)
    if figures.flag("entity"):
        sheet.explain("{share} of the greater of revenue and net assets: {limit}", share=f"{SHARE:%}", limit=limit)
    else:
        sheet.explain("{share} of the greater of annual income and net worth: {limit}", share=f"{SHARE:%}", limit=limit)
    return limit


def _check_limit(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if is_said(buyer, "accredited") or is_said(facts.part("offering"), "exchange_listed"):
        return
    try:
        limit = buyer.number("limit_at_least") if buyer.has("limit_at_least") else _find_share(facts, buyer)
    except MissingFactError:
        buyer.flag("accredited")  # unknown, it may be what lifts the limit
        raise
    if compute_amount(facts) > limit:
        buyer.flag("accredited")
    remedy = Remedy("present", purpose="us.reg_a_t2")
    yield from yield_room(facts, "US_REGA_10PCT_LIMIT", used=0, limit=limit, remedy=remedy)


def _rule(name: str, citation: str, check: TransferCheck, *inputs: str, **parameters: str | Schedule[int]) -> Rule:
    return Rule(
        id=f"us.{name}",
        citation=f"17 CFR {citation}",
        source="secondary",
        confidence="H",
        basis="law",
        inputs=("qty", "price", *inputs),
        actions=frozenset({"primary"}),
        effective_from=IN_FORCE_FROM,
        parameters=parameters,
        check=check,
    )


_SOLD = "state.issuer_rega_sold_12m"
TIER_1_LIMIT = _rule("reg_a_t1.cap", "230.251(a)(1)", _check_tier_1_cap, _SOLD, cap_12_months=str(TIER_1_CAP))
TIER_2_LIMIT = _rule("reg_a_t2.cap", "230.251(a)(2)", _check_tier_2_cap, "date", _SOLD, cap_12_months=TIER_2_CAP)
INVESTOR_LIMIT = _rule(
    "reg_a_t2.investor_limit",
    "230.251(d)(2)(i)(C)",
    _check_limit,
    *("buyer.accredited", "buyer.limit_at_least", "buyer.annual_income", "buyer.net_worth"),
    "offering.exchange_listed",
    share=str(SHARE),
)
BAD_ACTOR = build_bad_actor_rule("us.reg_a.bad_actor", "17 CFR 230.262", IN_FORCE_FROM)


def _regime(tier: int, other: int, needs: tuple[CredentialNeed, ...], *sales: Rule) -> Regime:
    return Regime(
        id=f"us.reg_a_t{tier}",
        title=f"Regulation A, Tier {tier}",
        citation="17 CFR 230.251-263",
        source="secondary",
        confidence="H",
        needs=needs,
        counting=Counting(together_with=(f"us.reg_a_t{other}",)),  # 230.251(a)
        effective_from=IN_FORCE_FROM,
        rules=(BAD_ACTOR, *sales, CONTROL_RESALE, RESALE_CLEARED),
        may_acquire=lambda _facts: True,
    )


REGIMES = (
    _regime(1, 2, (KYC, AML), TIER_1_LIMIT, SALE_CLEARED),
    # The issuer's cap comes first: of values that both compute, the investor's are kept.
    _regime(2, 1, (KYC, AML, ask_if_held(INVESTMENT_LIMIT), ask_if_held(QUALIFIED)), TIER_2_LIMIT, INVESTOR_LIMIT),
)
LIMITS = (
    InvestorLimit(
        id="us.reg_a_t2",
        title="Regulation A, Tier 2: one purchase by an investor who is not accredited",
        citation=INVESTOR_LIMIT.citation,
        source="secondary",
        confidence="H",
        currency="USD",
        figures={
            "accredited": read_flag,
            "annual_income": read_amount,
            "entity": read_flag,
            "exchange_listed": read_flag,
            "net_worth": read_number,
        },
        defaults={"accredited": False, "entity": False, "exchange_listed": False},
        compute=_compute_limit,
        evidence=("the investor's representation of income or revenue, and of net worth or net assets",),
        parameters=INVESTOR_LIMIT.parameters,
        effective_from=IN_FORCE_FROM,
    ),
)
