"""Erase a person whom an issuer reviewed: the counterpart of ``service.privacy.erasure`` for a ``subject_ref``.

Grants, copies and status places stay, under a name that leads to nobody: a status list must go on saying that what was
revoked is revoked. What an issuer signed lies in the person's wallet, and is theirs.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, null, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.privacy.duties import RECORDS_RULE, RECORDS_YEARS, SANCTIONS_RULE, SANCTIONS_YEARS, Duty
from service.privacy.erasure import Cause, Erasure, LegalHoldError, RetentionError, name_tombstone
from service.privacy.holds import Subject, is_held
from service.privacy.trail import empty_entries, leave_tombstone
from service.rules.dates import add_months
from service.storage.audit import PERSON_ERASED
from service.storage.subject_keys import destroy_subject_key, find_subject_key, name_person
from service.storage.tables import (
    AuthorizationRequest,
    CaseEvidence,
    CaseEvidenceContent,
    CaseInformationRequest,
    Credential,
    CredentialCopy,
    CredentialLetter,
    CredentialOffer,
    IdempotencyRecord,
    IssuanceNotification,
    IssuanceToken,
    LegalHold,
    RefreshToken,
    ReviewCase,
    WalletGrant,
)
from service.storage.tables import Subject as SubjectRow

_ABOUT_REF = ("legal_hold.", "personal_data.accessed")
_ABOUT_RECORDS = ("case.", "offer.", "grant.", "issuance.", "credential.status", "letter.made")
_SCREENING, _REVOKED = "aml-screening", "revoked"


class CredentialValidError(ConflictError):
    """A credential of this person is still good; revoke it first, or let it end. No clock has begun to run."""

    code = "credential_still_valid"


async def check_person_erasable(session: AsyncSession, org_id: str, ref: str, now: datetime) -> None:
    """Check that nothing obliges to keep what the issuer has of a person.

    Raises:
        LegalHoldError, CredentialValidError, RetentionError: See there.
    """
    if await is_held(session, Subject(org_id, name_person(ref), ref)):
        raise LegalHoldError("A legal hold stands on this person's records.")
    is_revoked = col(Credential.status) == _REVOKED
    ended_at = case((is_revoked, col(Credential.status_changed_at)), else_=col(Credential.expires_at))
    query = (
        select(Credential.credential_configuration_id, func.max(ended_at))
        .where(Credential.org_id == org_id, Credential.subject_ref == ref)
        .group_by(col(Credential.credential_configuration_id))
    )
    ends = (await session.exec(query)).all()
    if any(end > now for _, end in ends):
        raise CredentialValidError("A credential of this person is still valid.")
    duty = _find_duty(ends, await _find_last_case(session, org_id, ref))
    if duty is not None and now.date() < duty.kept_until:
        finding = {"detail": duty.citation, "kept_until": duty.kept_until.isoformat()}
        raise RetentionError(f"The records must be kept until {duty.kept_until}.", errors=[finding])


async def _find_last_case(session: AsyncSession, org_id: str, ref: str) -> datetime | None:
    """Return when something was last done in a case of this person; None if there was none."""
    cases = select(ReviewCase.id).where(ReviewCase.org_id == org_id, ReviewCase.subject_ref == ref)
    last = func.max(func.coalesce(ReviewCase.decided_at, ReviewCase.reviewed_at, ReviewCase.created_at))
    queries = (
        select(last).where(ReviewCase.org_id == org_id, ReviewCase.subject_ref == ref),
        *(
            select(func.max(done_at)).where(col(owner) == org_id, col(case_id).in_(cases))
            for owner, case_id, done_at in (
                (CaseEvidence.org_id, CaseEvidence.case_id, CaseEvidence.added_at),
                (
                    CaseInformationRequest.org_id,
                    CaseInformationRequest.case_id,
                    CaseInformationRequest.requested_at,
                ),
            )
        ),
    )
    found: list[datetime | None] = [(await session.exec(query)).one() for query in queries]
    return max((instant for instant in found if instant is not None), default=None)


def _find_duty(ends: Sequence[tuple[str, datetime]], last_case: datetime | None) -> Duty | None:
    duties = [
        Duty(add_months(end.date(), 12 * SANCTIONS_YEARS), SANCTIONS_RULE)
        if kind == _SCREENING
        else Duty(add_months(end.date(), 12 * RECORDS_YEARS), RECORDS_RULE)
        for kind, end in ends
    ]
    if last_case is not None:
        duties.append(Duty(add_months(last_case.date(), 12 * RECORDS_YEARS), RECORDS_RULE))
    return max(duties, key=lambda each: each.kept_until, default=None)


async def erase_person(session: AsyncSession, org_id: str, ref: str, cause: Cause, now: datetime) -> Erasure:
    """Erase a person.

    Raises:
        NotFoundError: The issuer knows nobody of this name.
        LegalHoldError, CredentialValidError, RetentionError: See ``check_person_erasable``.
    """
    subject, tombstone = name_person(ref), name_tombstone()
    key_id = await find_subject_key(await session.connection(), org_id, subject)
    await check_person_erasable(session, org_id, ref, now)
    await destroy_subject_key(await session.connection(), org_id, subject, tombstone=tombstone, now=now)
    ids = await _list_records(session, org_id, ref)
    if key_id is None and not ids:
        raise NotFoundError
    await _part_grants(session, org_id, ref, tombstone)
    await _delete_rows(session, org_id, ref)
    emptied = [
        *await empty_entries(session, org_id, [ref], _ABOUT_REF, tombstone=tombstone),
        *await empty_entries(session, org_id, ids, _ABOUT_RECORDS, tombstone=tombstone),
    ]
    more: dict[str, Any] = {"cause": cause.kind, "client_id": cause.client_id, "key": key_id, "bundles": []}
    leave_tombstone(session, org_id, PERSON_ERASED, tombstone=tombstone, emptied=emptied, more=more, now=now)
    return Erasure(tombstone, now)


async def _list_records(session: AsyncSession, org_id: str, ref: str) -> list[str]:
    """Return the ids of cases, offers and grants about a person."""
    found: list[str] = []
    for table in (ReviewCase, CredentialOffer, Credential):
        query = select(table.id).where(table.org_id == org_id, table.subject_ref == ref)
        found += (await session.exec(query)).all()
    return found


async def _part_grants(session: AsyncSession, org_id: str, ref: str, tombstone: str) -> None:
    offers = await _close_offers(session, org_id, ref, tombstone)
    grants = select(Credential.id).where(Credential.org_id == org_id, Credential.subject_ref == ref)
    wallets = select(WalletGrant.id).where(WalletGrant.org_id == org_id, col(WalletGrant.offer_id).in_(offers))
    tables = (IssuanceToken, WalletGrant, AuthorizationRequest)
    changes: tuple[Any, ...] = (
        delete(RefreshToken).where(col(RefreshToken.org_id) == org_id, col(RefreshToken.grant_id).in_(wallets)),
        *(delete(table).where(col(table.org_id) == org_id, col(table.offer_id).in_(offers)) for table in tables),
        update(CredentialCopy)
        .where(col(CredentialCopy.org_id) == org_id, col(CredentialCopy.credential_id).in_(grants))
        .values(holder_thumbprint="", digest=None),
        update(IssuanceNotification)
        .where(col(IssuanceNotification.org_id) == org_id, col(IssuanceNotification.credential_id).in_(grants))
        .values(event_description=None),
        delete(CredentialLetter).where(
            col(CredentialLetter.org_id) == org_id, col(CredentialLetter.credential_id).in_(grants)
        ),
        update(Credential)
        .where(col(Credential.org_id) == org_id, col(Credential.subject_ref) == ref)
        .values(subject_ref=tombstone, status_reason=None, sealed_claims=None),
    )
    await _run(session, changes)


async def _close_offers(session: AsyncSession, org_id: str, ref: str, tombstone: str) -> Sequence[str]:
    """Take a person's name and secrets off the offers, and return their ids.

    From here on no wallet gets anything of them, so what is deleted next stays deleted. The locks are taken in the
    order that the token endpoint takes them.
    """
    query = select(CredentialOffer.id).where(CredentialOffer.org_id == org_id, CredentialOffer.subject_ref == ref)
    for table in (AuthorizationRequest, WalletGrant):
        rows = select(table.id).where(table.org_id == org_id, col(table.offer_id).in_(query))
        await session.exec(rows.order_by(col(table.id)).with_for_update())
    closed = (
        update(CredentialOffer)
        .where(col(CredentialOffer.org_id) == org_id, col(CredentialOffer.subject_ref) == ref)
        .values(
            subject_ref=tombstone,
            sealed_claims=b"",
            sealed_code=b"",
            holder_jwks=null(),
            state=case((col(CredentialOffer.state) == "pending", "cancelled"), else_=col(CredentialOffer.state)),
        )
        .returning(col(CredentialOffer.id))
    )
    return (await (await session.connection()).execute(closed)).scalars().all()


async def _delete_rows(session: AsyncSession, org_id: str, ref: str) -> None:
    subject = name_person(ref)
    cases = select(ReviewCase.id).where(ReviewCase.org_id == org_id, ReviewCase.subject_ref == ref)
    files = select(CaseEvidence.id).where(CaseEvidence.org_id == org_id, col(CaseEvidence.case_id).in_(cases))
    statements = (
        delete(CaseEvidenceContent).where(
            col(CaseEvidenceContent.org_id) == org_id, col(CaseEvidenceContent.evidence_id).in_(files)
        ),
        delete(CaseEvidence).where(col(CaseEvidence.org_id) == org_id, col(CaseEvidence.case_id).in_(cases)),
        delete(CaseInformationRequest).where(
            col(CaseInformationRequest.org_id) == org_id, col(CaseInformationRequest.case_id).in_(cases)
        ),
        delete(ReviewCase).where(col(ReviewCase.org_id) == org_id, col(ReviewCase.subject_ref) == ref),
        delete(SubjectRow).where(col(SubjectRow.org_id) == org_id, col(SubjectRow.subject_ref) == ref),
        delete(LegalHold).where(col(LegalHold.org_id) == org_id, col(LegalHold.subject) == subject),
        delete(IdempotencyRecord).where(
            col(IdempotencyRecord.org_id) == org_id, col(IdempotencyRecord.subject) == subject
        ),
    )
    await _run(session, statements)


async def _run(session: AsyncSession, statements: Sequence[Any]) -> None:
    connection = await session.connection()
    for statement in statements:
        await connection.execute(statement)
