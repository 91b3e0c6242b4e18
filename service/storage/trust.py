"""Whom a platform trusts, for which types and jurisdictions, and as what. Written by verifier, read by gate."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.credential_types import CREDENTIAL_TYPES
from service.storage.core import read_rows
from service.storage.tables import Organization, TrustedIssuer

UNTRUSTED, OUT_OF_SCOPE = "issuer_untrusted", "issuer_out_of_scope"
UNKNOWN_JURISDICTION = "?"
_LONGEST = 2_048  # characters
_SAME_JURISDICTION = {"GB": "UK"}  # ISO 3166-1 says GB, the rules say UK


@dataclass(frozen=True, slots=True)
class TrustedIssuerRow:
    """See ``tables.TrustedIssuer``."""

    org_id: str
    id: str
    issuer: str
    credential_types: list[str]
    jurisdictions: list[str]
    attester_class: str | None
    valid_from: date | None
    valid_until: date | None
    x509_anchors: list[str] | None
    max_status_age: int | None


TrustEntry = TrustedIssuer | TrustedIssuerRow


@dataclass(frozen=True, slots=True)
class TrustVerdict:
    """Whether an issuer is believed for one credential.

    Attributes:
        trusted: The answer.
        code: ``issuer_untrusted`` (not on the list, or not on that day), ``issuer_out_of_scope`` (on it for other
            types, jurisdictions or another attester class), or None.
        trusted_issuer_id: The list entry that decided, or None.
        attester_class: What the platform takes the issuer for; None unless trusted.
    """

    trusted: bool
    code: str | None
    trusted_issuer_id: str | None = None
    attester_class: str | None = None


def normalize_issuer(identifier: str) -> str:
    """Return the one form in which an https issuer identifier and its did:web alias are equal: the URL.

    A name that is too long for a list of trusted issuers stays as it is.
    """
    return _normalize(identifier) if len(identifier) <= _LONGEST else identifier  # attackers' texts must not be kept


@lru_cache(maxsize=4096)
def _normalize(identifier: str) -> str:
    if identifier.startswith("did:web:"):
        host, *path = identifier.removeprefix("did:web:").split(":")
        netloc = unquote(host).lower()
        name = netloc.partition(":")[0]
        scheme = "http" if name == "localhost" or name.endswith(".localhost") else "https"
        return f"{scheme}://{'/'.join([netloc, *path])}"
    try:
        parts = urlsplit(identifier)
    except ValueError:  # as for an unclosed bracket; it is no address, so it equals nothing but itself
        return identifier
    if parts.scheme in ("https", "http") and parts.netloc and not parts.query and not parts.fragment:
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
    return identifier


def jurisdiction_of(credential_type: str, claims: Mapping[str, Any]) -> str | None:
    """Return the jurisdiction that a credential speaks about.

    Returns:
        ``jurisdiction`` (qualified-investor), the first part of ``regime`` (investment-limit), the residence (kyc);
        None for a type whose credentials speak of none (aml-screening); ``?``, which no list names, where the claim
        was hidden, was never made or is no text.
    """
    kind = CREDENTIAL_TYPES.get(credential_type)
    if kind is None or kind.jurisdiction_claim is None:
        return None
    value = claims.get(kind.jurisdiction_claim)
    if not isinstance(value, str):
        return UNKNOWN_JURISDICTION
    return value.partition(".")[0].upper() if kind.jurisdiction_claim == "regime" else value


def attester_class_of(claims: Mapping[str, Any]) -> str | None:
    """Return what a credential says its issuer is; None if it does not say."""
    # A value that is not a text must not pass for one that was not shown; no list entry has an empty class.
    value = claims.get("attester_class")
    return value if value is None or isinstance(value, str) else ""


async def list_trusted_issuers(session: AsyncSession, org_id: str) -> Sequence[TrustedIssuer]:
    """Return the organisation's list, in order of id."""
    query = select(TrustedIssuer).where(TrustedIssuer.org_id == org_id).order_by(col(TrustedIssuer.id))
    return (await session.exec(query)).all()


async def read_trusted_issuers(
    connection: AsyncConnection, org_ids: Iterable[str]
) -> dict[str, list[TrustedIssuerRow]]:
    """Return the lists of several organisations, each in order of id."""
    lists: dict[str, list[TrustedIssuerRow]] = {org_id: [] for org_id in org_ids}
    rows = await read_rows(connection, TrustedIssuerRow, TrustedIssuer, ("org_id",), [(each,) for each in lists])
    for row in sorted(rows, key=lambda each: each.id):
        lists[row.org_id].append(row)
    return lists


def find_max_status_ages(rows: Iterable[TrustEntry]) -> dict[str, int]:
    """Return the strictest ``max_status_age`` of each issuer that has one, by the issuer's normal form."""
    ages: dict[str, int] = {}
    for row in rows:
        if row.max_status_age is not None:
            name = normalize_issuer(row.issuer)
            ages[name] = min(row.max_status_age, ages.get(name, row.max_status_age))
    return ages


async def hold_max_status_age(session: AsyncSession, org_id: str, issuer: str) -> timedelta | None:
    """Return the platform's ``max_status_age`` for an issuer as it is now; its list stays so until the end.

    Args:
        session: A transaction.
        org_id: Whose list.
        issuer: As a credential names it.
    """
    # Every change of the list writes this row first.
    await session.exec(select(Organization.id).where(Organization.id == org_id).with_for_update(read=True))
    seconds = find_max_status_ages(await list_trusted_issuers(session, org_id)).get(normalize_issuer(issuer))
    return None if seconds is None else timedelta(seconds=seconds)


def is_trusted(
    row: TrustEntry,
    *,
    issuer: str,
    credential_type: str,
    jurisdiction: str | None,
    attester_class: str | None,
    on: date,
) -> TrustVerdict:
    """Judge one credential by one list entry.

    Args:
        row: The entry; an empty ``jurisdictions`` does not restrict. One that restricts is not met by ``?``: whoever
            hides a claim must not gain by it.
        issuer: ``iss`` of the credential, an https identifier or a DID.
        credential_type: ``kyc``, ``aml-screening``, ...
        jurisdiction: From ``jurisdiction_of``.
        attester_class: What the credential says its issuer is; None if it says nothing.
        on: The day of the question.
    """
    if normalize_issuer(row.issuer) != normalize_issuer(issuer) or not covers_day(row, on):
        return TrustVerdict(False, UNTRUSTED)
    in_scope = (
        credential_type in row.credential_types
        and _covers_jurisdiction(row.jurisdictions, jurisdiction)
        and (attester_class is None or attester_class == row.attester_class)
    )
    if not in_scope:
        return TrustVerdict(False, OUT_OF_SCOPE, row.id)
    return TrustVerdict(True, None, row.id, row.attester_class)


def judge_issuer(
    rows: Iterable[TrustEntry],
    *,
    issuer: str,
    credential_type: str,
    jurisdiction: str | None,
    attester_class: str | None,
    on: date,
) -> TrustVerdict:
    """Judge one credential by the whole list: any entry that trusts is enough. Arguments as ``is_trusted``."""
    best, name = TrustVerdict(False, UNTRUSTED), normalize_issuer(issuer)
    for row in rows:
        if normalize_issuer(row.issuer) != name:
            continue
        verdict = is_trusted(
            row,
            issuer=issuer,
            credential_type=credential_type,
            jurisdiction=jurisdiction,
            attester_class=attester_class,
            on=on,
        )
        if verdict.trusted:
            return verdict
        if verdict.code == OUT_OF_SCOPE:
            best = verdict
    return best


def covers_day(row: TrustEntry, on: date) -> bool:
    """Tell whether a list entry counts on a day."""
    return (row.valid_from is None or row.valid_from <= on) and (row.valid_until is None or on <= row.valid_until)


def _covers_jurisdiction(listed: Sequence[str], jurisdiction: str | None) -> bool:
    if not listed or jurisdiction is None:
        return True
    return _SAME_JURISDICTION.get(jurisdiction, jurisdiction) in {_SAME_JURISDICTION.get(each, each) for each in listed}
