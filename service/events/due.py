"""Turn what was written ahead into events, when its time has come and if it is still true."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.core import insert_rows
from service.storage.database import Database
from service.storage.event_types import CREDENTIAL_EXPIRING, STANDING_CHANGED
from service.storage.ids import new_id
from service.storage.tables import Credential, DueEvent, Event, StandingCredential

_AT_ONCE = 200
_REVOKED = "revoked"


async def raise_due_events(database: Database, now: datetime) -> bool:
    """Write the events that time has brought about; returns whether more may be due.

    The row written ahead goes in the transaction of the event, so each is told once.
    """
    query = select(DueEvent).where(col(DueEvent.due_at) <= now).order_by(col(DueEvent.due_at)).limit(_AT_ONCE)
    async with database.reading() as session:
        if (await session.exec(query.limit(1))).first() is None:
            return False
    async with database.transaction() as session:
        rows = (await session.exec(query.with_for_update(skip_locked=True))).all()
        await _raise(session, rows, now)
    return len(rows) == _AT_ONCE


async def _raise(session: AsyncSession, rows: Sequence[DueEvent], now: datetime) -> None:
    events = [
        {
            "org_id": row.org_id,
            "id": new_id("evt"),
            "kind": row.kind,
            "subject": row.subject,
            "data": row.data,
            "occurred_at": row.due_at,
            "is_test": False,
        }
        for row in rows
        if await _is_true(session, row, now)
    ]
    for row in rows:
        await session.delete(row)
    if events:
        await insert_rows(await session.connection(), Event, events)


async def _is_true(session: AsyncSession, row: DueEvent, now: datetime) -> bool:
    key = (row.org_id, row.object_id)
    if row.kind == STANDING_CHANGED:
        standing = await session.get(StandingCredential, key, with_for_update=True)
        return standing is not None and standing.expires_at <= now
    credential = await session.get(Credential, key, with_for_update=True)
    if credential is None or credential.status == _REVOKED:
        return False
    return row.kind != CREDENTIAL_EXPIRING or credential.expires_at > now
