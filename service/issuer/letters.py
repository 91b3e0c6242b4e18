"""One letter for each qualified-investor grant, for the files of counsel: made once, sealed, bound by its digest."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.commitment import commit_to_record
from service.credentials.configurations import CONFIGURATIONS
from service.errors import ConflictError
from service.issuer.case_records import APPROVED, open_review
from service.issuer.case_review import QUALIFIED_INVESTOR
from service.issuer.credentials import load_credential
from service.issuer.evidence import list_evidence_digests
from service.issuer.grant_claims import open_grant_claims
from service.issuer.identity import Issuer
from service.issuer.letter_words import CaseFacts, LetterFacts
from service.issuer.subjects import open_person_key
from service.keys import Signer
from service.storage.audit import append_audit_entry, read_log_record
from service.storage.subject_keys import DataKey
from service.storage.tables import Account, AuditEntry, Credential, CredentialLetter, Organization, ReviewCase

LETTER_MADE = "letter.made"
_VALID, _KYC, _SIGNED = "valid", "kyc", "issuance.signed"


class LetterUnavailableError(ConflictError):
    """No letter was made in time: of another type, no longer valid, or granted before claims were kept."""

    code = "letter_unavailable"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter; ``sha256`` is lower-case hex of ``pdf``."""

    credential_id: str
    subject_ref: str
    pdf: bytes
    sha256: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class LetterRecord:
    """What the record says of a letter.

    Attributes:
        status: Of the credential now.
        is_recorded: Whether an audit entry binds this digest and opens its commitment.
        log_index: Place of that entry in the log; None while it waits.
    """

    organization: str
    credential_id: str
    status: str
    expires_at: datetime
    made_by: str
    made_at: datetime
    is_recorded: bool
    log_index: int | None


async def make_letter(
    session: AsyncSession, signer: Signer, issuer: Issuer, credential_id: str, *, client_id: str, now: datetime
) -> Letter:
    """Return the letter about a grant, made at the first call; the caller records the access.

    Raises:
        NotFoundError: No such grant, another organisation's, or its person was erased.
        LetterUnavailableError: See there.
    """
    row = await load_credential(session, issuer.org_id, credential_id, lock=True)
    key = await open_person_key(await session.connection(), signer, issuer.org_id, row.subject_ref)
    kept = await session.get(CredentialLetter, (issuer.org_id, credential_id))
    if kept is None:
        kept = await _make(session, key, issuer, row, client_id, now)
    pdf = key.unseal(kept.sealed, context=_context(row))
    return Letter(row.id, row.subject_ref, pdf, kept.sha256, kept.made_at)


async def check_letter(session: AsyncSession, pdf: bytes) -> LetterRecord | None:
    """Return what is on record about exactly these bytes; None if no organisation here made them."""
    sha256 = hashlib.sha256(pdf).hexdigest()
    letter = (await session.exec(select(CredentialLetter).where(CredentialLetter.sha256 == sha256))).first()
    if letter is None:
        return None
    credential = await session.get_one(Credential, (letter.org_id, letter.credential_id))
    organization = await session.get_one(Organization, letter.org_id)
    entry = await _find_entry(session, letter.org_id, letter.credential_id, LETTER_MADE)
    return LetterRecord(
        organization=organization.name,
        credential_id=letter.credential_id,
        status=credential.status,
        expires_at=credential.expires_at,
        made_by=letter.made_by,
        made_at=letter.made_at,
        is_recorded=entry is not None and _binds(entry, sha256),
        log_index=None if entry is None else entry.idx,
    )


def _binds(entry: AuditEntry, sha256: str) -> bool:
    if json.loads(entry.record).get("sha256") != sha256:
        return False
    return hmac.compare_digest(commit_to_record(entry.nonce, read_log_record(entry)), entry.commitment)


async def _make(
    session: AsyncSession, key: DataKey, issuer: Issuer, row: Credential, client_id: str, now: datetime
) -> CredentialLetter:
    from service.issuer.letter_pdf import build_letter  # a fifth of what every start would load, for a few letters

    pdf = build_letter(await _gather(session, key, issuer, row, now))
    letter = CredentialLetter(
        org_id=row.org_id,
        credential_id=row.id,
        sealed=key.seal(pdf, context=_context(row)),
        sha256=hashlib.sha256(pdf).hexdigest(),
        made_by=client_id,
        made_at=now,
    )
    session.add(letter)
    record = {"client_id": client_id, "sha256": letter.sha256, "size": len(pdf)}
    append_audit_entry(session, org_id=row.org_id, kind=LETTER_MADE, subject_id=row.id, record=record, recorded_at=now)
    return letter


async def _gather(session: AsyncSession, key: DataKey, issuer: Issuer, row: Credential, now: datetime) -> LetterFacts:
    claims = open_grant_claims(key, row)
    if CONFIGURATIONS[row.credential_configuration_id].kind.name != QUALIFIED_INVESTOR:
        raise LetterUnavailableError("Letters are about qualified investors.")
    if row.status != _VALID or row.expires_at <= now:
        raise LetterUnavailableError("The credential is not valid, and no letter was made while it was.")
    entry = await _find_entry(session, row.org_id, row.id, _SIGNED)
    if claims is None or entry is None:
        raise LetterUnavailableError("The credential was granted before its claims were kept.")
    return LetterFacts(
        organization=(await session.get_one(Organization, row.org_id)).name,
        did=issuer.did,
        credential_id=row.id,
        subject_ref=row.subject_ref,
        name=await _find_name(session, key, row),
        claims=claims,
        issued_at=row.created_at,
        expires_at=row.expires_at,
        entry_id=entry.id,
        commitment=entry.commitment.hex(),
        case=await _describe_case(session, key, row),
        made_at=now.replace(microsecond=0),
    )


async def _find_entry(session: AsyncSession, org_id: str, subject_id: str, kind: str) -> AuditEntry | None:
    """Return the first entry of this kind about something, unless it was emptied."""
    query = select(AuditEntry).where(
        AuditEntry.org_id == org_id,
        AuditEntry.subject_id == subject_id,
        AuditEntry.kind == kind,
        AuditEntry.record != "",
    )
    return (await session.exec(query.order_by(col(AuditEntry.id)).limit(1))).first()


async def _find_name(session: AsyncSession, key: DataKey, row: Credential) -> str | None:
    """Return the name on the newest KYC credential of the same person from the same organisation."""
    query = (
        select(Credential)
        .where(Credential.org_id == row.org_id, Credential.subject_ref == row.subject_ref)
        .where(col(Credential.sealed_claims).is_not(None), Credential.status == _VALID)
        .order_by(col(Credential.id).desc())
    )
    for each in (await session.exec(query)).all():
        if CONFIGURATIONS[each.credential_configuration_id].kind.name == _KYC:
            return _read_name(open_grant_claims(key, each) or {})
    return None


def _read_name(claims: dict[str, Any]) -> str | None:
    parts = [claims[name] for name in ("given_name", "family_name") if name in claims]
    return " ".join(parts) or claims.get("legal_name")


async def _describe_case(session: AsyncSession, key: DataKey, row: Credential) -> CaseFacts | None:
    query = select(ReviewCase).where(
        ReviewCase.org_id == row.org_id, ReviewCase.offer_id == row.offer_id, ReviewCase.state == APPROVED
    )
    case = (await session.exec(query)).first()
    review = None if case is None else open_review(case, key)
    if case is None or review is None or case.decided_at is None:
        return None
    return CaseFacts(
        id=case.id,
        as_of=case.as_of,
        citation=review.citation,
        reviewed_by=await _name_actor(session, row.org_id, case.reviewed_by or ""),
        decided_by=await _name_actor(session, row.org_id, case.decided_by or ""),
        decided_at=case.decided_at,
        evidence=await list_evidence_digests(session, row.org_id, case.id),
    )


async def _name_actor(session: AsyncSession, org_id: str, actor_id: str) -> str:
    account = await session.get(Account, (org_id, actor_id))
    return f"API client {actor_id}" if account is None else f"{account.name} ({actor_id})"


def _context(row: Credential) -> str:
    return f"credential-letter {row.org_id} {row.id}"
