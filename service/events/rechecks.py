"""Find out which platforms rely on credentials whose status changed, and tell each of them.

Where in a list an investor's credential stands is sealed under the investor's key, so that every standing on the list
is opened; that is why the change of a status does not wait for it. After a crash it goes on with the page at which it
was.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlalchemy import tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.bitstring_status_list import PUBLISHED_PURPOSES, address_bitstring
from service.keys import KeystoreError, Signer
from service.storage.core import insert_rows
from service.storage.outbox import build_standing_event
from service.storage.personal_data import StandingContent, open_standing_claims
from service.storage.standings import list_statuses
from service.storage.tables import Event, Organization, StandingCredential, StandingRecheck, StandingStatusList
from service.web.context import Context

_AT_ONCE = 500
_log = structlog.get_logger(__name__)


async def recheck_standings(context: Context) -> bool:
    """Look at one page of standings on a list that changed; returns whether there was one."""
    async with context.database.reading() as session:
        if (await session.exec(select(StandingRecheck.id).limit(1))).first() is None:
            return False
    query = select(StandingRecheck).order_by(col(StandingRecheck.id)).limit(1).with_for_update(skip_locked=True)
    async with context.database.transaction() as session:
        task = (await session.exec(query)).first()
        if task is None:
            return False
        uris = await _name_uris(session, context.base_url, task)
        rows = await _read_page(session, uris, task)
        await _tell(session, context.signer, task, uris, rows)
        if len(rows) < _AT_ONCE:
            await session.delete(task)
        else:
            task.after_org_id, task.after_id = rows[-1].org_id, rows[-1].id
            session.add(task)
    return True


async def _name_uris(session: AsyncSession, base_url: str, task: StandingRecheck) -> list[str]:
    """Return how credentials may refer to the list."""
    if not task.is_own:
        return [task.status_list]
    issuer = await session.get_one(Organization, task.org_id)
    own = f"{base_url}/issuers/{issuer.slug}/status-lists/{task.status_list}"
    addresses = {purpose: address_bitstring(own, purpose) for purpose in PUBLISHED_PURPOSES}
    return [own, *addresses.values(), *(f"{address}#{purpose}" for purpose, address in addresses.items())]


async def _read_page(session: AsyncSession, uris: Sequence[str], task: StandingRecheck) -> Sequence[StandingCredential]:
    place = tuple_(col(StandingCredential.org_id), col(StandingCredential.id))
    listed = union(
        select(StandingCredential.org_id, StandingCredential.id).where(col(StandingCredential.status_uri).in_(uris)),
        select(StandingStatusList.org_id, StandingStatusList.standing_id).where(col(StandingStatusList.uri).in_(uris)),
    )
    query = select(StandingCredential).where(place.in_(listed), place > (task.after_org_id, task.after_id))
    if not task.is_own:
        query = query.where(StandingCredential.org_id == task.org_id)
    query = query.order_by(col(StandingCredential.org_id), col(StandingCredential.id)).limit(_AT_ONCE)
    return (await session.exec(query)).all()


async def _tell(
    session: AsyncSession,
    signer: Signer,
    task: StandingRecheck,
    uris: Collection[str],
    rows: Sequence[StandingCredential],
) -> None:
    changed, connection = set(json.loads(task.indices)), await session.connection()
    for org_id in sorted({row.org_id for row in rows}):
        theirs = [row for row in rows if row.org_id == org_id]
        opened = await _open(connection, signer, org_id, theirs)
        relying = [
            row.id
            for row in theirs
            if row.id in opened
            and any(each.uri in uris and each.index in changed for each in list_statuses(row, opened[row.id]))
        ]
        events = await _describe(session, org_id, relying, task.occurred_at)
        if events:
            await insert_rows(connection, Event, events)


async def _open(
    connection: AsyncConnection, signer: Signer, org_id: str, rows: Sequence[StandingCredential]
) -> dict[str, StandingContent]:
    """Open standings, leaving out what was altered: it must not keep the others from being told."""
    try:
        return await open_standing_claims(connection, signer, org_id, rows)
    except KeystoreError:
        if len(rows) == 1:
            _log.error("standing_unreadable", standing_id=rows[0].id)
            return {}
    opened: dict[str, StandingContent] = {}
    for row in rows:
        opened |= await _open(connection, signer, org_id, [row])
    return opened


async def _describe(
    session: AsyncSession, org_id: str, ids: Sequence[str], occurred_at: datetime
) -> list[dict[str, object]]:
    """Build the events about standings that are there now and held, so that nobody is erased between."""
    query = (
        select(StandingCredential.investor_ref, StandingCredential.credential_type)
        .where(StandingCredential.org_id == org_id, col(StandingCredential.id).in_(ids))
        .order_by(col(StandingCredential.id))
        .with_for_update()
    )
    return [
        build_standing_event(org_id, ref, cause="status", now=occurred_at, credential_type=credential_type)
        for ref, credential_type in (await session.exec(query)).all()
    ]
