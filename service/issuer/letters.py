"""A letter for each qualified-investor grant and language, for counsel: made once, sealed, bound by its digest."""

import asyncio
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from service.credentials.commitment import commit_to_record
from service.credentials.configurations import CONFIGURATIONS
from service.errors import ConflictError
from service.issuer.case_records import APPROVED, open_review
from service.issuer.case_review import QUALIFIED_INVESTOR
from service.issuer.credentials import load_credential
from service.issuer.evidence import list_evidence_digests
from service.issuer.grant_claims import open_grant_claims
from service.issuer.identity import Issuer
from service.issuer.letter_words import Actor, CaseFacts, LetterFacts, load_letter_words
from service.issuer.subjects import open_person_key
from service.keys import Signer
from service.storage.audit import append_audit_entry, read_log_record
from service.storage.database import Database
from service.storage.subject_keys import DataKey
from service.storage.tables import Account, AuditEntry, Credential, CredentialLetter, Organization, ReviewCase
from service.web.languages import LANGUAGES, tag_of

LETTER_MADE = "letter.made"
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u00b7]+")
_VALID, _KYC, _SIGNED = "valid", "kyc", "issuance.signed"


class LetterUnavailableError(ConflictError):
    """No letter was made in time: of another type, no longer valid, or granted before claims were kept."""

    code = "letter_unavailable"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter; ``sha256`` is lower-case hex of ``pdf``."""

    credential_id: str
    subject_ref: str
    language: str
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


@dataclass(frozen=True, slots=True)
class LetterForm:
    """How a letter is written: its language, one of ``LANGUAGES``, and a font file for what Latin-1 lacks."""

    language: str = "en"
    font: Path | None = None


async def make_letter(
    database: Database,
    signer: Signer,
    issuer: Issuer,
    credential_id: str,
    form: LetterForm,
    *,
    client_id: str,
    now: datetime,
) -> Letter:
    """Return the letter about a grant in a language, made at the first call; the caller records the access.

    Raises:
        NotFoundError: No such grant, another organisation's, or its person was erased.
        LetterUnavailableError: See there.
        LetterLanguageError: There is no font for the language.
    """
    async with database.reading() as session:
        row, key, kept = await _load(session, signer, issuer, credential_id, form.language)
        if kept is not None:
            return _open(row, key, kept)
        facts = await _gather(session, key, issuer, row, now)
    pdf = await asyncio.to_thread(_build, facts, form)  # half a second where a font is embedded
    async with database.transaction() as session:
        row, key, kept = await _load(session, signer, issuer, credential_id, form.language, lock=True)
        if kept is None:
            _check_valid(row, now)
            kept = _keep(session, key, row, pdf, form.language, client_id, now)
        return _open(row, key, kept)


async def _load(
    session: AsyncSession, signer: Signer, issuer: Issuer, credential_id: str, language: str, *, lock: bool = False
) -> tuple[Credential, DataKey, CredentialLetter | None]:
    row = await load_credential(session, issuer.org_id, credential_id, lock=lock)
    key = await open_person_key(await session.connection(), signer, issuer.org_id, row.subject_ref)
    return row, key, await session.get(CredentialLetter, (issuer.org_id, credential_id, language))


def _open(row: Credential, key: DataKey, kept: CredentialLetter) -> Letter:
    pdf = key.unseal(kept.sealed, context=_context(row, kept.language))
    return Letter(row.id, row.subject_ref, kept.language, pdf, kept.sha256, kept.made_at)


def _build(facts: LetterFacts, form: LetterForm) -> bytes:
    from service.issuer.letter_pdf import build_letter  # a fifth of what every start would load, for a few letters

    return build_letter(facts, load_letter_words(form.language), tag=tag_of(form.language), font=form.font)


async def check_letter(session: AsyncSession, pdf: bytes) -> LetterRecord | None:
    """Return what is on record about exactly these bytes; None if no organisation here made them."""
    sha256 = hashlib.sha256(pdf).hexdigest()
    letter = (await session.exec(select(CredentialLetter).where(CredentialLetter.sha256 == sha256))).first()
    if letter is None:
        return None
    credential = await session.get_one(Credential, (letter.org_id, letter.credential_id))
    organization = await session.get_one(Organization, letter.org_id)
    entry = await _find_binding(session, letter)
    return LetterRecord(
        organization=organization.name,
        credential_id=letter.credential_id,
        status=credential.status,
        expires_at=credential.expires_at,
        made_by=letter.made_by,
        made_at=letter.made_at,
        is_recorded=entry is not None,
        log_index=None if entry is None else entry.idx,
    )


def _binds(entry: AuditEntry, sha256: str) -> bool:
    if json.loads(entry.record).get("sha256") != sha256:
        return False
    return hmac.compare_digest(commit_to_record(entry.nonce, read_log_record(entry)), entry.commitment)


async def _find_binding(session: AsyncSession, letter: CredentialLetter) -> AuditEntry | None:
    query = _about(letter.org_id, letter.credential_id, LETTER_MADE)
    entries = (await session.exec(query.limit(len(LANGUAGES)))).all()
    return next((entry for entry in entries if _binds(entry, letter.sha256)), None)


def _keep(
    session: AsyncSession, key: DataKey, row: Credential, pdf: bytes, language: str, client_id: str, now: datetime
) -> CredentialLetter:
    letter = CredentialLetter(
        org_id=row.org_id,
        credential_id=row.id,
        language=language,
        sealed=key.seal(pdf, context=_context(row, language)),
        sha256=hashlib.sha256(pdf).hexdigest(),
        made_by=client_id,
        made_at=now,
    )
    session.add(letter)
    record = {"client_id": client_id, "language": language, "sha256": letter.sha256, "size": len(pdf)}
    append_audit_entry(session, org_id=row.org_id, kind=LETTER_MADE, subject_id=row.id, record=record, recorded_at=now)
    return letter


def _check_valid(row: Credential, now: datetime) -> None:
    if row.status != _VALID or row.expires_at <= now:
        raise LetterUnavailableError("The credential is not valid, and no letter was made while it was.")


async def _gather(session: AsyncSession, key: DataKey, issuer: Issuer, row: Credential, now: datetime) -> LetterFacts:
    claims = open_grant_claims(key, row)
    if CONFIGURATIONS[row.credential_configuration_id].kind.name != QUALIFIED_INVESTOR:
        raise LetterUnavailableError("Letters are about qualified investors.")
    _check_valid(row, now)
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
    return (await session.exec(_about(org_id, subject_id, kind).limit(1))).first()


def _about(org_id: str, subject_id: str, kind: str) -> SelectOfScalar[AuditEntry]:
    query = select(AuditEntry).where(
        AuditEntry.org_id == org_id,
        AuditEntry.subject_id == subject_id,
        AuditEntry.kind == kind,
        AuditEntry.record != "",
    )
    return query.order_by(col(AuditEntry.id))


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
    if parts and _HAN.fullmatch("".join(parts)):  # the family's name first, and no space
        return "".join(reversed(parts))
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
        reviewed_by=await _find_actor(session, row.org_id, case.reviewed_by or ""),
        decided_by=await _find_actor(session, row.org_id, case.decided_by or ""),
        decided_at=case.decided_at,
        evidence=await list_evidence_digests(session, row.org_id, case.id),
    )


async def _find_actor(session: AsyncSession, org_id: str, actor_id: str) -> Actor:
    account = await session.get(Account, (org_id, actor_id))
    return Actor(actor_id, None if account is None else account.name)


def _context(row: Credential, language: str) -> str:
    return f"credential-letter {row.org_id} {row.id}" + ("" if language == "en" else f" {language}")
