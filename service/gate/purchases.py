"""Sales by the issuer on their way through the register: promised, settled or given up, and who was offered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.values import key_of_name
from service.gate.windows import counts_offerees, keeps_purchases
from service.rules import REGIMES
from service.storage.tables import DailySales, Offeree, Offering, Purchase, Security, Transfer


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale by the issuer, as it was decided.

    Attributes:
        facts: What the rules were given, in the form that a bundle keeps.
    """

    offering_id: str
    regime: str
    currency: str
    facts: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        """The key under which the issuer's sales are added up."""
        return key_of_name(self.facts["offering"]["issuer"])

    @property
    def is_left_out(self) -> bool:
        """Whether the buyer is one whom counts of offerees leave out."""
        return is_left_out(self.regime, self.facts["buyer"])

    @property
    def amount(self) -> Decimal:
        """What uses up a cap."""
        if self.is_left_out and REGIMES[self.regime].counting.leaves_out_amounts:
            return Decimal(0)
        return Decimal(self.facts["qty"]) * Decimal(self.facts["price"])

    @property
    def is_nonaccredited(self) -> bool:
        """Whether the buyer is a purchaser that Rule 506(b) counts. Source: 17 CFR 230.501(e)."""
        buyer = self.facts["buyer"]
        return buyer.get("accredited") is not True and buyer.get("excluded_501e") is not True


def is_left_out(regime: str, buyer: Mapping[str, Any]) -> bool:
    """Tell whether the facts about a person take it out of a regime's count of offerees."""
    fact = REGIMES[regime].counting.leaves_out
    return fact is not None and buyer.get(fact) is True


async def promise_sale(session: AsyncSession, head: Security, transfer: Transfer, sale: Sale) -> None:
    """Let a permitted sale count in the windows until it ends, and its buyer among those to whom was offered."""
    assert transfer.buyer_ref is not None  # the request's check lets no sale through without a buyer
    if keeps_purchases(sale.regime):
        session.add(
            Purchase(
                org_id=head.org_id,
                id=transfer.id,
                security_id=head.id,
                offering_id=sale.offering_id,
                issuer=sale.issuer,
                regime=sale.regime,
                buyer_org_id=transfer.org_id,
                buyer_ref=transfer.buyer_ref,
                bought_on=transfer.trade_date,
                amount=sale.amount,
                currency=sale.currency,
                nonaccredited=sale.is_nonaccredited,
                expires_at=transfer.expires_at,
            )
        )
    if counts_offerees(sale.regime):
        offeree = Offeree(
            org_id=head.org_id,
            security_id=head.id,
            offering_id=sale.offering_id,
            offeree_org_id=transfer.org_id,
            investor_ref=transfer.buyer_ref,
            issuer=sale.issuer,
            regime=sale.regime,
            country=sale.facts["buyer"].get("country"),
            qualified=sale.is_left_out,
            offered_on=transfer.trade_date,
            recorded_at=transfer.decided_at,
        )
        await add_offeree(session, offeree)


async def add_offeree(session: AsyncSession, offeree: Offeree) -> Offeree | None:
    """Add somebody to whom was offered; return what is known of them already, None if that was nothing."""
    key = (
        *(offeree.org_id, offeree.security_id, offeree.offering_id),
        *(offeree.offeree_org_id, offeree.investor_ref),
    )
    known = await session.get(Offeree, key)
    if known is None:
        session.add(offeree)
    else:  # offered again: what looks back for months begins anew, and who no longer is left out counts
        known.offered_on = max(known.offered_on, offeree.offered_on)
        known.qualified = known.qualified and offeree.qualified
        session.add(known)
    return known


async def give_up_sale(session: AsyncSession, org_id: str, transfer_id: str) -> None:
    """Take a promised sale out of the windows. That it was offered remains."""
    purchase = await session.get(Purchase, (org_id, transfer_id))
    if purchase is not None:
        await session.delete(purchase)


async def settle_sale(session: AsyncSession, org_id: str, transfer: Transfer) -> None:
    """Turn a promised sale into one that took place."""
    offering = await session.get_one(Offering, (org_id, transfer.security_id, transfer.offering_id))
    offering.last_issued_on = max(offering.last_issued_on or transfer.trade_date, transfer.trade_date)
    session.add(offering)
    purchase = await session.get(Purchase, (org_id, transfer.id))
    if purchase is not None:
        purchase.expires_at = None
        session.add(purchase)
        await book_sale(session, purchase)


async def book_sale(session: AsyncSession, purchase: Purchase) -> None:
    """Add a settled sale to its day."""
    key = (purchase.org_id, purchase.issuer, purchase.regime, purchase.currency, purchase.bought_on)
    day = await session.get(DailySales, key) or DailySales(
        org_id=purchase.org_id,
        issuer=purchase.issuer,
        regime=purchase.regime,
        currency=purchase.currency,
        sold_on=purchase.bought_on,
    )
    day.amount += purchase.amount or 0
    day.unpriced += purchase.amount is None
    session.add(day)


def describe_offeree(offeree: Offeree) -> dict[str, Any]:
    """Return the published form."""
    recorded_at: datetime = offeree.recorded_at
    return {
        "id": f"{offeree.offeree_org_id}/{offeree.investor_ref}",
        "org_id": offeree.offeree_org_id,
        "investor_ref": offeree.investor_ref,
        "country": offeree.country,
        "qualified": offeree.qualified,
        "offered_on": offeree.offered_on.isoformat(),
        "recorded_at": recorded_at.isoformat().replace("+00:00", "Z"),
    }
