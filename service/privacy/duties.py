"""Until when the law wants an investor's records. The longest of the rules that apply counts.

Sources: 17 CFR 240.17a-4(a) and (e)(5), six years after the account was closed; 31 CFR 501.601, ten years for what a
sanctions programme touched. Which of them binds an organisation is its own law's question: these are the longest that
the securities and sanctions rules of this service's markets ask for.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.rules.dates import add_months
from service.storage.tables import HolderCount, HolderLink, Lot, ReservationEnding, Transfer

RECORDS_YEARS, SANCTIONS_YEARS = 6, 10
RECORDS_RULE, SANCTIONS_RULE = "17 CFR 240.17a-4", "31 CFR 501.601"


@dataclass(frozen=True, slots=True)
class Duty:
    """A rule that wants records kept; ``kept_until`` is the first day on which it no longer does."""

    kept_until: date
    citation: str


def took_part(org_id: str, ref: str) -> ColumnElement[bool]:
    """Return the condition that an investor is a party of a transfer."""
    pledgor: Any = Transfer.request["pledgor"]["investor_ref"]
    named = (col(Transfer.seller_ref) == ref, col(Transfer.buyer_ref) == ref, pledgor.as_string() == ref)
    return and_(col(Transfer.org_id) == org_id, or_(*named))


async def find_duty(session: AsyncSession, org_id: str, ref: str, *, matched_at: datetime | None) -> Duty | None:
    """Return the rule that keeps an investor's records longest; None if they were never a party of a decision.

    Args:
        matched_at: When a screening by the platform itself was last not clear.
    """
    # Reasons that are kept from most callers are those of sanctions and money laundering.
    restricted = case((col(Transfer.outward_hash).is_not(None), col(Transfer.decided_at)))
    decided = select(func.max(Transfer.decided_at), func.max(restricted)).where(took_part(org_id, ref))
    last, last_restricted = (await session.exec(decided)).one()
    same = and_(
        col(ReservationEnding.org_id) == col(Transfer.org_id), col(ReservationEnding.transfer_id) == col(Transfer.id)
    )
    ended = select(func.max(ReservationEnding.ended_at)).join(Transfer, same).where(took_part(org_id, ref))
    closed_at = _latest(last, (await session.exec(ended)).one())
    sanctioned_at = _latest(last_restricted, matched_at)
    duties = [
        Duty(add_months(instant.date(), 12 * years), rule)
        for instant, years, rule in (
            (closed_at, RECORDS_YEARS, RECORDS_RULE),
            (sanctioned_at, SANCTIONS_YEARS, SANCTIONS_RULE),
        )
        if instant is not None
    ]
    return max(duties, key=lambda each: each.kept_until, default=None)


def _latest(*instants: datetime | None) -> datetime | None:
    return max((each for each in instants if each is not None), default=None)


async def is_holding(session: AsyncSession, org_id: str, ref: str) -> bool:
    """Tell whether the investor, under any name, has lots, a lien on another's, or something on its way."""
    links = select(HolderLink.holder_org_id, HolderLink.investor_ref).where(
        HolderLink.venue_org_id == org_id, HolderLink.venue_ref == ref
    )
    names = [(org_id, ref), *(await session.exec(links)).all()]
    counted = select(HolderCount.investor_ref).where(
        tuple_(col(HolderCount.holder_org_id), col(HolderCount.investor_ref)).in_(names),
        or_(col(HolderCount.quantity) > 0, col(HolderCount.pending) > 0),
    )
    holders = tuple_(col(Lot.holder_org_id), col(Lot.investor_ref))
    pledgees = tuple_(col(Lot.lien_org_id), col(Lot.lien_holder_ref))
    lots = select(Lot.id).where(or_(holders.in_(names), pledgees.in_(names)), col(Lot.quantity) > 0)
    found = [(await session.exec(query.limit(1))).first() for query in (counted, lots)]
    return any(each is not None for each in found)
