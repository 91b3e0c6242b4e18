"""Read what was known at an instant, from the rows that ``service.storage.history`` writes.

Rows come back as the tables of the present hold them, but outside any session. What was shown, said or fetched after
the instant is not there; what ran out since had not run out then.
"""

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import get_status
from service.errors import InvalidInputError
from service.storage.snapshots import restore_snapshot
from service.storage.standings import KnownInvestor, Standing, know_investor, know_standing
from service.storage.statuses import (
    UNAVAILABLE,
    StatusQuery,
    StatusReading,
    bound_ttl,
    is_too_old,
    read_credential_statuses,
)
from service.storage.subject_keys import DataKey
from service.storage.tables import (
    Investor,
    InvestorVersion,
    Organization,
    StandingCredential,
    StandingVersion,
    StatusChange,
    StatusListContent,
    StatusListCopy,
    TrustedIssuer,
    TrustedIssuerVersion,
)
from service.storage.trust import normalize_issuer

LARGEST_INDEX = 2**31 - 1  # what a column takes, whatever a credential claims


class RecordIncompleteError(InvalidInputError):
    """The investor was known at that instant, but what was known of them is only on record from later on."""

    code = "record_incomplete"


@dataclass(frozen=True, slots=True)
class TrustRecord:
    """A trust list as it stood: its version and its entries, in order of id."""

    version: int
    entries: Sequence[TrustedIssuer]


@dataclass(frozen=True, slots=True)
class PastInvestor:
    """An investor as they stood, sealed and opened, and from when on all changes are on record."""

    row: Investor
    known: KnownInvestor
    complete_since: datetime


async def list_investors_as_of(
    session: AsyncSession, keys: Mapping[str, DataKey], org_id: str, refs: Collection[str], at: datetime
) -> dict[str, PastInvestor]:
    """Return the investors that the platform had recorded by ``at``; those of whom it knew nothing are left out.

    Args:
        keys: From ``read_investor_keys``; what was sealed under a key that was destroyed since stays unknown.

    Raises:
        RecordIncompleteError: One was recorded by then, before the platform kept the history of its investors.
    """
    query = (
        select(InvestorVersion)
        .where(InvestorVersion.org_id == org_id, col(InvestorVersion.ref).in_(list(refs)))
        .order_by(col(InvestorVersion.ref), col(InvestorVersion.version))
    )
    versions: dict[str, list[InvestorVersion]] = {}
    for row in (await session.exec(query)).all():
        versions.setdefault(row.ref, []).append(row)
    found = {ref: _pick_investor(rows, keys.get(ref), at) for ref, rows in versions.items()}
    return {ref: investor for ref, investor in found.items() if investor is not None}


def _pick_investor(versions: Sequence[InvestorVersion], key: DataKey | None, at: datetime) -> PastInvestor | None:
    first = versions[0]
    past = [version for version in versions if version.recorded_at <= at]
    if past:
        row = restore_snapshot(Investor, past[-1].document)
        return PastInvestor(row, know_investor(row, key), first.recorded_at)
    if restore_snapshot(Investor, first.document).created_at <= at:
        since = first.recorded_at.isoformat().replace("+00:00", "Z")
        raise RecordIncompleteError(f"What was known of {first.ref} is on record from {since} on.")
    return None


async def find_record_start(session: AsyncSession, org_id: str, ref: str) -> datetime:
    """Return from when on all that was known of a recorded investor is on record."""
    query = select(InvestorVersion.recorded_at).where(
        InvestorVersion.org_id == org_id, InvestorVersion.ref == ref, InvestorVersion.version == 1
    )
    return (await session.exec(query)).one()


async def list_standing_as_of(
    session: AsyncSession, keys: Mapping[str, DataKey], org_id: str, investor_refs: Collection[str], at: datetime
) -> dict[str, list[Standing]]:
    """Return what these investors had presented by ``at``; the form and the order are those of ``list_standing``."""
    standing: dict[str, list[Standing]] = {ref: [] for ref in investor_refs}
    latest = (
        select(StandingVersion.standing_id, func.max(StandingVersion.version))
        .where(
            StandingVersion.org_id == org_id,
            col(StandingVersion.investor_ref).in_(list(standing)),
            StandingVersion.recorded_at <= at,
        )
        .group_by(col(StandingVersion.standing_id))
    )
    query = select(StandingVersion).where(
        StandingVersion.org_id == org_id,
        tuple_(col(StandingVersion.standing_id), col(StandingVersion.version)).in_(latest),
    )
    rows = [restore_snapshot(StandingCredential, version.document) for version in (await session.exec(query)).all()]
    for row in sorted(rows, key=lambda each: (each.presented_at, each.id), reverse=True):
        if row.investor_ref in keys:
            standing[row.investor_ref].append(know_standing(row, keys[row.investor_ref]))
    return {ref: sorted(found, key=lambda each: each.credential_type) for ref, found in standing.items()}


async def read_trust_as_of(session: AsyncSession, org_id: str, at: datetime) -> TrustRecord:
    """Return the organisation's trust list as it stood.

    Every change raises the version by one, so the version then is the one before the first change since.
    """
    query = select(TrustedIssuerVersion).where(TrustedIssuerVersion.org_id == org_id)
    versions = (await session.exec(query.order_by(col(TrustedIssuerVersion.trust_version)))).all()
    later = [version.trust_version for version in versions if version.recorded_at > at]
    number = later[0] - 1 if later else (await session.get_one(Organization, org_id)).trust_version
    entries = {version.entry_id: version.document for version in versions if version.recorded_at <= at}
    kept = sorted((entry_id, document) for entry_id, document in entries.items() if document is not None)
    return TrustRecord(number, [restore_snapshot(TrustedIssuer, document) for _, document in kept])


async def read_statuses_as_of(
    session: AsyncSession, *, base_url: str, org_id: str, queries: Collection[StatusQuery], at: datetime
) -> dict[StatusQuery, StatusReading]:
    """Read many entries as they stood: our own lists, and what the copies of others' said that were held then."""
    prefix = f"{base_url}/issuers/"
    own = {query for query in queries if query.uri.startswith(prefix)}
    readings = await read_credential_statuses(session, base_url=base_url, org_id=org_id, queries=own, now=at)
    undone = await _read_undone(session, {query: _place_of(query, prefix) for query in own}, at)
    past = {query: _undo(reading, undone.get(query), at) for query, reading in readings.items()}
    return past | await _read_copies(session, org_id, set(queries) - own, at)


def _undo(reading: StatusReading, previous: int | None, at: datetime) -> StatusReading:
    if reading.value is None or reading.issued_at is None:
        return reading
    value = reading.value if previous is None else previous
    return replace(reading, value=value, issued_at=min(reading.issued_at, at))


def _place_of(query: StatusQuery, prefix: str) -> tuple[str, str, int]:
    slug, _, list_id = query.uri.removeprefix(prefix).partition("/status-lists/")
    return slug, list_id, query.index


async def _read_undone(
    session: AsyncSession, places: Mapping[StatusQuery, tuple[str, str, int]], at: datetime
) -> dict[StatusQuery, int]:
    """Return what the entries were before they first changed after ``at``; those that did not change are left out."""
    query = (
        select(Organization.slug, StatusChange)
        .join(Organization, col(Organization.id) == col(StatusChange.org_id))
        .where(
            col(Organization.slug).in_({slug for slug, _, _ in places.values()}),
            col(StatusChange.list_id).in_({list_id for _, list_id, _ in places.values()}),
            col(StatusChange.idx).in_({index for _, _, index in places.values() if 0 <= index <= LARGEST_INDEX}),
            StatusChange.changed_at > at,
        )
        .order_by(col(StatusChange.version).desc())
    )
    before = {(slug, change.list_id, change.idx): change.previous for slug, change in (await session.exec(query)).all()}
    return {query: before[place] for query, place in places.items() if place in before}


async def _read_copies(
    session: AsyncSession, org_id: str, queries: Collection[StatusQuery], at: datetime
) -> dict[StatusQuery, StatusReading]:
    latest = (
        select(StatusListCopy.uri, func.max(StatusListCopy.version))
        .where(
            StatusListCopy.org_id == org_id,
            col(StatusListCopy.uri).in_({query.uri for query in queries}),
            StatusListCopy.fetched_at <= at,
        )
        .group_by(col(StatusListCopy.uri))
    )
    statement = (
        select(StatusListCopy, StatusListContent.packed)
        .join(
            StatusListContent,
            (col(StatusListContent.org_id) == col(StatusListCopy.org_id))
            & (col(StatusListContent.sha256) == col(StatusListCopy.content_sha256)),
        )
        .where(
            StatusListCopy.org_id == org_id, tuple_(col(StatusListCopy.uri), col(StatusListCopy.version)).in_(latest)
        )
    )
    copies = {copy.uri: (copy, zlib.decompress(packed)) for copy, packed in (await session.exec(statement)).all()}
    return {
        query: _read_copy(query, *copies[query.uri], at) if query.uri in copies else UNAVAILABLE for query in queries
    }


def _read_copy(query: StatusQuery, copy: StatusListCopy, packed: bytes, at: datetime) -> StatusReading:
    max_age = None if copy.max_age_seconds is None else timedelta(seconds=copy.max_age_seconds)
    expired = copy.expires_at is not None and at >= copy.expires_at
    if expired or is_too_old(copy.fetched_at, copy.issued_at, max_age, at):
        return UNAVAILABLE
    stale = at - copy.fetched_at >= bound_ttl(copy.ttl_seconds)
    reading = StatusReading(None, stale, copy.issued_at, "cached")
    if normalize_issuer(query.issuer) != normalize_issuer(copy.issuer):
        return replace(reading, code="status_issuer_mismatch")
    if not 0 <= query.index < len(packed) * 8 // copy.bits:
        return replace(reading, code="status_index_invalid")
    return replace(reading, value=get_status(packed, copy.bits, query.index))
