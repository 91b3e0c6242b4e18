"""Verified copies of others' status lists: kept, replaced, bounded in number, and forgotten.

Only ``statuses.py`` reads what they say. Here nobody looks into their content, which may be megabytes.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import Packed, StatusList
from service.storage.core import select_fields, start_upsert
from service.storage.statuses import ListTerms
from service.storage.tables import HeldStatusList, StandingCredential, StandingStatusList, StatusListCopy
from service.storage.trust import normalize_issuer

MAX_LISTS = 500
"""Of one issuer at one platform, besides those that a standing needs. A list of a million credentials is usual."""
USE_NOTED = timedelta(days=1)  # so that a look seldom writes
USELESS_AFTER = timedelta(days=30)


async def list_held_lists(
    session: AsyncSession, org_id: str, uris: Collection[str] | None = None
) -> dict[str, ListTerms]:
    """Return an organisation's copies by their addresses, all or those that are named."""
    query = select_fields(ListTerms, HeldStatusList).add_columns(col(HeldStatusList.uri))
    query = query.where(col(HeldStatusList.org_id) == org_id)
    if uris is not None:
        query = query.where(col(HeldStatusList.uri).in_(uris))
    rows = (await (await session.connection()).execute(query)).all()
    return {uri: ListTerms(*terms) for *terms, uri in rows}


async def read_held_content(session: AsyncSession, org_id: str, uri: str) -> Packed | None:
    """Return what an organisation's copy says, None without one."""
    query = select(HeldStatusList.bits, HeldStatusList.packed).where(
        HeldStatusList.org_id == org_id, HeldStatusList.uri == uri
    )
    found = (await session.exec(query)).first()
    return Packed(*found) if found else None


async def keep_status_list(
    session: AsyncSession,
    *,
    org_id: str,
    issuer: str,
    status_list: StatusList,
    fetched_at: datetime,
    max_age: timedelta | None = None,
    used_at: datetime | None = None,
) -> bool:
    """Keep a list whose signature ``issuer``'s key verified; returns False for one that is older than any seen.

    The order of ``iat`` stops somebody from serving yesterday's list again (threats, row 40).

    Effects: where an issuer has more than ``MAX_LISTS``, forgets those that were used longest ago and that no standing
    needs.

    Args:
        session: A transaction.
        org_id: Whose copy.
        issuer: As its credentials name it.
        status_list: Verified.
        fetched_at: Now.
        max_age: The platform's ``max_status_age`` for the issuer.
        used_at: Now, if somebody looks at a credential on it; None leaves that as it is.
    """
    if await _is_older_than_seen(session, org_id, status_list):
        return False
    values = {
        "issuer": issuer,
        "bits": status_list.bits,
        "packed": bytes(status_list.packed),
        "issued_at": status_list.issued_at,
        "expires_at": status_list.expires_at,
        "ttl_seconds": None if status_list.ttl is None else int(status_list.ttl.total_seconds()),
        "max_age_seconds": None if max_age is None else int(max_age.total_seconds()),
        "aggregation_uri": status_list.aggregation_uri,
        "fetched_at": fetched_at,
    } | ({} if used_at is None else {"used_at": used_at})
    insert = start_upsert(HeldStatusList, session.get_bind().dialect.name)
    kept = await session.exec(
        insert.values(org_id=org_id, uri=status_list.uri, **values)
        .on_conflict_do_update(
            index_elements=["org_id", "uri"],
            set_=values,
            where=col(HeldStatusList.issued_at) <= status_list.issued_at,  # another process may have been quicker
        )
        .returning(col(HeldStatusList.uri))
    )
    if kept.first() is None:
        return False
    await _forget_surplus(session, org_id, issuer, besides=status_list.uri, now=fetched_at)
    return True


async def _is_older_than_seen(session: AsyncSession, org_id: str, status_list: StatusList) -> bool:
    """Ask the record, which also knows the lists that were forgotten."""
    query = select(StatusListCopy.issued_at).where(
        StatusListCopy.org_id == org_id, StatusListCopy.uri == status_list.uri
    )
    seen = (await session.exec(query.order_by(col(StatusListCopy.version).desc()).limit(1))).first()
    return seen is not None and seen > status_list.issued_at


async def _forget_surplus(session: AsyncSession, org_id: str, issuer: str, *, besides: str, now: datetime) -> None:
    query = select(HeldStatusList.uri).where(
        HeldStatusList.org_id == org_id, HeldStatusList.issuer == issuer, ~_is_needed(now)
    )
    first = (col(HeldStatusList.uri) == besides).desc()  # or of two used at once the one just kept might go
    newest_first = query.order_by(first, col(HeldStatusList.used_at).desc().nulls_last(), col(HeldStatusList.uri))
    surplus = (await session.exec(newest_first.offset(MAX_LISTS))).all()
    await session.exec(
        delete(HeldStatusList).where(col(HeldStatusList.org_id) == org_id, col(HeldStatusList.uri).in_(surplus))
    )


def _is_needed(now: datetime) -> ColumnElement[bool]:
    standing = select(StandingCredential.id).where(
        StandingCredential.org_id == HeldStatusList.org_id, StandingCredential.expires_at > now
    )
    further = and_(
        col(StandingStatusList.org_id) == col(StandingCredential.org_id),
        col(StandingStatusList.standing_id) == col(StandingCredential.id),
    )
    return or_(
        standing.where(StandingCredential.status_uri == HeldStatusList.uri).exists(),
        standing.join(StandingStatusList, further).where(StandingStatusList.uri == HeldStatusList.uri).exists(),
    )


async def forget_useless_lists(session: AsyncSession, now: datetime) -> None:
    """Delete copies that could not be renewed for so long that they say nothing, and that no standing needs."""
    too_old = col(HeldStatusList.fetched_at) < now - USELESS_AFTER
    await session.exec(delete(HeldStatusList).where(too_old, ~_is_needed(now)))


async def note_use(session: AsyncSession, org_id: str, uris: Collection[str], now: datetime) -> None:
    """Remember that somebody looked at credentials on these lists."""
    used = update(HeldStatusList).where(col(HeldStatusList.org_id) == org_id, col(HeldStatusList.uri).in_(uris))
    await session.exec(used.values(used_at=now))


async def apply_max_status_age(session: AsyncSession, org_id: str, ages: Mapping[str, int]) -> None:
    """Let a changed policy count for the copies that are held.

    Args:
        session: A transaction.
        org_id: Whose policy and copies.
        ages: Seconds, by the issuer's normal form; issuers without one are left out.
    """
    mine = col(HeldStatusList.org_id) == org_id
    issuers = (await session.exec(select(HeldStatusList.issuer).where(mine).distinct())).all()
    for issuer in issuers:
        wanted = ages.get(normalize_issuer(issuer))
        changed = col(HeldStatusList.max_age_seconds).is_distinct_from(wanted)
        statement = update(HeldStatusList).where(mine, col(HeldStatusList.issuer) == issuer, changed)
        await session.exec(statement.values(max_age_seconds=wanted))
