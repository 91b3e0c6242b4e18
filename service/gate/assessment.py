"""Read everything that a decision depends on, and evaluate it. Deciding, previewing and settling share this."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import InvalidInputError, NotFoundError
from service.gate.counters import CountedParties, read_counted
from service.gate.counts import Category, Counts, Slots, claim_slots, count, read_category
from service.gate.effects import ADDS_QUANTITY
from service.gate.fact_sheet import encode_facts
from service.gate.facts import AffiliateSale, TransferCase, build_facts, zone_of
from service.gate.held_credentials import HeldCredential
from service.gate.holdings import read_holdings
from service.gate.lots import Holdings, LotPart
from service.gate.parties import read_parties
from service.gate.party_facts import Party, read_residence
from service.gate.register import Holder
from service.gate.register_facts import RegisterState
from service.gate.securities import Access, describe_security, list_offerings
from service.gate.shares import Share, split_by_offering, take
from service.gate.transfer_models import PartyRef, TransferRequest
from service.gate.verdict import SEVERITY, Verdict, describe_tried, evaluate_encoded
from service.gate.windows import Window, read_windows
from service.rules.dates import add_months
from service.rules.law import CURRENT_LAW, Law
from service.storage.tables import Organization, Reservation, ReservationEnding, Transfer
from service.web.context import Context

_AFFILIATE_WINDOW_MONTHS = 3
_SALES = ("secondary", "liquidation")
_RULE_144 = "rule144"


class NoOfferingError(InvalidInputError):
    """The security has no offering under which anything could be sold."""

    code = "no_offering"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One request on its way through a transaction.

    Attributes:
        organization: Who asks: registrar of the security, or a venue with a grant.
        access: The security; overdue reservations of it have been given back.
        now: The instant of the decision.
        trade_date_in: From a regime to the trade date that counts in its zone.
        law: Version of the rules to apply.
        decides: The answer will be acted on, not only looked at.
    """

    session: AsyncSession
    context: Context
    organization: Organization
    access: Access
    request: TransferRequest
    now: datetime
    trade_date_in: Callable[[str], date]
    law: Law = CURRENT_LAW
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One offering's share of a transfer: its facts, and the lots that it takes.

    Attributes:
        facts: In the form that a bundle keeps.
    """

    offering: Mapping[str, Any]
    facts: Mapping[str, Any]
    sources: Mapping[str, Any]
    lots: Sequence[LotPart]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the rules answer to one request, and everything that they were asked with.

    Attributes:
        tried: Parts of a primary sale under other open offerings, evaluated and not chosen.
    """

    verdict: Verdict
    parts: Sequence[Part]
    parties: Sequence[Party]
    security: Mapping[str, Any]
    category: Category
    slots: Slots
    converts_to: str | None
    on: date
    tried: Sequence[Part] = field(default_factory=tuple)

    @property
    def offering_id(self) -> str:
        """The offering of the first lots, the one that a primary sale is made under, or the one converted to."""
        return self.converts_to or str(self.parts[0].offering["id"])

    @property
    def credentials(self) -> list[HeldCredential]:
        """Every credential that was looked at."""
        return [credential for party in self.parties for credential in party.credentials]


@dataclass(frozen=True, slots=True)
class Own:
    """What the transfer's own reservation already holds, when a settlement is checked."""

    parts: Sequence[LotPart]
    quantity: int
    new_quantity: int
    transfer_id: str
    offering_id: str | None


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What is read once, whatever offering turns out to apply."""

    inquiry: Inquiry
    own: Own | None
    assumed: Mapping[str, Any]
    on: date
    security: Mapping[str, Any]
    offerings: Sequence[Mapping[str, Any]]
    parties: Mapping[str, Party]
    holdings: Holdings
    counted: CountedParties
    windows: Mapping[str, Mapping[str, Any]]
    affiliate_sales: Sequence[AffiliateSale]

    def party(self, ref: PartyRef | None) -> Party | None:
        return self.parties[ref.investor_ref] if ref else None

    @property
    def pledgor(self) -> Party | None:
        """Whose lots a pledgee sells."""
        ref, is_liquidation = self.holdings.owner_ref, self.inquiry.request.action == "liquidation"
        return self.parties[ref] if ref and is_liquidation else None

    @property
    def converts_to(self) -> str | None:
        """The offering whose lots a conversion gives."""
        return self.inquiry.request.offering_id if self.inquiry.request.action == "conversion" else None


async def assess(inquiry: Inquiry, *, own: Own | None = None, assumed: Mapping[str, Any] | None = None) -> Assessment:
    """Read and evaluate.

    Args:
        own: The transfer's reservation, left out of what is taken.
        assumed: Facts of a preview that replace what is known, by path.

    Raises:
        NotFoundError: The request names an unknown offering.
        NoOfferingError: See ``code``.
    """
    inputs = await _read_inputs(inquiry, own, assumed or {})
    return _choose_assessment(inputs)


async def _read_inputs(inquiry: Inquiry, own: Own | None, assumed: Mapping[str, Any]) -> _Inputs:
    session, access, request = inquiry.session, inquiry.access, inquiry.request
    offerings = await _list_candidates(inquiry, own)
    on = inquiry.trade_date_in(offerings[0]["regime"])
    holdings = await read_holdings(session, access.head, inquiry.organization.id, request)
    parties = await read_parties(
        session,
        inquiry.context.signer,
        base_url=inquiry.context.base_url,
        org_id=inquiry.organization.id,
        refs=list_refs(request, holdings),
        now=inquiry.now,
        on=on,
    )
    return _Inputs(
        inquiry=inquiry,
        own=own,
        assumed=assumed,
        on=on,
        security=describe_security(access.head, access.terms),
        offerings=offerings,
        parties=parties,
        holdings=replace(holdings, free=own.parts) if own else holdings,
        counted=await _read_counted(inquiry, holdings),
        windows=await _read_windows(inquiry, own, offerings, on, parties),
        affiliate_sales=await _list_affiliate_sales(inquiry, on, own) if request.seller else [],
    )


async def _read_counted(inquiry: Inquiry, holdings: Holdings) -> CountedParties:
    buyer = inquiry.request.buyer
    return await read_counted(
        inquiry.session,
        inquiry.access.head,
        inquiry.organization.id,
        buyer_ref=buyer.investor_ref if buyer else None,
        owner_ref=holdings.owner_ref,
    )


async def _read_windows(
    inquiry: Inquiry,
    own: Own | None,
    offerings: Sequence[Mapping[str, Any]],
    on: date,
    parties: Mapping[str, Party],
) -> Mapping[str, Mapping[str, Any]]:
    """Read what limits over time look at, by offering; only sales by the issuer have such limits."""
    request, head = inquiry.request, inquiry.access.head
    if request.action != "primary" or request.buyer is None:
        return {}
    window = Window(
        org_id=head.org_id,
        security_id=head.id,
        offering_id="",
        issuer=inquiry.access.terms["issuer"],
        regime="",
        currency=inquiry.access.terms["currency"],
        on=on,
        now=inquiry.now,
        buyer=Holder(inquiry.organization.id, request.buyer.investor_ref),
        buyer_country=read_residence(parties[request.buyer.investor_ref]),
        except_id=own.transfer_id if own else None,
    )
    return await read_windows(inquiry.session, window, offerings, decides=inquiry.decides)


def list_refs(request: TransferRequest, holdings: Holdings) -> list[str]:
    """Return every investor whom the transfer is about."""
    named = [party.investor_ref for party in (request.seller, request.buyer) if party]
    return list(dict.fromkeys([*named, *([holdings.owner_ref] if holdings.owner_ref else [])]))


async def _list_candidates(inquiry: Inquiry, own: Own | None) -> list[dict[str, Any]]:
    head, request = inquiry.access.head, inquiry.request
    offerings = await list_offerings(inquiry.session, head.org_id, head.id)
    named = (own.offering_id if own and request.action == "primary" else None) or request.offering_id
    if named is not None:
        others = [each for each in offerings if each["id"] != named]
        offerings = [each for each in offerings if each["id"] == named]
        if not offerings:
            raise NotFoundError
        if request.action == "conversion" and others:
            return others
    if not offerings:
        raise NoOfferingError("The security has no offering.")
    return offerings


async def _list_affiliate_sales(inquiry: Inquiry, on: date, own: Own | None) -> list[AffiliateSale]:
    """Return what the seller sold under Rule 144 as an affiliate in the window, settled or still held.

    What it sold under another exemption is left out; where the lots of one sale may have gone several ways, it counts.

    Source: 17 CFR 230.144(e)(3).
    """
    head, seller = inquiry.access.head, inquiry.request.seller
    assert seller is not None
    query = (
        select(Transfer, ReservationEnding)
        .join(
            Reservation,
            (col(Reservation.org_id) == col(Transfer.org_id)) & (col(Reservation.transfer_id) == col(Transfer.id)),
        )
        .outerjoin(
            ReservationEnding,
            (col(ReservationEnding.org_id) == col(Transfer.org_id))
            & (col(ReservationEnding.transfer_id) == col(Transfer.id)),
        )
        .where(
            Transfer.registrar_org_id == head.org_id,
            Transfer.security_id == head.id,
            Transfer.org_id == inquiry.organization.id,
            Transfer.seller_ref == seller.investor_ref,
            col(Transfer.seller_affiliate).is_(True),
            col(Transfer.action).in_(_SALES),
            or_(col(Transfer.route).is_(None), col(Transfer.route).startswith(_RULE_144)),
            col(Transfer.trade_date) >= add_months(on, -_AFFILIATE_WINDOW_MONTHS),
        )
    )
    return [
        AffiliateSale(sold.trade_date, sold.quantity)
        for sold, ending in (await inquiry.session.exec(query)).all()
        if (ending is None or ending.state == "settled") and not (own and sold.id == own.transfer_id)
    ]


def _choose_assessment(inputs: _Inputs) -> Assessment:
    """Choose the offering: for a primary sale the first open one that passes, else the one that each lot follows."""
    request = inputs.inquiry.request
    if request.action != "primary":
        return _evaluate(inputs, split_by_offering(request, inputs.holdings, inputs.offerings))
    candidates = [each for each in inputs.offerings if each["state"] == "open"] or inputs.offerings[:1]
    return _choose_offering([_evaluate(inputs, [(offering, int(request.quantity), ())]) for offering in candidates])


def _choose_offering(tried: Sequence[Assessment]) -> Assessment:
    """Choose the first of the mildest outcome, and keep what was said of the others."""
    chosen = min(tried, key=lambda each: SEVERITY.index(each.verdict.outcome))
    others = [each for each in tried if each is not chosen]
    said = tuple(describe_tried(each.offering_id, each.verdict) for each in others)
    return replace(
        chosen, verdict=replace(chosen.verdict, tried=said), tried=[part for each in others for part in each.parts]
    )


def _evaluate(inputs: _Inputs, shares: Sequence[Share]) -> Assessment:
    parts = [_build_part(inputs, offering, quantity, lots) for offering, quantity, lots in shares]
    category, slots = _claim(inputs, parts[0].facts)
    return Assessment(
        verdict=evaluate_encoded([part.facts for part in parts], inputs.inquiry.law),
        parts=parts,
        parties=list(inputs.parties.values()),
        security=inputs.security,
        category=category,
        slots=slots,
        converts_to=inputs.converts_to,
        on=inputs.on,
    )


def _build_part(inputs: _Inputs, offering: Mapping[str, Any], quantity: int, lots: Sequence[LotPart]) -> Part:
    request = inputs.inquiry.request
    case = TransferCase(
        request=request,
        asserted_by=inputs.inquiry.organization.did,
        security=inputs.security,
        offering=offering,
        quantity=quantity,
        lots=lots,
        seller=inputs.party(request.seller),
        buyer=inputs.party(request.buyer),
        pledgor=inputs.pledgor,
        holdings=inputs.holdings,
        affiliate_sales=_add_other_parts(inputs, quantity),
        register=_read_register(inputs, offering["id"]),
        is_licensed=_is_licensed(inputs, offering["regime"]),
        now=inputs.inquiry.now,
        on=inputs.on,
    )
    sheet = build_facts(case)
    for path, value in inputs.assumed.items():
        sheet.put(path, value, {"kind": "assumed"})
    return Part(offering, encode_facts(sheet.values), sheet.sources, take(lots, quantity))


def _add_other_parts(inputs: _Inputs, quantity: int) -> Sequence[AffiliateSale]:
    """Return the affiliate's sales, and what this same sale takes from lots of other offerings: one class, one limit.

    Source: 17 CFR 230.144(e)(1), (h).
    """
    request = inputs.inquiry.request
    others = int(request.quantity) - quantity
    seller = request.trade.seller
    if others and seller is not None and seller.affiliate:
        return [*inputs.affiliate_sales, AffiliateSale(inputs.on, others)]
    return inputs.affiliate_sales


def _read_register(inputs: _Inputs, offering_id: str) -> RegisterState:
    head, own, counted = inputs.inquiry.access.head, inputs.own, inputs.counted
    request = inputs.inquiry.request
    quantity, added = int(request.quantity), own.new_quantity if own else 0
    awaited = counted.buyer.pending_quantity - (own.quantity if own else 0)
    return RegisterState(
        others=counted.others,
        buyer=count(counted.buyer),
        buyer_after=counted.buyer.quantity + awaited + quantity,
        owner=count(counted.owner) if counted.owner else Counts(),
        owner_awaits=counted.owner is not None and counted.owner.pending > 0,
        unissued=head.issued - head.outstanding - head.outstanding_reserved + added,
        outstanding=head.outstanding + (quantity if request.action in ADDS_QUANTITY else 0),
        windows=inputs.windows.get(offering_id, {}),
    )


def _claim(inputs: _Inputs, facts: Mapping[str, Any]) -> tuple[Category, Slots]:
    """Return what the taker will count as, and what that may add to the counts until the transfer is settled."""
    owner = inputs.counted.owner
    category = read_category(facts.get("buyer", {}))
    if owner is not None and inputs.inquiry.request.action == "recovery":
        category = Category(owner.accredited, owner.owners)  # the same subject under another ref
    exits = facts.get("seller", {}).get("exits") is True
    return category, claim_slots(category, leaving=owner if exits else None)


def _is_licensed(inputs: _Inputs, regime: str) -> bool:
    """Tell whether the caller may gate this transfer: the registrar always, a venue within its grant."""
    inquiry = inputs.inquiry
    grant = inquiry.access.grant
    if grant is None:
        return True
    terms = grant.document
    if grant.withdrawn_at is not None or (terms["actions"] and inquiry.request.action not in terms["actions"]):
        return False
    today = inquiry.now.astimezone(zone_of(regime)).date()
    if terms["valid_until"] and today > date.fromisoformat(terms["valid_until"]):
        return False
    taker = inputs.party(inquiry.request.buyer or inquiry.request.seller)
    return not terms["countries"] or read_residence(taker) in terms["countries"]
