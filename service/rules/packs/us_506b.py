"""Rule 506(b): no solicitation; accredited buyers and up to 35 sophisticated others; restricted securities."""

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType

from service.rules.dates import add_days
from service.rules.decision import Remedy
from service.rules.facts import Facts, any_holds
from service.rules.needs import AML, KYC, QUALIFIED, ask_if_held
from service.rules.packs.us_506d import BAD_ACTOR
from service.rules.packs.us_restricted import RESTRICTED_RESALE
from service.rules.rule import Deny, Finding, Note, Regime, Rule, TransferCheck

PURCHASERS = 35
WINDOW_DAYS = 90
_PRIMARY = frozenset({"primary"})
_IN_FORCE_FROM, _WINDOW_FROM = date(1982, 4, 15), date(2021, 3, 15)
_CITE = "17 CFR 230.506(b)(2)"


def _check_solicitation(facts: Facts) -> Iterator[Finding]:
    if facts.part("offering").flag("general_solicitation"):
        yield Deny("US_506B_GENERAL_SOLICITATION", Remedy("none"))


def _may_acquire(facts: Facts) -> bool:
    buyer = facts.part("buyer")
    return any_holds(lambda: buyer.flag("accredited"), lambda: buyer.flag("sophisticated"))


def _check_sophisticated(facts: Facts) -> Iterator[Finding]:
    if not _may_acquire(facts):
        yield Deny("US_506B_NOT_SOPHISTICATED", Remedy("present", purpose="us.506b"))


def _is_known_accredited(buyer: Facts) -> bool:
    return buyer.has("accredited") and buyer.flag("accredited")


def _read_sales(facts: Facts, window_days: int | None) -> list[tuple[date, int]]:
    """Return the sales to counted purchasers up to the day of this one, oldest first: the window's, or all."""
    day = facts.day("date")
    first = add_days(day, 1 - window_days) if window_days else date.min
    sales = ((sale.day("date"), int(sale.number("count"))) for sale in facts.part("state").parts("nonaccredited_sales"))
    return sorted((sold_on, count) for sold_on, count in sales if first <= sold_on <= day)


def _check_purchasers(facts: Facts, window_days: int | None) -> Iterator[Finding]:
    buyer = facts.part("buyer")
    if _is_known_accredited(buyer):
        return
    if buyer.flag("excluded_501e"):
        yield from _note_count(facts, window_days)
        return
    sales = _read_sales(facts, window_days)
    counted = sum(count for _, count in sales) + 1
    yield Note("window_count", counted)
    if counted > PURCHASERS:
        buyer.flag("accredited")  # unknown, it may be what takes the buyer out of the count
        free_on = _find_free_day(sales, counted, window_days) if window_days else None
        remedy = Remedy("wait_until", at=free_on) if free_on else Remedy("none")
        yield Deny("US_506B_35_LIMIT", remedy, {"limit": PURCHASERS})


def _note_count(facts: Facts, window_days: int | None) -> Iterator[Finding]:
    """Note the count that a purchaser who is left out of it doesn't change; unknown, it doesn't matter."""
    if facts.has("state") and facts.part("state").has("nonaccredited_sales"):
        yield Note("window_count", sum(count for _, count in _read_sales(facts, window_days)))


def _find_free_day(sales: list[tuple[date, int]], counted: int, window_days: int) -> date | None:
    """Return the first day on which enough of the earlier sales have left the window."""
    for sold_on, count in sales:
        counted -= count
        if counted <= PURCHASERS:
            return add_days(sold_on, window_days)
    return None


def _check_purchasers_of_offering(facts: Facts) -> Iterator[Finding]:
    yield from _check_purchasers(facts, None)


def _check_purchasers_in_window(facts: Facts) -> Iterator[Finding]:
    yield from _check_purchasers(facts, WINDOW_DAYS)


def _rule(
    name: str,
    citation: str,
    check: TransferCheck,
    *inputs: str,
    effective_from: date = _IN_FORCE_FROM,
    effective_to: date | None = None,
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> Rule:
    return Rule(
        id=f"us.506b.{name}",
        citation=citation,
        source="secondary",
        confidence="H",
        basis="law",
        inputs=inputs,
        actions=_PRIMARY,
        effective_from=effective_from,
        effective_to=effective_to,
        parameters=parameters,
        check=check,
    )


_COUNTED = ("date", "buyer.accredited", "buyer.excluded_501e", "state.nonaccredited_sales")
REGIMES = (
    Regime(
        id="us.506b",
        title="Regulation D, Rule 506(b)",
        citation="17 CFR 230.506(b)",
        source="secondary",
        confidence="H",
        needs=(KYC, AML, ask_if_held(QUALIFIED)),
        effective_from=_IN_FORCE_FROM,
        rules=(
            BAD_ACTOR,
            _rule("solicitation", "17 CFR 230.502(c)", _check_solicitation, "offering.general_solicitation"),
            _rule("sophisticated", f"{_CITE}(ii)", _check_sophisticated, "buyer.accredited", "buyer.sophisticated"),
            _rule(
                "purchasers_of_offering",
                f"{_CITE}(i); 501(e)",
                _check_purchasers_of_offering,
                *_COUNTED,
                effective_to=add_days(_WINDOW_FROM, -1),
                parameters={"purchasers": str(PURCHASERS), "counted": "in the offering"},
            ),
            _rule(
                "purchasers",
                f"{_CITE}(i); 501(e)",
                _check_purchasers_in_window,
                *_COUNTED,
                effective_from=_WINDOW_FROM,
                parameters={"purchasers": str(PURCHASERS), "window_days": str(WINDOW_DAYS)},
            ),
            RESTRICTED_RESALE,
        ),
        may_acquire=_may_acquire,
    ),
)
