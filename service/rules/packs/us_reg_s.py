"""Regulation S: offshore sales, the distribution compliance period, and resale under Rule 904 or at home.

During the period the issuer must refuse transfers that Regulation S does not allow; this gate is that refusal.

Source: 17 CFR 230.901-905.
"""

from collections.abc import Iterator
from datetime import date

from service.rules.dates import add_days, add_months
from service.rules.decision import Basis, Remedy
from service.rules.facts import Facts, MissingFactError, all_hold, any_holds, once
from service.rules.needs import AML, KYC_US_PERSON
from service.rules.packs.us_control import CONTROL_ROUTES
from service.rules.packs.us_resale import (
    Attempt,
    TryRoute,
    attempt_route,
    is_gift_for_nothing,
    raise_missing,
    try_routes,
    yield_group,
    yield_open_route,
)
from service.rules.packs.us_restricted import INPUTS, PARAMETERS, RESALE_ROUTES
from service.rules.rule import RESALES, SALES, Deny, Finding, Note, Regime, Require, Rule, TransferCheck

DCP_DAYS = 40
DCP_MONTHS_EQUITY, DCP_MONTHS_EQUITY_REPORTING = 12, 6
_PRIMARY = frozenset({"primary"})
_CERTIFY = Remedy("represent", purpose="us.reg_s")


@once
def find_last_restricted_day(facts: Facts) -> date | None:
    """Return the last day of the distribution compliance period, or None where the category has none.

    The day on which the period starts is not counted.

    Source: 17 CFR 230.903(b)(2)(ii), (b)(3)(ii)(A), (b)(3)(iii)(A); 230.902(f).
    """
    offering = facts.part("offering")
    category = offering.number("category")
    if category == 1:
        return None
    if category == 2 or offering.text("security") == "debt":
        return add_days(offering.day("dcp_start"), DCP_DAYS)
    months = DCP_MONTHS_EQUITY_REPORTING if offering.flag("reporting") else DCP_MONTHS_EQUITY
    return add_months(offering.day("dcp_start"), months)


def _is_inside_period(facts: Facts) -> bool:
    last_day = _find_period_end(facts)
    return last_day is not None and facts.day("date") <= last_day


def _find_period_end(facts: Facts) -> date | None:
    """Return the last restricted day; where its kind is unknown, the last of any kind once that is over."""
    try:
        return find_last_restricted_day(facts)
    except MissingFactError:
        offering = facts.part("offering")
        latest = add_months(offering.day("dcp_start"), DCP_MONTHS_EQUITY) if offering.has("dcp_start") else None
        if latest is None or facts.day("date") <= latest:
            raise
        return latest


def _is_restricted(facts: Facts) -> bool:
    """Tell whether Rule 905 makes the security restricted: equity of a domestic issuer."""
    offering = facts.part("offering")
    return all_hold(lambda: offering.text("security") == "equity", lambda: offering.flag("issuer_domestic"))


def _is_category_3(facts: Facts) -> bool:
    return facts.part("offering").number("category") == 3


def _check_us_person(facts: Facts) -> Iterator[Finding]:
    if facts.part("buyer").flag("us_person"):
        offering = facts.part("offering")
        by_law = not offering.has("category") or offering.number("category") != 1
        yield Deny("US_REGS_US_PERSON", Remedy("none"), basis="law" if by_law else "firm_policy")


def _check_offshore(facts: Facts) -> Iterator[Finding]:
    if not facts.part("buyer").flag("offshore"):
        yield Deny("US_REGS_NOT_OFFSHORE", Remedy("none"))


def _check_certified(facts: Facts) -> Iterator[Finding]:
    if all_hold(lambda: not facts.part("buyer").flag("regs_certified"), lambda: _is_category_3(facts)):
        yield Deny("US_REGS_CERT_MISSING", _CERTIFY)


def _check_legend(facts: Facts) -> Iterator[Finding]:
    try:
        needed = all_hold(lambda: _is_category_3(facts), lambda: _is_inside_period(facts))
    except MissingFactError:
        needed = True  # nothing has shown that the lot may go without one
    if needed:
        yield Require("OBL_LEGEND")


def _try_904(facts: Facts) -> Attempt:
    """Try Rule 904: an offshore resale to a non-US person by somebody who is no affiliate of the issuer."""
    return attempt_route("reg_s_904", facts, _meets_904)


def _meets_904(facts: Facts, _attempt: Attempt) -> bool:
    buyer = facts.part("buyer")
    return all_hold(
        lambda: not buyer.flag("us_person"),
        lambda: buyer.flag("offshore"),
        lambda: not facts.part("seller").flag("affiliate"),
        lambda: not _is_category_3(facts) or buyer.flag("regs_certified") or not _is_inside_period(facts),
    )


def _check_resale(facts: Facts) -> Iterator[Finding]:
    yield from _note_last_day(facts)
    own = _try_904(facts)
    if own.is_open:
        yield from yield_open_route(own)
        return
    last_day = _find_period_end(facts)
    if last_day is not None and facts.day("date") <= last_day:
        yield from _check_inside_period(facts, add_days(last_day, 1))
    elif not is_gift_for_nothing(facts) and (routes := _home_routes(facts)):
        yield from yield_group([own, *try_routes(facts, routes)])


def _note_last_day(facts: Facts) -> Iterator[Finding]:
    try:
        last_day = find_last_restricted_day(facts)
    except MissingFactError:
        return  # reported below if the verdict turns on it
    if last_day is not None:
        yield Note("dcp_last_day", last_day)


def _check_inside_period(facts: Facts, free_from: date) -> Iterator[Finding]:
    """Yield what becomes of a resale that Rule 904 does not carry: another exemption helps only if policy lets it."""
    allowed = facts.part("policy").flag("allow_exempt_flowback")
    exempt = try_routes(facts, RESALE_ROUTES)
    if allowed and exempt[-1].is_open:
        yield from yield_group(exempt)
        return
    yield from _note_all(exempt)
    if allowed:
        raise_missing(exempt)
    yield from _refuse_inside_period(facts, free_from, exempt_by_law=exempt[-1].is_open)


def _note_all(attempts: list[Attempt]) -> Iterator[Finding]:
    for attempt in attempts:
        yield from (Note(name, value) for name, value in attempt.notes.items())


def _refuse_inside_period(facts: Facts, free_from: date, *, exempt_by_law: bool) -> Iterator[Finding]:
    """Yield why Rule 904 is closed; where another exemption is open, only policy keeps the transfer out."""
    basis: Basis = "firm_policy" if exempt_by_law else "law"
    wait, buyer = Remedy("wait_until", at=free_from), facts.part("buyer")
    if buyer.flag("us_person"):
        yield Deny("US_REGS_DCP", wait, basis=basis)
        return
    if not buyer.flag("offshore"):
        yield Deny("US_REGS_NOT_OFFSHORE", wait, basis=basis)
    if _is_category_3(facts) and not buyer.flag("regs_certified"):
        yield Deny("US_REGS_CERT_MISSING", _CERTIFY, basis=basis)
    if facts.part("seller").flag("affiliate"):
        yield Deny("US_RESALE_NO_EXEMPTION", wait, basis=basis)


def _home_routes(facts: Facts) -> list[TryRoute]:
    """Return the exemptions of which a resale at home needs one; none are needed for what nobody restricts."""
    if _is_restricted(facts):
        return list(RESALE_ROUTES)
    if facts.part("seller").flag("affiliate"):
        return list(CONTROL_ROUTES)
    return []


def _may_acquire(facts: Facts) -> bool:
    return any_holds(
        lambda: not facts.part("buyer").flag("us_person"),
        lambda: not _is_inside_period(facts) and not _is_restricted(facts),
    )


def _rule(name: str, cite: str, check: TransferCheck, actions: frozenset[str], inputs: str, **parameters: str) -> Rule:
    return Rule(
        id=f"us.reg_s.{name}",
        citation=f"17 CFR {cite}",
        source="secondary",
        confidence="M" if name == "resale" else "H",
        basis="law",
        inputs=tuple(inputs.split()),
        actions=actions,
        effective_from=date(1990, 5, 2),
        parameters=parameters,
        check=check,
    )


_PERIOD = "date offering.category offering.security offering.reporting offering.dcp_start"
REGIMES = (
    Regime(
        id="us.reg_s",
        title="Regulation S",
        citation="17 CFR 230.901-905",
        source="secondary",
        confidence="H",
        needs=(KYC_US_PERSON, AML),
        effective_from=date(1990, 5, 2),
        rules=(
            _rule("us_person", "230.903(b), 902(k)", _check_us_person, _PRIMARY, "buyer.us_person offering.category"),
            _rule("offshore", "230.903(a)(1), 902(h)", _check_offshore, _PRIMARY, "buyer.offshore"),
            _rule("certified", "230.903(b)(3)", _check_certified, _PRIMARY, "buyer.regs_certified offering.category"),
            _rule("legend", "230.903(b)(3)(iii)(B)(3)", _check_legend, SALES | {"forced", "inheritance"}, _PERIOD),
            _rule(
                "resale",
                "230.903(b), 904, 905",
                _check_resale,
                RESALES,
                f"{_PERIOD} offering.issuer_domestic buyer.us_person buyer.offshore buyer.regs_certified "
                f"policy.allow_exempt_flowback {INPUTS}",
                dcp_days=str(DCP_DAYS),
                dcp_months_equity=str(DCP_MONTHS_EQUITY),
                dcp_months_equity_reporting=str(DCP_MONTHS_EQUITY_REPORTING),
                **PARAMETERS,
            ),
        ),
        may_acquire=_may_acquire,
    ),
)
