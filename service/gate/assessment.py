"""Evaluate one request with everything that was read for it. Pure; deciding, previewing and settling share this."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from service.errors import InvalidInputError, NotFoundError
from service.gate.counters import CountedParties, find_counted
from service.gate.counts import Category, Counts, Slots, claim_slots, count, read_category
from service.gate.decisions import make_pseudonym
from service.gate.effects import ADDS_QUANTITY
from service.gate.fact_sheet import settle_facts
from service.gate.facts import AffiliateSale, TransferCase, build_facts, zone_of
from service.gate.held_credentials import HeldCredential
from service.gate.holdings import find_holdings
from service.gate.lots import Holdings, LotPart
from service.gate.parties import PartySource
from service.gate.party_facts import Party, read_residence
from service.gate.register import Access, Held
from service.gate.register_facts import RegisterState
from service.gate.rows import Head, Holder, OrganizationRow, PledgeRow, TransferRow
from service.gate.shares import Share, split_by_offering, take
from service.gate.transfer_models import PartyRef, TransferRequest
from service.gate.verdict import SEVERITY, Verdict, describe_tried, evaluate_facts
from service.gate.windows import Window
from service.keys import Signer
from service.rules.dates import add_months
from service.rules.law import CURRENT_LAW, Law

AFFILIATE_WINDOW_MONTHS = 3
_SALES = ("secondary", "liquidation")
_RULE_144 = "rule144"


class NoOfferingError(InvalidInputError):
    """The security has no offering under which anything could be sold."""

    code = "no_offering"


@dataclass(frozen=True, slots=True)
class Own:
    """The transfer that is being settled, with what it holds."""

    transfer: TransferRow
    held: Held

    @property
    def quantity(self) -> int:
        """What is on its way to the taker by it."""
        return self.held.row.quantity if self.held.row.taker else 0


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One request, and everything that was read for it.

    Attributes:
        signer: Makes the parties' pseudonyms.
        organization: Who asks: registrar of the security, or a venue with a grant.
        access: The security; overdue reservations of it have been given back.
        records: What the organization holds about the parties.
        holders: By investor ref, who the parties are in the register.
        pledges: By id, the pledges of a liquidation's lots.
        now: The instant of the decision.
        trade_date_in: From a regime to the trade date that counts in its zone.
        windows: By offering, what limits over time look at.
        law: Version of the rules to apply.
        own: The transfer's own reservation, when a settlement is checked.
        assumed: Facts of a preview that replace what is known, by path.
        withheld: Facts that nobody can know, by path or by everything below one.
    """

    signer: Signer
    organization: OrganizationRow
    registrar: OrganizationRow
    access: Access
    records: PartySource
    holders: Mapping[str, Holder]
    pledges: Mapping[str, PledgeRow]
    request: TransferRequest
    now: datetime
    trade_date_in: Callable[[str], date]
    windows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    law: Law = CURRENT_LAW
    own: Own | None = None
    assumed: Mapping[str, Any] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    _pseudonyms: dict[str, str] = field(default_factory=dict)

    def name_party(self, ref: str) -> str:
        """Return an investor's pseudonym; a decision names each party several times."""
        name = self._pseudonyms.get(ref)
        if name is None:
            name = make_pseudonym(self.signer, org_id=self.organization.id, investor_ref=ref)
            self._pseudonyms[ref] = name
        return name

    @property
    def head(self) -> Head:
        """The security's counters."""
        return self.access.register.head


@dataclass(frozen=True, slots=True)
class Part:
    """One offering's share of a transfer: its facts, and the lots that it takes.

    Attributes:
        facts: In the form that a bundle keeps.
        read: The same as the rules read them.
    """

    offering: Mapping[str, Any]
    facts: Mapping[str, Any]
    read: Mapping[str, Any]
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
class _Inputs:
    """What is the same whatever offering turns out to apply."""

    inquiry: Inquiry
    on: date
    security: Mapping[str, Any]
    offerings: Sequence[Mapping[str, Any]]
    parties: Mapping[str, Party]
    holdings: Holdings
    counted: CountedParties
    affiliate_sales: Sequence[AffiliateSale]

    def party(self, ref: PartyRef | None) -> Party | None:
        return self.parties[ref.investor_ref] if ref else None

    @property
    def pledgor(self) -> Party | None:
        """Whose lots a pledgee sells."""
        ref = self.holdings.pledgor_ref
        return self.parties[ref] if ref else None

    @property
    def converts_to(self) -> str | None:
        """The offering whose lots a conversion gives."""
        return self.inquiry.request.offering_id if self.inquiry.request.action == "conversion" else None


def assess(inquiry: Inquiry) -> Assessment:
    """Evaluate.

    Raises:
        NotFoundError: The request names an unknown offering.
        NoOfferingError: See ``code``.
        InvalidTransferError: See ``find_holdings``.
    """
    return _choose_assessment(_gather_inputs(inquiry))


def assess_each_offering(inquiry: Inquiry) -> list[Assessment]:
    """Evaluate under every open offering, as if all that is asked for were, or came from, lots of it alone."""
    inputs = _gather_inputs(inquiry)
    candidates = [each for each in inputs.offerings if each["state"] == "open"] or inputs.offerings[:1]
    quantity, free = int(inquiry.request.quantity), inputs.holdings.free
    return [
        _evaluate(inputs, [(offering, quantity, [part for part in free if part.lot.offering_id == offering["id"]])])
        for offering in candidates
    ]


def _gather_inputs(inquiry: Inquiry) -> _Inputs:
    register, request, own = inquiry.access.register, inquiry.request, inquiry.own
    offerings = list_candidates(inquiry)
    on = inquiry.trade_date_in(offerings[0]["regime"])
    holdings = find_holdings(register, inquiry.organization.id, request, inquiry.holders, inquiry.pledges)
    refs = list_refs(request, holdings.pledgor_ref)
    return _Inputs(
        inquiry=inquiry,
        on=on,
        security={"id": register.head.id, "version": register.head.version, **register.terms},
        offerings=offerings,
        parties={ref: describe_party(inquiry, ref, on) for ref in refs},
        holdings=replace(holdings, free=own.held.parts) if own else holdings,
        counted=_find_counted(inquiry, holdings),
        affiliate_sales=_list_affiliate_sales(inquiry, on),
    )


def describe_party(inquiry: Inquiry, ref: str, on: date) -> Party:
    """Return what is known about a party of the request."""
    return inquiry.records.describe((inquiry.organization.id, ref), now=inquiry.now, on=on)


def _find_counted(inquiry: Inquiry, holdings: Holdings) -> CountedParties:
    buyer = inquiry.request.buyer
    taker = inquiry.holders[buyer.investor_ref] if buyer else Holder(inquiry.organization.id, "")
    return find_counted(inquiry.access.register, buyer=taker, owner=holdings.owner)


def list_refs(request: TransferRequest, pledgor_ref: str | None = None) -> list[str]:
    """Return every investor whom the transfer is about, as the organisation knows them."""
    named = [party.investor_ref for party in (request.seller, request.buyer) if party]
    return list(dict.fromkeys([*named, *([pledgor_ref] if pledgor_ref else [])]))


def list_candidates(inquiry: Inquiry) -> list[dict[str, Any]]:
    """Return the offerings under which the transfer could be made, or by which its lots can be replaced.

    Raises:
        NotFoundError: The request names an unknown offering.
        NoOfferingError: See ``code``.
    """
    request, own = inquiry.request, inquiry.own
    offerings = inquiry.access.register.list_offerings()
    named = (own.transfer.offering_id if own and request.action == "primary" else None) or request.offering_id
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


def describe_window(inquiry: Inquiry) -> Window | None:
    """Return whose sales and offers limits over time look at; None if there are none for such a transfer."""
    request, head, terms = inquiry.request, inquiry.head, inquiry.access.register.terms
    if request.action != "primary" or request.buyer is None:
        return None
    on = inquiry.trade_date_in(list_candidates(inquiry)[0]["regime"])
    return Window(
        org_id=head.org_id,
        security_id=head.id,
        offering_id="",
        issuer=terms["issuer"],
        regime="",
        currency=terms["currency"],
        on=on,
        now=inquiry.now,
        buyer=inquiry.holders[request.buyer.investor_ref],
        buyer_country=read_residence(describe_party(inquiry, request.buyer.investor_ref, on)),
        except_id=inquiry.own.transfer.id if inquiry.own else None,
    )


def _list_affiliate_sales(inquiry: Inquiry, on: date) -> list[AffiliateSale]:
    """Return what the seller sold under Rule 144 as an affiliate in the window, settled or still held.

    Source: 17 CFR 230.144(e)(3).
    """
    if inquiry.request.seller is None:
        return []
    sales = inquiry.access.register.list_affiliate_sales(
        inquiry.holders[inquiry.request.seller.investor_ref],
        since=add_months(on, -AFFILIATE_WINDOW_MONTHS),
        except_id=inquiry.own.transfer.id if inquiry.own else None,
    )
    return [AffiliateSale(sale.sold_on, sale.quantity) for sale in sales]


def find_affiliate(inquiry: Inquiry, route: str | None) -> Holder | None:
    """Return whose volume of an affiliate's sales a permit uses up; None if it uses up nobody's.

    What is sold under another exemption is left out; where the lots of one sale may have gone several ways, it counts.

    Source: 17 CFR 230.144(e)(3).
    """
    request = inquiry.request
    seller = request.trade.seller
    is_sale = request.action in _SALES and (route is None or route.startswith(_RULE_144))
    if request.seller is None or seller is None or seller.affiliate is not True or not is_sale:
        return None
    return inquiry.holders[request.seller.investor_ref]


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
        verdict=evaluate_facts([part.read for part in parts], inputs.inquiry.law),
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
    for path, value in inputs.inquiry.assumed.items():
        sheet.put(path, value, {"kind": "assumed"})
    for path in inputs.inquiry.withheld:
        sheet.withhold(path)
    facts, read = settle_facts(sheet)
    return Part(offering, facts, read, sheet.sources, take(lots, quantity))


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
    head, own, counted = inputs.inquiry.head, inputs.inquiry.own, inputs.counted
    request = inputs.inquiry.request
    quantity, added = int(request.quantity), own.held.row.new_quantity if own else 0
    awaited = counted.buyer.pending_quantity - (own.quantity if own else 0)
    return RegisterState(
        others=counted.others,
        buyer=count(counted.buyer),
        buyer_after=counted.buyer.quantity + awaited + quantity,
        owner=count(counted.owner) if counted.owner else Counts(),
        owner_awaits=counted.owner is not None and counted.owner.pending > 0,
        unissued=head.issued - head.outstanding - head.outstanding_reserved + added,
        outstanding=head.outstanding + (quantity if request.action in ADDS_QUANTITY else 0),
        windows=inputs.inquiry.windows.get(offering_id, {}),
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
