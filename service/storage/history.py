"""Keep what was known when: each function writes one row, in the transaction of the change that it tells of.

Each expects its caller to hold the lock that writers of the same thing wait for, so that versions follow each other.
A version is never dated before the one that it follows, whatever the clock does in between.
"""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Select, bindparam, literal_column
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import StatusList
from service.storage.core import insert_rows, select_fields, start_upsert, table_of
from service.storage.prepared import fetch_all
from service.storage.snapshots import take_snapshot
from service.storage.standings import InvestorRow, StandingRow
from service.storage.tables import (
    Investor,
    InvestorVersion,
    StandingCredential,
    StandingVersion,
    StatusChange,
    StatusListContent,
    StatusListCopy,
    TrustedIssuer,
    TrustedIssuerVersion,
)

_Version = TypeVar("_Version", bound=SQLModel)


async def record_investor(connection: AsyncConnection, row: InvestorRow, now: datetime) -> None:
    """Keep an investor as it is now; the caller holds the row's lock. Nothing is written if nothing changed."""
    key = {"org_id": row.org_id, "ref": row.ref}
    last = await _find_newest(connection, InvestorVersion, key)
    document = take_snapshot(Investor, row)
    if last is None or last.document != document:
        await _add_version(connection, InvestorVersion, key | {"document": document}, last, now)


async def record_standing(connection: AsyncConnection, row: StandingRow, now: datetime) -> None:
    """Keep a presented credential as it is now; the caller holds the investor's lock."""
    key = {"org_id": row.org_id, "standing_id": row.id}
    last = await _find_newest(connection, StandingVersion, key)
    content = {"investor_ref": row.investor_ref, "document": take_snapshot(StandingCredential, row)}
    await _add_version(connection, StandingVersion, key | content, last, now)


@dataclass(frozen=True, slots=True)
class _Newest:
    """What an investor's and a presented credential's versions share."""

    version: int
    document: dict[str, Any]
    recorded_at: datetime


@cache
def _select_newest(model: type[SQLModel], columns: tuple[str, ...]) -> Select[Any]:
    table = table_of(model)
    query = select_fields(_Newest, model).where(*(table.c[name] == bindparam(name) for name in columns))
    newest = query.order_by(table.c.version.desc()).limit(literal_column("1"))
    return newest.offset(literal_column("0"))  # SQLite would make a parameter of it


async def _find_newest(connection: AsyncConnection, model: type[SQLModel], key: Mapping[str, Any]) -> _Newest | None:
    rows = await fetch_all(connection, _select_newest(model, tuple(key)), key)
    return _Newest(*rows[0]) if rows else None


async def _add_version(
    connection: AsyncConnection, model: type[SQLModel], content: Mapping[str, Any], last: _Newest | None, now: datetime
) -> None:
    version, at = (1, now) if last is None else (last.version + 1, max(now, last.recorded_at))
    await insert_rows(connection, model, [{**content, "version": version, "recorded_at": at}])


async def record_trust(
    session: AsyncSession, org_id: str, entry_id: str, trust_version: int, row: TrustedIssuer | None, now: datetime
) -> None:
    """Keep an entry of the trust list as it is from ``trust_version`` on, None if it was removed.

    The caller has raised the organisation's trust version in this transaction, which makes writers wait.
    """
    last = await _find_last(session, TrustedIssuerVersion, "trust_version", org_id=org_id)
    session.add(
        TrustedIssuerVersion(
            org_id=org_id,
            trust_version=trust_version,
            entry_id=entry_id,
            document=None if row is None else take_snapshot(TrustedIssuer, row),
            recorded_at=now if last is None else max(now, last.recorded_at),
        )
    )


async def record_status_change(
    session: AsyncSession, org_id: str, list_id: str, index: int, *, previous: int, value: int, now: datetime
) -> None:
    """Keep a change of an entry of our own list; the caller holds the list's lock."""
    last = await _find_last(session, StatusChange, "version", org_id=org_id, list_id=list_id, idx=index)
    session.add(
        StatusChange(
            org_id=org_id,
            list_id=list_id,
            idx=index,
            version=1 if last is None else last.version + 1,
            previous=previous,
            value=value,
            changed_at=now,
        )
    )


async def record_status_list(
    session: AsyncSession,
    org_id: str,
    issuer: str,
    status_list: StatusList,
    fetched_at: datetime,
    max_age: timedelta | None = None,
) -> None:
    """Keep what a fetch of another issuer's list found; the caller has just replaced the copy that is in use.

    ``max_age`` is the platform's ``max_status_age`` for the issuer.
    """
    key = {"org_id": org_id, "uri": status_list.uri}
    last = await _find_last(session, StatusListCopy, "version", **key)
    session.add(
        StatusListCopy(
            **key,
            version=1 if last is None else last.version + 1,
            issuer=issuer,
            bits=status_list.bits,
            content_sha256=await _keep_content(session, org_id, bytes(status_list.packed)),
            issued_at=status_list.issued_at,
            expires_at=status_list.expires_at,
            ttl_seconds=None if status_list.ttl is None else int(status_list.ttl.total_seconds()),
            max_age_seconds=None if max_age is None else int(max_age.total_seconds()),
            fetched_at=fetched_at if last is None else max(fetched_at, last.fetched_at),
        )
    )


async def _keep_content(session: AsyncSession, org_id: str, packed: bytes) -> str:
    digest = hashlib.sha256(packed).hexdigest()
    values = {"org_id": org_id, "sha256": digest, "packed": zlib.compress(packed)}
    insert = start_upsert(StatusListContent, session.get_bind().dialect.name)
    await session.exec(insert.values(values).on_conflict_do_nothing())
    return digest


async def _find_last(session: AsyncSession, table: type[_Version], order: str, **key: Any) -> _Version | None:
    query = select(table).where(*(col(getattr(table, name)) == value for name, value in key.items()))
    return (await session.exec(query.order_by(col(getattr(table, order)).desc()).limit(1))).first()
