"""From security, standings, register and request to the rules' facts. Pure: everything read comes in as a case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from service.credentials.credential_types import RULE_ZONES
from service.gate.approvals import count_approvers
from service.gate.fact_sheet import FactSheet, Section, Source, make_section
from service.gate.lots import Holdings, LotPart, clock_start
from service.gate.memory import Memory
from service.gate.party_facts import Party, Question, is_natural, put_party
from service.gate.register_facts import (
    REGISTER,
    RegisterState,
    add_investments,
    put_counts,
    put_voting_share,
    put_windows,
)
from service.gate.transfer_models import Document, PartyInTrade, Trade, TransferRequest, VerificationByCaller
from service.gate.values import count_hours, price_per_unit
from service.rules import REGIMES

_NUMBERS = ("total_assets", "awtv", "ms_threshold")
_APART = frozenset(
    (
        *("id", "security_id", "version", "state", "countries_allowed", "countries_blocked", "min_quantity"),
        *("converts_to", "dcp_start", "last_issued_on"),
    )
)
"""Terms of an offering that are no facts, or are combined with others first."""
_DATES = ("dcp_start", "class_outstanding_since", "lockup_until")
_FALSE_UNLESS_SAID = ("offshore", "regs_certified")
_KEEPS_OWNER = {"pledge", "release", "conversion"}
_BUYER_FALSE_UNLESS_SAID = ("excluded_501e",)
_TRADE_FALSE_UNLESS_SAID = ("info_package", "info_rights_144a")
# Read one by one: pydantic's own way to a mapping costs a tenth of what all facts do.
_OF_DOCUMENT = tuple(name for name in Document.model_fields if name != "authority")
_OF_TRADE = tuple(name for name in Trade.model_fields if name not in ("buyer", "seller"))
_OF_PARTY = tuple(name for name in PartyInTrade.model_fields if name not in ("verification", "cf_purchases"))
_OF_VERIFICATION = tuple(VerificationByCaller.model_fields)


@dataclass(frozen=True, slots=True)
class AffiliateSale:
    """A sale by the seller as an affiliate, settled or still reserved."""

    on: date
    quantity: int


@dataclass(frozen=True, slots=True)
class TransferCase:
    """Everything that one evaluation depends on.

    Attributes:
        asserted_by: DID of the caller, whose word the request is.
        security, offering: Published form: terms, ``id`` and ``version``.
        quantity: The part of the request that this offering's lots carry.
        lots: The seller's free lots under this offering, in the order in which they are taken.
        is_licensed: The caller is the registrar, or a venue whose grant covers this transfer.
    """

    request: TransferRequest
    asserted_by: str
    security: Mapping[str, Any]
    offering: Mapping[str, Any]
    quantity: int
    lots: Sequence[LotPart]
    seller: Party | None
    buyer: Party | None
    pledgor: Party | None
    holdings: Holdings
    affiliate_sales: Sequence[AffiliateSale]
    register: RegisterState
    is_licensed: bool
    now: datetime
    on: date


def zone_of(regime: str) -> tzinfo:
    """Return the zone in which a regime counts days."""
    return RULE_ZONES.get(regime.partition(".")[0].upper(), UTC)


def build_facts(case: TransferCase) -> FactSheet:
    """Build what ``evaluate_transfer`` takes, every value with its source; what nobody supplied stays absent."""
    sheet = FactSheet()
    _put_transfer(sheet, case)
    _put_terms(sheet, case)
    for role, party in (("seller", case.seller), ("buyer", case.buyer), ("pledgor", case.pledgor)):
        if party is not None:
            put_party(sheet, role, party, _ask(case, role))
            _put_part_in_trade(sheet, role, case)
            if case.request.action == "recovery":
                # The same subject under two refs: what they have in common is the KYC that they are bound to.
                sheet.put(f"{role}.id", party.subject, {"kind": "standing"})
    _put_register(sheet, case)
    _put_investments(sheet, case)
    return sheet


def _ask(case: TransferCase, role: str) -> Question:
    regime = case.offering["regime"]
    pack = REGIMES[regime]
    asked = role == "buyer" and case.request.action in pack.asks_on
    return Question(
        now=case.now,
        on=case.on,
        zone=zone_of(regime),
        regime=regime,
        currency=case.security["currency"],
        institutions=frozenset({case.asserted_by}),
        asks_category=pack.asks_category if asked else None,
        max_screen_age_hours=case.security["policy"]["max_screen_age_hours"],
    )


def _put_transfer(sheet: FactSheet, case: TransferCase) -> None:
    asked: Source = {"kind": "request", "asserted_by": case.asserted_by}
    request = case.request
    sheet.put("action", request.action, asked)
    sheet.put("date", case.on, asked)
    sheet.put("qty", case.quantity, asked)
    sheet.put("price", price_per_unit(request.price.amount, case.security["unit_decimals"]), asked)
    sheet.put("approvals", count_approvers(request), asked)
    if request.document:
        sheet.put_attributes("doc", request.document, _OF_DOCUMENT, asked)
    for name in _TRADE_FALSE_UNLESS_SAID:
        sheet.put(f"trade.{name}", False, {"kind": "request", "detail": "not asserted"})
    if "liquidation_route" in request.trade.model_fields_set:
        sheet.put("trade.liquidation_route", None, asked)  # null says that none is shown
    sheet.put_attributes("trade", request.trade, _OF_TRADE, asked)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the facts about offering and policy depend on."""

    security: Mapping[str, Any]
    offering: Mapping[str, Any]
    outstanding: int | None
    state: str
    minimum: int
    convertible: bool | None


_TERMS_KEPT = 256
_offerings: Memory[tuple[Section, Section]] = Memory(_TERMS_KEPT)


def _put_terms(sheet: FactSheet, case: TransferCase) -> None:
    security, offering = case.security, case.offering
    asks = case.request.action == "conversion"
    terms = _Terms(
        security,
        offering,
        outstanding=case.register.outstanding if offering["outstanding"] is None else None,
        state=_combine_states(case),
        minimum=_find_minimum(case),
        convertible=case.request.offering_id in offering.get("converts_to", ()) if asks else None,
    )
    about = case.asserted_by, security["id"], offering["id"], case.request.action
    sections = _offerings.recall(about, terms)
    if sections is None:
        sections = _build_offering(terms), _build_policy(terms)
        _offerings.keep(about, terms, sections)
    sheet.begin("offering", sections[0])
    sheet.begin("policy", sections[1])
    of_security: Source = {"kind": "security", "id": security["id"], "version": security["version"]}
    for name, cap in security["caps"].items():
        if cap is not None:
            sheet.put(f"caps.{name}", case.register.raise_cap(name, cap), of_security)


def _build_offering(case: _Terms) -> Section:
    sheet, security, offering = FactSheet(), case.security, case.offering
    of_offering: Source = {"kind": "offering", "id": offering["id"], "version": offering["version"]}
    of_security: Source = {"kind": "security", "id": security["id"], "version": security["version"]}
    terms = {name: _read_term(name, value) for name, value in offering.items() if name not in _APART}
    sheet.put_all("offering", terms, of_offering)
    _put_compliance_period(sheet, offering, of_offering)
    if offering["issuer"] is None:
        sheet.put("offering.issuer", security["issuer"], of_security)
    if offering["outstanding"] is None:
        sheet.put("offering.outstanding", case.outstanding, REGISTER)
    sheet.put("offering.unit_decimals", security["unit_decimals"], of_security)
    sheet.put("offering.state", case.state, of_security)
    sheet.put("offering.countries_allowed", _combine_allowed(security, offering), of_security)
    blocked = sorted({*security["countries_blocked"], *offering["countries_blocked"]})
    sheet.put("offering.countries_blocked", blocked, of_security)
    sheet.put("offering.min_quantity", case.minimum, of_security)
    sheet.put("offering.lien_allowed", offering.get("lien_allowed", True), of_offering)
    if case.convertible is not None:
        sheet.put("offering.convertible", case.convertible, of_offering)
    return make_section("offering", sheet)


def _build_policy(case: _Terms) -> Section:
    sheet, security = FactSheet(), case.security
    of_security: Source = {"kind": "security", "id": security["id"], "version": security["version"]}
    sheet.put("policy.max_state_age_hours", None, of_security)
    sheet.put_present("policy", security["policy"], of_security)
    return make_section("policy", sheet)


def _put_compliance_period(sheet: FactSheet, offering: Mapping[str, Any], stated: Source) -> None:
    """Let the period begin with the later of the stated day and the issuer's last sale: until then it was not closed.

    Source: 17 CFR 230.902(f).
    """
    start, sold_on = (_read_term("dcp_start", offering.get(name)) for name in ("dcp_start", "last_issued_on"))
    if start is not None and sold_on is not None and sold_on > start:
        sheet.put("offering.dcp_start", sold_on, REGISTER)
    else:
        sheet.put("offering.dcp_start", start, stated)


def _read_term(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _NUMBERS:
        return Decimal(value)
    if name in _DATES:
        return date.fromisoformat(value)
    return int(value) if name == "outstanding" else value


def _combine_states(case: TransferCase) -> str:
    """Return the stricter state; a closed security is closed to sales and halted for everything else."""
    states = {case.security["state"], case.offering["state"]}
    if case.security["state"] == "closed" and case.request.action != "primary":
        return "halted"
    return next((state for state in ("halted", "closed") if state in states), "open")


def _combine_allowed(security: Mapping[str, Any], offering: Mapping[str, Any]) -> list[str] | None:
    lists = [terms["countries_allowed"] for terms in (security, offering) if terms["countries_allowed"] is not None]
    return sorted(set(lists[0]).intersection(*lists)) if lists else None


def _find_minimum(case: TransferCase) -> int:
    """Return the minimum that binds this part: it is meant for the whole transfer, not for each offering's share."""
    minimum = max(int(case.security["min_quantity"]), int(case.offering["min_quantity"]))
    return min(minimum, case.quantity) if int(case.request.quantity) >= minimum else minimum


def _put_register(sheet: FactSheet, case: TransferCase) -> None:
    register = REGISTER
    sheet.put("venue.licensed", case.is_licensed, register)
    exits = _leaves(case)
    put_counts(sheet, case.register, exits=exits)
    put_windows(sheet, case.register.windows)
    if case.seller is not None:
        sheet.put("seller.lots", [_describe_part(case, part) for part in case.lots], register)
        sheet.put("seller.exits", exits, register)
        sales = [{"date": sale.on, "qty": sale.quantity} for sale in case.affiliate_sales]
        sheet.put("seller.affiliate_sales", sales, register)
    if case.buyer is not None:
        sheet.put("buyer.existing_holder", case.register.buyer.holders > 0, register)
        put_voting_share(sheet, case.register, voting=case.security.get("voting", True))
        sheet.put("buyer.hold_only", case.holdings.may_only_hold, register)
    as_of = case.security.get("register_as_of")
    if as_of is not None:
        sheet.put("state.age_hours", count_hours(case.now - datetime.fromisoformat(as_of)), register)


def _leaves(case: TransferCase) -> bool:
    """Tell whether the owner has nothing left afterwards, and nothing on its way to them."""
    sells_all = case.holdings.owner_position == int(case.request.quantity) and not case.register.owner_awaits
    return case.seller is not None and sells_all and case.request.action not in _KEEPS_OWNER


def _describe_part(case: TransferCase, part: LotPart) -> dict[str, Any]:
    lot = part.lot
    values = {
        "qty": part.quantity,
        "lien": lot.lien_transfer_id is not None,
        "acquired_on": lot.acquired_on,
        "paid_in_full_on": lot.paid_in_full_on,
        "from_": lot.acquired_from,
        "tack_from": lot.tack_from,
        "issued_on": lot.issued_on,
    }
    if case.request.action == "liquidation":
        values |= _describe_pledged(case, part)
    stated = {name: value for name, value in values.items() if value is not None}
    return {"paid_in_full_on": None, **stated}  # null: paid when it was acquired


def _describe_pledged(case: TransferCase, part: LotPart) -> dict[str, Any]:
    """Say how a pledgee holds: since the pledgor does if there is recourse, else since the pledge.

    Source: 17 CFR 230.144(d)(3)(iv).
    """
    if part.lot.lien_recourse:
        return {"from_": "pledge_recourse", "tack_from": clock_start(part.lot)}
    pledged_on = case.holdings.pledged_on.get(part.lot.lien_transfer_id or "")
    return {"from_": "pledge_nonrecourse", "acquired_on": pledged_on, "paid_in_full_on": None, "tack_from": None}


def _put_investments(sheet: FactSheet, case: TransferCase) -> None:
    buyer = case.request.trade.buyer
    if buyer is not None and buyer.cf_purchases is not None:
        elsewhere = [{"date": each.date, "amount": Decimal(each.amount)} for each in buyer.cf_purchases]
        add_investments(sheet, elsewhere, {"kind": "request", "asserted_by": case.asserted_by})


def _put_part_in_trade(sheet: FactSheet, role: str, case: TransferCase) -> None:
    asked: Source = {"kind": "request", "asserted_by": case.asserted_by}
    for name in _FALSE_UNLESS_SAID + (_BUYER_FALSE_UNLESS_SAID if role == "buyer" else ()):
        sheet.put(f"{role}.{name}", False, {"kind": "request", "detail": "not asserted"})
    party = case.buyer if role == "buyer" else None
    if party is not None and is_natural(party):
        sheet.put("buyer.is_fund", False, {"kind": "standing"})
    part: PartyInTrade | None = getattr(case.request.trade, role, None)
    if part is None:
        return
    sheet.put_attributes(role, part, _OF_PARTY, asked)
    if part.verification:
        sheet.put_attributes(f"{role}.verification", part.verification, _OF_VERIFICATION, asked)
