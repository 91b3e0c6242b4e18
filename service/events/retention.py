"""Sweep events after their time, with what was sent of them."""

from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.events.numbering import StreamRow, lock_stream
from service.storage.core import update_rows
from service.storage.database import Database
from service.storage.tables import Event, EventStream, Organization, WebhookDelivery
from service.storage.tables.organizations import SYSTEM_ORG_ID

_AT_ONCE = 500


async def forget_events(database: Database, now: datetime, *, kept: timedelta) -> int:
    """Delete events that were written longer ago, and their deliveries; returns how many events."""
    before = _first_id(now - kept)
    async with database.reading() as session:
        org_ids = (await session.exec(select(Organization.id))).all()
    total = 0
    for org_id in (*org_ids, SYSTEM_ORG_ID):
        found = _AT_ONCE
        while found == _AT_ONCE:
            async with database.transaction() as session:
                found = await _forget_some(session, org_id, before)
            total += found
    return total


def _first_id(at: datetime) -> str:
    """Return what sorts before the id of every event that is written from then on (RFC 9562, section 5.7)."""
    return f"evt_{int(at.timestamp() * 1000):012x}"


async def _forget_some(session: AsyncSession, org_id: str, before: str) -> int:
    query = (
        select(Event.id, Event.sequence, Event.is_test)
        .where(Event.org_id == org_id, Event.id < before)
        .order_by(col(Event.id))
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    stream = await lock_stream(await session.connection(), org_id)  # first, as who numbers events does
    rows = (await session.exec(query)).all()
    if not rows:
        return 0
    ids = [event_id for event_id, _, _ in rows]
    await session.exec(
        delete(WebhookDelivery).where(col(WebhookDelivery.org_id) == org_id, col(WebhookDelivery.event_id).in_(ids))
    )
    await session.exec(delete(Event).where(col(Event.org_id) == org_id, col(Event.id).in_(ids)))
    await _remember(session, stream, [sequence for _, sequence, is_test in rows if not is_test])
    return len(rows)


async def _remember(session: AsyncSession, stream: StreamRow, gone: list[int | None]) -> None:
    """Keep up to where numbers are gone. What never got one takes the next, so that its loss shows too."""
    if not gone:
        return
    last = stream.last_sequence + (None in gone)
    until = last if None in gone else max(each for each in gone if each is not None)
    row = {"org_id": stream.org_id, "last_sequence": last, "forgotten_until": max(until, stream.forgotten_until)}
    await update_rows(await session.connection(), EventStream, [row])
