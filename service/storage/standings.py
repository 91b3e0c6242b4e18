"""What a platform holds about its investors. Written by verifier, read by gate."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.core import read_rows
from service.storage.personal_data import StandingContent, open_investor, open_standing
from service.storage.statuses import StatusQuery
from service.storage.subject_keys import DataKey, KeyWrapper, name_investor, open_subject_key, read_subject_keys
from service.storage.tables import Investor, StandingCredential, SubjectKey
from service.storage.together import read_together

InvestorKey = tuple[str, str]
"""Organisation and ref."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A credential that an investor presented, opened; as ``StandingCredential`` and ``StandingContent``.

    ``statuses`` are the entries of status lists that it names, of which each counts.
    """

    id: str
    investor_ref: str
    request_id: str
    credential_type: str
    vct: str
    issuer: str
    digest: str
    holder_thumbprint: str
    claims: Mapping[str, Any]
    statuses: tuple[StatusQuery, ...]
    issued_at: datetime | None
    not_before: datetime | None
    expires_at: datetime
    presented_at: datetime


@dataclass(frozen=True, slots=True)
class KnownInvestor:
    """An investor, opened; as ``Investor`` and ``InvestorContent``. ``key`` is None once it was destroyed."""

    ref: str
    frozen: bool
    screening: Mapping[str, Any] | None
    kyc_issuer: str | None
    kyc_sub: str | None
    key: DataKey | None


@dataclass(frozen=True, slots=True)
class InvestorRow:
    """See ``tables.Investor``."""

    org_id: str
    ref: str
    frozen: bool
    kyc_issuer: str | None
    sealed: bytes | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StandingRow:
    """See ``tables.StandingCredential``."""

    org_id: str
    investor_ref: str
    id: str
    request_id: str
    credential_type: str
    vct: str
    issuer: str
    status_uri: str | None
    sealed: bytes
    issued_at: datetime | None
    not_before: datetime | None
    expires_at: datetime
    presented_at: datetime


@dataclass(frozen=True, slots=True)
class _KeyRow:
    """See ``tables.SubjectKey``."""

    org_id: str
    subject: str
    id: str
    wrapped_key: bytes
    destroyed_at: datetime | None


async def read_investor_keys(
    session: AsyncSession, wrapper: KeyWrapper, org_id: str, refs: Collection[str]
) -> dict[str, DataKey]:
    """Open the keys of investors, by ref; whoever has none, or none any more, is left out."""
    subjects = {name_investor(ref): ref for ref in refs}
    keys = await read_subject_keys(await session.connection(), wrapper, org_id, subjects)
    return {subjects[subject]: key for subject, key in keys.items()}


async def list_standing(
    session: AsyncSession, keys: Mapping[str, DataKey], org_id: str, investor_refs: Collection[str]
) -> dict[str, list[Standing]]:
    """Read the credentials that these investors presented, whatever became of them since.

    Args:
        keys: From ``read_investor_keys``.

    Returns:
        Every asked ref with its rows, by credential type and newest first within a type; empty for the unknown.
    """
    standing: dict[str, list[Standing]] = {ref: [] for ref in investor_refs}
    query = (
        select(StandingCredential)
        .where(StandingCredential.org_id == org_id, col(StandingCredential.investor_ref).in_(list(standing)))
        .order_by(
            col(StandingCredential.credential_type),
            col(StandingCredential.presented_at).desc(),
            col(StandingCredential.id).desc(),
        )
    )
    for row in (await session.exec(query)).all():
        if row.investor_ref in keys:
            standing[row.investor_ref].append(know_standing(row, keys[row.investor_ref]))
    return standing


def know_standing(row: StandingCredential | StandingRow, key: DataKey) -> Standing:
    """Open a presented credential's row."""
    content = open_standing(key, row)
    return Standing(
        id=row.id,
        investor_ref=row.investor_ref,
        request_id=row.request_id,
        credential_type=row.credential_type,
        vct=row.vct,
        issuer=row.issuer,
        digest=content.digest,
        holder_thumbprint=content.holder_thumbprint,
        claims=content.claims,
        statuses=list_statuses(row, content),
        issued_at=row.issued_at,
        not_before=row.not_before,
        expires_at=row.expires_at,
        presented_at=row.presented_at,
    )


def list_statuses(row: StandingCredential | StandingRow, content: StandingContent) -> tuple[StatusQuery, ...]:
    """Return the status entries that a presented credential names."""
    if row.status_uri is None or content.status_index is None:
        return ()
    first = StatusQuery(row.issuer, row.status_uri, content.status_index)
    return (first, *(StatusQuery(row.issuer, uri, index) for uri, index in content.further_statuses))


def pick_newest(rows: Sequence[Standing], credential_type: str) -> Standing | None:
    """Return the newest credential of a type from what ``list_standing`` gave for one investor."""
    return next((row for row in rows if row.credential_type == credential_type), None)


async def list_investors(
    session: AsyncSession, keys: Mapping[str, DataKey], org_id: str, refs: Collection[str]
) -> dict[str, KnownInvestor]:
    """Return the investors that the platform has recorded, by ref; unknown refs are left out.

    Args:
        keys: From ``read_investor_keys``.
    """
    query = select(Investor).where(Investor.org_id == org_id, col(Investor.ref).in_(list(refs)))
    return {row.ref: know_investor(row, keys.get(row.ref)) for row in (await session.exec(query)).all()}


def know_investor(row: Investor | InvestorRow, key: DataKey | None) -> KnownInvestor:
    """Open an investor's row."""
    content = open_investor(key, row)
    return KnownInvestor(row.ref, row.frozen, content.screening, row.kyc_issuer, content.kyc_sub, key)


async def read_known(
    connection: AsyncConnection, wrapper: KeyWrapper, investors: Collection[InvestorKey]
) -> tuple[dict[InvestorKey, KnownInvestor], dict[InvestorKey, list[Standing]]]:
    """Read and open many investors, of any organisations, with what they presented: one query for each kind.

    Returns:
        Those who are recorded, and for everybody asked about their credentials, by type and newest first within a
        type; none where the key was destroyed.
    """
    keys, known, rows = await read_together(
        connection,
        partial(_read_keys, wrapper=wrapper, investors=investors),
        lambda one: read_rows(one, InvestorRow, Investor, ("org_id", "ref"), investors),
        lambda one: read_rows(one, StandingRow, StandingCredential, ("org_id", "investor_ref"), investors),
    )
    return (
        {(row.org_id, row.ref): know_investor(row, keys.get((row.org_id, row.ref))) for row in known},
        _open_standings(rows, keys, investors),
    )


async def _read_keys(
    connection: AsyncConnection, wrapper: KeyWrapper, investors: Iterable[InvestorKey]
) -> dict[InvestorKey, DataKey]:
    subjects = {(org_id, name_investor(ref)): (org_id, ref) for org_id, ref in investors}
    rows = await read_rows(connection, _KeyRow, SubjectKey, ("org_id", "subject"), subjects)
    return {
        subjects[row.org_id, row.subject]: open_subject_key(
            wrapper, row.org_id, row.subject, row.wrapped_key, key_id=row.id
        )
        for row in rows
        if row.destroyed_at is None
    }


def _open_standings(
    rows: list[StandingRow], keys: Mapping[InvestorKey, DataKey], investors: Iterable[InvestorKey]
) -> dict[InvestorKey, list[Standing]]:
    standings: dict[InvestorKey, list[Standing]] = {key: [] for key in investors}
    rows.sort(key=lambda row: (row.presented_at, row.id), reverse=True)
    for row in sorted(rows, key=lambda row: row.credential_type):
        owner = (row.org_id, row.investor_ref)
        if owner in keys:
            standings[owner].append(know_standing(row, keys[owner]))
    return standings
