"""Offers made: whom an offering was offered to, for the regimes that count them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.gate.fact_sheet import FactSheet
from service.gate.facts import zone_of
from service.gate.parties import read_parties
from service.gate.party_facts import Question, put_party
from service.gate.purchases import add_offeree, describe_offeree, is_left_out
from service.gate.securities import Access, Saved, get_offering, open_security
from service.gate.security_models import OffereeEntry
from service.gate.values import key_of_name
from service.storage.audit import append_audit_entry
from service.storage.tables import Offeree, Organization
from service.web.context import Context


class OffereeKnownError(ConflictError):
    """The offer was recorded before, with another country or as one that is counted differently."""

    code = "offeree_known"


async def record_offeree(
    session: AsyncSession,
    context: Context,
    org_id: str,
    path: tuple[str, str],
    entry: OffereeEntry,
    *,
    now: datetime,
) -> Saved:
    """Record that the caller made an offer; the same again changes nothing.

    Args:
        path: Ids of the security and its offering.

    Raises:
        NotFoundError: The caller neither keeps such an offering nor may sell of it.
        OffereeKnownError: See ``code``.
    """
    security_id, offering_id = path
    access = await _open(session, org_id, security_id)
    offering = await get_offering(session, access.head.org_id, security_id, offering_id)
    organization = await session.get_one(Organization, org_id)
    question = _ask(access, offering, organization, now)
    qualified = entry.qualified
    if qualified is None:
        qualified = await _is_qualified(session, context, organization, entry.investor_ref, question)
    offeree = Offeree(  # as it is answered; the row is written below
        org_id=access.head.org_id,
        security_id=security_id,
        offering_id=offering_id,
        offeree_org_id=org_id,
        investor_ref=entry.investor_ref,
        issuer=key_of_name(offering["issuer"] or access.terms["issuer"]),
        regime=offering["regime"],
        country=entry.country,
        qualified=qualified,
        offered_on=question.on,
        recorded_at=now,
    )
    known = await session.get(Offeree, (offeree.org_id, security_id, offering_id, org_id, entry.investor_ref))
    await add_offeree(await session.connection(), offeree.model_dump())
    if known is not None:
        await session.refresh(known)
        return _repeat(known, entry)
    described = describe_offeree(offeree)
    append_audit_entry(
        session,
        org_id=org_id,
        kind="offer.recorded",
        subject_id=security_id,
        record={"offering": offering_id, **described},
        recorded_at=now,
    )
    return Saved(described, created=True)


def _repeat(known: Offeree, entry: OffereeEntry) -> Saved:
    if known.country != entry.country or entry.qualified not in (None, known.qualified):
        raise OffereeKnownError("The offer to this investor is recorded already, with other particulars.")
    return Saved(describe_offeree(known), created=False)


async def _open(session: AsyncSession, org_id: str, security_id: str) -> Access:
    """Lock the security for its registrar or a venue that may sell of it.

    Raises:
        NotFoundError: The caller is neither.
    """
    access = await open_security(session, org_id, security_id, lock=True)
    if access.grant is not None and access.grant.withdrawn_at is not None:
        raise NotFoundError
    return access


def _ask(access: Access, offering: dict[str, Any], caller: Organization, now: datetime) -> Question:
    zone = zone_of(offering["regime"])
    return Question(
        now=now,
        on=now.astimezone(zone).date(),
        zone=zone,
        regime=offering["regime"],
        currency=access.terms["currency"],
        institutions=frozenset({caller.did}),
        asks_category=None,
        max_screen_age_hours=access.terms["policy"]["max_screen_age_hours"],
    )


async def _is_qualified(
    session: AsyncSession, context: Context, caller: Organization, ref: str, question: Question
) -> bool:
    """Tell whether the investor's standing takes them out of the count today."""
    parties = await read_parties(
        session,
        context.signer,
        base_url=context.base_url,
        org_id=caller.id,
        refs=[ref],
        now=question.now,
        on=question.on,
    )
    sheet = FactSheet()
    put_party(sheet, "buyer", parties[ref], question)
    return is_left_out(question.regime, sheet.values["buyer"])


async def list_offerees(
    session: AsyncSession, org_id: str, path: tuple[str, str], *, after: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Return up to ``limit`` offers, by id: the registrar sees all, a venue its own.

    Raises:
        NotFoundError: The caller has no access to such an offering.
    """
    security_id, offering_id = path
    access = await open_security(session, org_id, security_id, lock=False)
    await get_offering(session, access.head.org_id, security_id, offering_id)
    query = select(Offeree).where(
        Offeree.org_id == access.head.org_id,
        Offeree.security_id == security_id,
        Offeree.offering_id == offering_id,
    )
    if access.grant is not None:
        query = query.where(Offeree.offeree_org_id == org_id)
    if after is not None:
        query = query.where(tuple_(col(Offeree.offeree_org_id), col(Offeree.investor_ref)) > after.partition("/")[::2])
    query = query.order_by(col(Offeree.offeree_org_id), col(Offeree.investor_ref)).limit(limit)
    rows = (await session.exec(query)).all()
    return [describe_offeree(row) for row in rows]
