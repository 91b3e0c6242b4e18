"""European crowdfunding: offers on a crowdfunding platform, and who may accept them.

A resale on the platform's bulletin board is no crowdfunding offer (article 25): the protections below don't bind it.

Source: Regulation (EU) 2020/1503, articles 1(2)(c), 21, 22, Annex II; periods as in Regulation 1182/71, article 3.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from service.rules.dates import add_months
from service.rules.decision import Remedy
from service.rules.facts import Facts, Number, all_hold, any_holds
from service.rules.needs import AML, INVESTMENT_LIMIT, KYC, QUALIFIED, ask_if_held
from service.rules.packs.consideration import count_units_within, read_consideration
from service.rules.packs.criteria import meets_enough
from service.rules.packs.offer_limits import yield_cap
from service.rules.rule import AtMost, Counting, Deny, Finding, Note, Regime, Require, Rule, Source, TransferCheck
from service.rules.schema import read_amount, read_number
from service.rules.worksheet import InvestorLimit, InvestorTest, Worksheet

_REG = "Reg (EU) 2020/1503"
APPLIES_FROM = date(2021, 11, 10)
APPROVAL_MONTHS = KNOWLEDGE_TEST_MONTHS = 24
CAP_12_MONTHS = 5_000_000
WARNING_FLOOR = 1_000
WARNING_SHARE = Decimal("0.05")
NATURAL_INCOME, NATURAL_PORTFOLIO = 60_000, 100_000
NATURAL_SECTOR_YEARS, NATURAL_EXECUTIVE_MONTHS, NATURAL_TRADES_PER_QUARTER = 1, 12, 10
LEGAL_OWN_FUNDS, LEGAL_TURNOVER, LEGAL_BALANCE_SHEET = 100_000, 2_000_000, 1_000_000


def _check_approval(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if buyer.flag("sophisticated"):
        approved_on = buyer.day("sophisticated_approved_on")
        yield from _check_two_years(facts, approved_on, APPROVAL_MONTHS, "EU_ECSPR_SOPH_EXPIRED")


def _check_knowledge_test(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if not buyer.flag("sophisticated"):
        tested_on = buyer.day("knowledge_test_on")
        yield from _check_two_years(facts, tested_on, KNOWLEDGE_TEST_MONTHS, "EU_ECSPR_TEST_STALE")


def _check_two_years(facts: Facts, since: date, months: int, code: str) -> Iterator[Finding]:
    last_valid = add_months(since, months)
    yield Note("last_valid", last_valid)
    if not since <= facts.day("date") <= last_valid:
        yield Deny(code, Remedy("renew", purpose="eu.ecspr"), {"since": since})


def _compute_threshold(net_worth: Number) -> Number:
    return max(Decimal(WARNING_FLOOR), WARNING_SHARE * net_worth)


def _find_threshold(buyer: Facts) -> Number:
    """Return the amount above which consent is needed; a stated limit is one that the true one reaches at least."""
    if buyer.has("limit_at_least"):
        return max(WARNING_FLOOR, buyer.number("limit_at_least"))
    return _compute_threshold(buyer.number("net_worth"))


def _check_consent(facts: Facts) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if buyer.flag("sophisticated"):
        return
    is_known = buyer.has("limit_at_least") or buyer.has("net_worth")
    threshold = _find_threshold(buyer) if is_known else WARNING_FLOOR
    if is_known:
        yield Note("threshold", threshold)
    requested = read_consideration(facts)
    most = count_units_within(threshold, facts.number("price"))
    if all_hold(
        lambda: requested > WARNING_FLOOR,
        lambda: not buyer.flag("above_threshold_consent"),
        lambda: requested > _find_threshold(buyer),
    ):
        remedy, evidence = Remedy("represent", purpose="eu.ecspr"), {"requested": requested}
        yield Deny("EU_ECSPR_CONSENT_MISSING", remedy, evidence, smaller_may_pass=bool(most))
    if most is not None and not (buyer.has("above_threshold_consent") and buyer.flag("above_threshold_consent")):
        yield AtMost(most)


def _check_reflection(facts: Facts) -> Iterator[Finding]:
    if not facts.part("buyer").flag("sophisticated"):
        yield Require("OBL_ECSPR_REFLECTION_4D")


def _check_cap(facts: Facts) -> Iterator[Finding]:
    """Check the owner's twelve months; facts without any state have no register behind them, only this sale."""
    used = facts.part("state").number("consideration_12m") if facts.has("state") else 0
    yield from yield_cap(facts, "EU_SMALL_OFFER_CAP", used=used, limit=CAP_12_MONTHS, inclusive=True)


def _rule(name: str, cite: str, source: Source, check: TransferCheck, inputs: str, **parameters: str) -> Rule:
    return Rule(
        id=f"eu.ecspr.{name}",
        citation=f"{_REG} {cite}",
        source=source,
        confidence="H",
        basis="law",
        inputs=tuple(inputs.split()),
        actions=frozenset({"primary"}),
        effective_from=APPLIES_FROM,
        parameters=parameters,
        check=check,
    )


REGIMES = (
    Regime(
        id="eu.ecspr",
        title="European crowdfunding",
        citation=f"{_REG} art 1(2)(c)",
        source="secondary",
        confidence="H",
        needs=(KYC, AML, ask_if_held(QUALIFIED), ask_if_held(INVESTMENT_LIMIT)),
        counting=Counting(together_with=("eu.pr_small",)),  # art 1(2)(c)(i)
        effective_from=APPLIES_FROM,
        rules=(
            _rule(
                "approval",
                "Annex II",
                "primary",
                _check_approval,
                "date buyer.sophisticated buyer.sophisticated_approved_on",
                months=str(APPROVAL_MONTHS),
            ),
            _rule(
                "knowledge_test",
                "art 21(1), (3)",
                "secondary",
                _check_knowledge_test,
                "date buyer.sophisticated buyer.knowledge_test_on",
                months=str(KNOWLEDGE_TEST_MONTHS),
            ),
            _rule(
                "consent",
                "art 21(7)",
                "secondary",
                _check_consent,
                "qty price buyer.sophisticated buyer.limit_at_least buyer.net_worth buyer.above_threshold_consent",
                floor=str(WARNING_FLOOR),
                share_of_net_worth=str(WARNING_SHARE),
            ),
            _rule("reflection", "art 22", "secondary", _check_reflection, "buyer.sophisticated", calendar_days="4"),
            _rule(
                "cap",
                "art 1(2)(c)",
                "secondary",
                _check_cap,
                "qty price state.consideration_12m",
                cap_12m=str(CAP_12_MONTHS),
            ),
        ),
        may_acquire=lambda _facts: True,
    ),
)


def _judge_natural(facts: Facts, sheet: Worksheet) -> bool:
    def compare(name: str, minimum: int) -> bool:
        return sheet.compare(name, facts.number(name), ">=", minimum)

    return meets_enough(
        sheet,
        2,
        lambda: any_holds(
            lambda: compare("income", NATURAL_INCOME),
            lambda: sheet.compare("portfolio", facts.number("portfolio"), ">", NATURAL_PORTFOLIO),
        ),
        lambda: any_holds(
            lambda: compare("sector_years", NATURAL_SECTOR_YEARS),
            lambda: compare("executive_months", NATURAL_EXECUTIVE_MONTHS),
        ),
        lambda: compare("avg_trades_per_quarter", NATURAL_TRADES_PER_QUARTER),
    )


def _judge_legal(facts: Facts, sheet: Worksheet) -> bool:
    def compare(name: str, minimum: int) -> bool:
        return sheet.compare(name, facts.number(name), ">=", minimum)

    return meets_enough(
        sheet,
        1,
        lambda: compare("own_funds", LEGAL_OWN_FUNDS),
        lambda: compare("net_turnover", LEGAL_TURNOVER),
        lambda: compare("balance_sheet", LEGAL_BALANCE_SHEET),
    )


TESTS = (
    InvestorTest(
        id="eu.ecspr.natural",
        title="Sophisticated investor: natural person, two of three",
        citation=f"{_REG} Annex II, I(2)",
        source="primary",
        confidence="H",
        category="eu.ecspr.sophisticated",
        currency="EUR",
        figures={
            "income": read_amount,
            "portfolio": read_amount,
            "sector_years": read_amount,
            "executive_months": read_amount,
            "avg_trades_per_quarter": read_amount,
        },
        judge=_judge_natural,
        evidence=("request and approval of the platform", "income tax assessment or portfolio statement"),
        parameters={
            "income_at_least": str(NATURAL_INCOME),
            "portfolio_above": str(NATURAL_PORTFOLIO),
            "sector_years": str(NATURAL_SECTOR_YEARS),
            "executive_months": str(NATURAL_EXECUTIVE_MONTHS),
            "trades_per_quarter": str(NATURAL_TRADES_PER_QUARTER),
        },
        effective_from=APPLIES_FROM,
    ),
    InvestorTest(
        id="eu.ecspr.legal",
        title="Sophisticated investor: legal person, one of three",
        citation=f"{_REG} Annex II, I(1)",
        source="primary",
        confidence="H",
        category="eu.ecspr.sophisticated",
        currency="EUR",
        figures={"own_funds": read_number, "net_turnover": read_amount, "balance_sheet": read_amount},
        judge=_judge_legal,
        evidence=("request and approval of the platform", "annual accounts"),
        parameters={
            "own_funds": str(LEGAL_OWN_FUNDS),
            "net_turnover": str(LEGAL_TURNOVER),
            "balance_sheet": str(LEGAL_BALANCE_SHEET),
        },
        effective_from=APPLIES_FROM,
    ),
)


def _compute_warning_threshold(facts: Facts, sheet: Worksheet) -> Number:
    threshold = _compute_threshold(facts.number("net_worth"))
    sheet.note("threshold", threshold)
    sheet.explain(
        "above {threshold}: warning, explicit consent and proof of understanding; it is no cap", threshold=threshold
    )
    return threshold


LIMITS = (
    InvestorLimit(
        id="eu.ecspr",
        title="Warning threshold of a non-sophisticated investor",
        citation=f"{_REG} art 21(7)",
        source="secondary",
        confidence="H",
        currency="EUR",
        figures={"net_worth": read_number},
        compute=_compute_warning_threshold,
        evidence=("the investor's simulation of the ability to bear loss, at most a year old",),
        parameters={"floor": str(WARNING_FLOOR), "share_of_net_worth": str(WARNING_SHARE)},
        effective_from=APPLIES_FROM,
    ),
)
