"""Erase an investor of a platform: destroy the key, delete what nobody needs, and part every row from the ref.

What a decision and the register rest on stays, under a name that leads to nobody. Everything happens in one
transaction with its trace.

Source: docs/decisions/0016-when-somebody-may-be-erased.md.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.keys import Signer
from service.privacy.duties import find_duty, is_holding, took_part
from service.privacy.holds import Subject, is_held
from service.privacy.trail import empty_entries, empty_entries_naming, leave_tombstone
from service.storage.audit import INVESTOR_ERASED
from service.storage.outbox import delete_investor_events, delete_presentation_events
from service.storage.personal_data import open_investor
from service.storage.subject_keys import destroy_subject_key, find_subject_key, name_investor, read_subject_keys
from service.storage.tables import (
    AffiliateSale,
    HolderCount,
    HolderLink,
    HolderPerson,
    Investor,
    InvestorVersion,
    LegalHold,
    Lot,
    Offeree,
    PresentationRequest,
    Purchase,
    Reservation,
    ReservationEnding,
    StandingCredential,
    StandingStatusList,
    StandingVersion,
    Transfer,
)

_ABOUT_REF = ("investor.", "legal_hold.", "personal_data.accessed")
_ABOUT_REQUEST = ("presentation.", "personal_data.accessed")
_NAMING_REF = ("offer.recorded",)
_WITH_TEXT = ("transfer.settled", "transfer.void")
_PARTIES = ("seller", "buyer", "pledgor")


class LegalHoldError(ConflictError):
    """A legal hold stands; lift it first, if the law lets you."""

    code = "under_legal_hold"


class StillHoldingError(ConflictError):
    """The investor holds securities, a lien, or something that is on its way: no clock has begun to run."""

    code = "still_holding"


class RetentionError(ConflictError):
    """The law wants the records kept; ``errors`` say until when and which rule."""

    code = "retention_running"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was done. ``tombstone`` is the name under which the rest stays."""

    tombstone: str
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """Why somebody is erased: ``request``, by an API client, or ``retention``, by none."""

    kind: str
    client_id: str | None = None


def name_tombstone() -> str:
    """Return a new name that leads to nobody; it may stand wherever a ref may."""
    return f"erased-{secrets.token_hex(16)}"


async def check_erasable(session: AsyncSession, signer: Signer, org_id: str, ref: str, now: datetime) -> None:
    """Check that nothing obliges to keep the investor's records.

    Raises:
        LegalHoldError, StillHoldingError, RetentionError: See there.
    """
    if await is_held(session, Subject(org_id, name_investor(ref), ref)):
        raise LegalHoldError("A legal hold stands on this investor's records.")
    if await is_holding(session, org_id, ref):
        raise StillHoldingError("The investor holds securities, a lien, or a reservation.")
    row = await session.get(Investor, (org_id, ref), with_for_update=True)
    matched_at = None
    if row is not None:
        keys = await read_subject_keys(await session.connection(), signer, org_id, [name_investor(ref)])
        matched_at = open_investor(keys.get(name_investor(ref)), row).matched_at
    duty = await find_duty(session, org_id, ref, matched_at=matched_at)
    if duty is not None and now.date() < duty.kept_until:
        finding = {"detail": duty.citation, "kept_until": duty.kept_until.isoformat()}
        raise RetentionError(f"The records must be kept until {duty.kept_until}.", errors=[finding])


async def erase_investor(
    session: AsyncSession, signer: Signer, org_id: str, ref: str, cause: Cause, now: datetime
) -> Erasure:
    """Erase an investor.

    Raises:
        NotFoundError: The platform knows nobody of this name.
        LegalHoldError, StillHoldingError, RetentionError: See ``check_erasable``.
    """
    subject, tombstone = name_investor(ref), name_tombstone()
    key_id = await find_subject_key(await session.connection(), org_id, subject)
    await check_erasable(session, signer, org_id, ref, now)
    await destroy_subject_key(await session.connection(), org_id, subject, tombstone=tombstone, now=now)
    requests = await _list_requests(session, org_id, ref)
    transfers, bundles = await _part_transfers(session, org_id, ref, tombstone)
    parted = await _part_register(session, org_id, ref, tombstone)
    deleted = await _delete_rows(session, org_id, ref)
    await delete_investor_events(await session.connection(), org_id, ref)
    await delete_presentation_events(await session.connection(), org_id, requests)
    if key_id is None and not (transfers or parted or deleted):
        raise NotFoundError
    emptied = [
        *await empty_entries(session, org_id, [ref], _ABOUT_REF, tombstone=tombstone),
        *await empty_entries(session, org_id, requests, _ABOUT_REQUEST, tombstone=tombstone),
        *await empty_entries(session, org_id, transfers, _WITH_TEXT, tombstone=tombstone),
        *await empty_entries_naming(session, org_id, "investor_ref", ref, _NAMING_REF, tombstone=tombstone),
    ]
    more = {"cause": cause.kind, "client_id": cause.client_id, "key": key_id, "bundles": bundles}
    leave_tombstone(session, org_id, INVESTOR_ERASED, tombstone=tombstone, emptied=emptied, more=more, now=now)
    return Erasure(tombstone, now)


async def _list_requests(session: AsyncSession, org_id: str, ref: str) -> Sequence[str]:
    query = select(PresentationRequest.id).where(
        PresentationRequest.org_id == org_id, PresentationRequest.investor_ref == ref
    )
    return (await session.exec(query)).all()


async def _part_transfers(session: AsyncSession, org_id: str, ref: str, tombstone: str) -> tuple[list[str], list[str]]:
    """Put the tombstone in the ref's place in recorded decisions; what is signed holds pseudonyms already.

    Returns:
        Ids of the decisions, and of those whose bundle was of the first format, which names people, and is emptied.
    """
    rows = (await session.exec(select(Transfer).where(took_part(org_id, ref)))).all()
    emptied = []
    for row in rows:
        row.request = _rename_parties(row.request, ref, tombstone)
        row.seller_ref = tombstone if row.seller_ref == ref else row.seller_ref
        row.buyer_ref = tombstone if row.buyer_ref == ref else row.buyer_ref
        # The key is the caller's text and the digest could be guessed; no request of then is repeated any more.
        row.idempotency_key, row.request_sha256 = f"erased-{row.id}", ""
        if row.bundle and json.loads(row.bundle).get("parties") is None:
            row.bundle = ""
            emptied.append(row.id)
        session.add(row)
    await session.flush()
    ids = [row.id for row in rows]
    endings = update(ReservationEnding).where(
        col(ReservationEnding.org_id) == org_id, col(ReservationEnding.transfer_id).in_(ids)
    )
    await session.exec(endings.values(reference=None, reason=None))
    return ids, emptied


def _rename_parties(request: dict[str, Any], ref: str, tombstone: str) -> dict[str, Any]:
    renamed = {
        role: {"investor_ref": tombstone} for role in _PARTIES if (request.get(role) or {}).get("investor_ref") == ref
    }
    return {**request, **renamed}


async def _part_register(session: AsyncSession, org_id: str, ref: str, tombstone: str) -> int:
    """Put the tombstone in the ref's place in every register that the platform trades on; returns how many rows."""
    places: tuple[tuple[Any, Any, Any], ...] = (
        (Lot, col(Lot.holder_org_id), col(Lot.investor_ref)),
        (Lot, col(Lot.lien_org_id), col(Lot.lien_holder_ref)),
        (HolderCount, col(HolderCount.holder_org_id), col(HolderCount.investor_ref)),
        (Purchase, col(Purchase.buyer_org_id), col(Purchase.buyer_ref)),
        (Offeree, col(Offeree.offeree_org_id), col(Offeree.investor_ref)),
        (Reservation, col(Reservation.taker_org_id), col(Reservation.taker_ref)),
        (AffiliateSale, col(AffiliateSale.holder_org_id), col(AffiliateSale.investor_ref)),
        (HolderLink, col(HolderLink.holder_org_id), col(HolderLink.investor_ref)),
    )
    changes = [
        update(table).where(owner == org_id, name == ref).values({name.key: tombstone}) for table, owner, name in places
    ]
    return sum([await _count(session, change) for change in changes])


async def _delete_rows(session: AsyncSession, org_id: str, ref: str) -> int:
    theirs = select(StandingCredential.id).where(
        StandingCredential.org_id == org_id, StandingCredential.investor_ref == ref
    )
    statements = (
        delete(StandingStatusList).where(
            col(StandingStatusList.org_id) == org_id, col(StandingStatusList.standing_id).in_(theirs)
        ),
        delete(StandingCredential).where(
            col(StandingCredential.org_id) == org_id, col(StandingCredential.investor_ref) == ref
        ),
        delete(PresentationRequest).where(
            col(PresentationRequest.org_id) == org_id, col(PresentationRequest.investor_ref) == ref
        ),
        delete(StandingVersion).where(col(StandingVersion.org_id) == org_id, col(StandingVersion.investor_ref) == ref),
        delete(InvestorVersion).where(col(InvestorVersion.org_id) == org_id, col(InvestorVersion.ref) == ref),
        delete(HolderLink).where(col(HolderLink.venue_org_id) == org_id, col(HolderLink.venue_ref) == ref),
        delete(HolderPerson).where(col(HolderPerson.holder_org_id) == org_id, col(HolderPerson.investor_ref) == ref),
        delete(LegalHold).where(col(LegalHold.org_id) == org_id, col(LegalHold.subject) == name_investor(ref)),
        delete(Investor).where(col(Investor.org_id) == org_id, col(Investor.ref) == ref),
    )
    return sum([await _count(session, statement) for statement in statements])


async def _count(session: AsyncSession, statement: Any) -> int:
    result = await (await session.connection()).execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount
