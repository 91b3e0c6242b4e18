"""The platform's list of trusted issuers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.certificates import CertificateInvalidError, is_authority, read_pem_certificates
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.did import ACCOUNT_DIDS
from service.errors import InvalidInputError, NotFoundError
from service.storage.audit import append_audit_entry
from service.storage.held_lists import apply_max_status_age
from service.storage.history import record_trust
from service.storage.tables import Organization, TrustedIssuer
from service.storage.trust import find_max_status_ages, list_trusted_issuers
from service.web.instants import format_instant

_KEY_DIDS = ("did:key:", "did:jwk:")
_DID_METHODS = ("did:web:", "did:webvh:", *_KEY_DIDS, *ACCOUNT_DIDS)


class TrustedIssuerInvalidError(InvalidInputError):
    """The entry names no issuer, an unknown credential type, or an empty period."""

    code = "trusted_issuer_invalid"


@dataclass(frozen=True, slots=True)
class TrustTerms:
    """Whom to trust for what; see ``service.storage.trust.is_trusted`` for the meaning of each."""

    issuer: str
    credential_types: Sequence[str]
    jurisdictions: Sequence[str]
    attester_class: str | None
    attester_register_id: str | None
    valid_from: date | None
    valid_until: date | None
    x509_anchors: Sequence[str] | None = None
    max_status_age: int | None = None


async def put_trusted_issuer(
    session: AsyncSession, org_id: str, entry_id: str, terms: TrustTerms, now: datetime, *, any_did: bool = False
) -> tuple[TrustedIssuer, bool]:
    """Create or replace an entry; returns it and whether it is new.

    Args:
        session: In a transaction of the caller's.
        org_id: The platform.
        entry_id: Its name for the entry.
        terms: What the entry says.
        now: Time of the change, aware.
        any_did: Whether issuers may have DIDs of any method, as there is a resolver for them.

    Raises:
        TrustedIssuerInvalidError: See there.
    """
    _check_terms(terms, ("did:",) if any_did else _DID_METHODS)
    version = await _raise_trust_version(session, org_id)  # also makes writers of one list wait for each other
    row = await session.get(TrustedIssuer, (org_id, entry_id))
    is_new = row is None
    if row is None:
        row = TrustedIssuer(org_id=org_id, id=entry_id, trust_version=version, updated_at=now, **asdict(terms))
    for name, value in asdict(terms).items():
        setattr(row, name, value)
    row.trust_version, row.updated_at = version, now
    session.add(row)
    await _apply_status_policy(session, org_id)
    await record_trust(session, org_id, entry_id, version, row, now)
    _record(session, org_id, entry_id, {**describe_trusted_issuer(row), "change": "put"}, now)
    return row, is_new


async def delete_trusted_issuer(session: AsyncSession, org_id: str, entry_id: str, now: datetime) -> None:
    """Remove an entry.

    Raises:
        NotFoundError: No such entry.
    """
    row = await get_trusted_issuer(session, org_id, entry_id)
    version = await _raise_trust_version(session, org_id)
    await session.delete(row)
    await _apply_status_policy(session, org_id)
    await record_trust(session, org_id, entry_id, version, None, now)
    _record(session, org_id, entry_id, {"change": "delete", "trust_version": version}, now)


async def get_trusted_issuer(session: AsyncSession, org_id: str, entry_id: str) -> TrustedIssuer:
    """Return an entry; raises NotFoundError."""
    row = await session.get(TrustedIssuer, (org_id, entry_id))
    if row is None:
        raise NotFoundError
    return row


async def page_trusted_issuers(
    session: AsyncSession, org_id: str, *, after: str | None, limit: int
) -> Sequence[TrustedIssuer]:
    """Return up to ``limit + 1`` entries in order of id."""
    query = select(TrustedIssuer).where(TrustedIssuer.org_id == org_id).order_by(col(TrustedIssuer.id))
    if after is not None:
        query = query.where(col(TrustedIssuer.id) > after)
    return (await session.exec(query.limit(limit + 1))).all()


def describe_trusted_issuer(row: TrustedIssuer) -> dict[str, Any]:
    """Return the wire form of an entry."""
    return {
        "id": row.id,
        "issuer": row.issuer,
        "credential_types": row.credential_types,
        "jurisdictions": row.jurisdictions,
        "attester_class": row.attester_class,
        "attester_register_id": row.attester_register_id,
        "valid_from": row.valid_from.isoformat() if row.valid_from else None,
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
        "x509_anchors": row.x509_anchors,
        "max_status_age": row.max_status_age,
        "trust_version": row.trust_version,
        "updated_at": format_instant(row.updated_at),
    }


async def _apply_status_policy(session: AsyncSession, org_id: str) -> None:
    await session.flush()
    await apply_max_status_age(session, org_id, find_max_status_ages(await list_trusted_issuers(session, org_id)))


async def _raise_trust_version(session: AsyncSession, org_id: str) -> int:
    statement = (
        update(Organization)
        .where(col(Organization.id) == org_id)
        .values(trust_version=col(Organization.trust_version) + 1)
        .returning(col(Organization.trust_version))
    )
    return int((await session.exec(statement)).scalar_one())


def _check_terms(terms: TrustTerms, did_prefixes: tuple[str, ...]) -> None:
    if not (_is_address(terms.issuer) or terms.issuer.startswith(did_prefixes)):
        raise TrustedIssuerInvalidError(
            "issuer must be an https identifier or a did:web, did:webvh, did:key, did:jwk, did:ethr or did:pkh:eip155."
        )
    if unknown := set(terms.credential_types) - set(CREDENTIAL_TYPES):
        raise TrustedIssuerInvalidError(f"{len(unknown)} of credential_types is not a known credential type.")
    if terms.valid_from is not None and terms.valid_until is not None and terms.valid_until < terms.valid_from:
        raise TrustedIssuerInvalidError("valid_until must not lie before valid_from.")
    _check_anchors(terms)


def _check_anchors(terms: TrustTerms) -> None:
    if terms.x509_anchors and terms.issuer.startswith((*_KEY_DIDS, *ACCOUNT_DIDS)):
        raise TrustedIssuerInvalidError("x509_anchors mean nothing for an issuer that is its own key.")
    for pem in terms.x509_anchors or ():
        try:
            found = [is_authority(each) for each in read_pem_certificates(pem)]
        except CertificateInvalidError as error:
            raise TrustedIssuerInvalidError(f"x509_anchors: {error.detail}") from error
        if found != [True]:
            raise TrustedIssuerInvalidError("Each of x509_anchors must be one certificate, of a CA.")


def _is_address(issuer: str) -> bool:
    try:
        parts = urlsplit(issuer)
    except ValueError:
        return False
    host = parts.hostname or ""
    is_here = host == "localhost" or host.endswith(".localhost")  # plain http is for this machine only
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_here)
    return is_safe and bool(parts.netloc) and not parts.query and not parts.fragment


def _record(session: AsyncSession, org_id: str, entry_id: str, record: dict[str, Any], now: datetime) -> None:
    append_audit_entry(
        session, org_id=org_id, kind="trusted_issuer.changed", subject_id=entry_id, record=record, recorded_at=now
    )
