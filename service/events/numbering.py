"""Give committed events their numbers, and make a delivery for each endpoint that wants them.

Only one numbers an organisation's events at a time, and only what is committed gets a number, always one above all that
were given before. So a reader who has seen a number has seen, or can no longer be owed, everything below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from service.storage.core import insert_rows, select_fields, table_of, update_rows
from service.storage.database import Database
from service.storage.ids import new_id
from service.storage.rows import find_rows, get_row, insert_new_rows
from service.storage.tables import Event, EventStream, WebhookDelivery, WebhookEndpoint

AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class StreamRow:
    """See ``tables.EventStream``."""

    org_id: str
    last_sequence: int
    forgotten_until: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    """See ``tables.Event``."""

    id: str
    kind: str
    subject: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """See ``tables.WebhookEndpoint``."""

    id: str
    types: list[str]
    active_since: datetime

    def wants(self, event: _Waiting) -> bool:
        """Tell whether an event is to be sent there."""
        return event.kind in self.types and event.occurred_at >= self.active_since


async def lock_stream(connection: AsyncConnection, org_id: str) -> StreamRow:
    """Return how far an organisation's events are numbered, held until the transaction ends."""
    start = {"org_id": org_id, "last_sequence": 0, "forgotten_until": 0}
    await insert_new_rows(connection, EventStream, [start])
    return await get_row(connection, StreamRow, EventStream, {"org_id": org_id}, lock=True)


async def number_events(database: Database, org_id: str, now: datetime) -> bool:
    """Number what waits, up to ``AT_ONCE``; returns whether more may wait."""
    async with database.transaction() as session:
        connection = await session.connection()
        stream = await lock_stream(connection, org_id)
        waiting = await _list_waiting(connection, org_id)
        places = list(enumerate(waiting, stream.last_sequence + 1))
        if places:
            rows = [{"org_id": org_id, "id": event.id, "sequence": place} for place, event in places]
            await update_rows(connection, Event, rows)
            await update_rows(connection, EventStream, [{"org_id": org_id, "last_sequence": places[-1][0]}])
            await _make_deliveries(connection, org_id, places, now)
    return len(waiting) == AT_ONCE


@cache
def _select_waiting(dialect: str) -> Select[Any]:
    table = table_of(Event)
    # The order of writing, which for events about the same is that of their transactions, whatever clocks say.
    order = table.c.written if dialect == "postgresql" else sql("rowid")
    query = select_fields(_Waiting, Event).where(table.c.sequence.is_(None), ~table.c.is_test)
    return query.order_by(order).limit(AT_ONCE).with_for_update()


async def _list_waiting(connection: AsyncConnection, org_id: str) -> list[_Waiting]:
    query = _select_waiting(connection.dialect.name).where(table_of(Event).c.org_id == org_id)
    return [_Waiting(*row) for row in (await connection.execute(query)).all()]


async def _make_deliveries(
    connection: AsyncConnection, org_id: str, places: Sequence[tuple[int, _Waiting]], now: datetime
) -> None:
    subscribers = await find_rows(connection, _Subscriber, WebhookEndpoint, {"org_id": org_id, "state": "active"})
    rows = [
        build_delivery(org_id, subscriber.id, event.id, event.kind, event.subject, place, now)
        for place, event in places
        for subscriber in subscribers
        if subscriber.wants(event)
    ]
    if rows:
        await insert_rows(connection, WebhookDelivery, rows)


def build_delivery(
    org_id: str, endpoint_id: str, event_id: str, kind: str, subject: str, sequence: int, now: datetime
) -> dict[str, Any]:
    """Build the columns of a delivery that is due at once."""
    return {
        "org_id": org_id,
        "id": new_id("dlv"),
        "endpoint_id": endpoint_id,
        "event_id": event_id,
        "kind": kind,
        "subject": subject,
        "sequence": sequence,
        "state": "pending",
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }


async def number_for_endpoints(database: Database, now: datetime) -> bool:
    """Number the events of every organisation that has somewhere to send them; returns whether there were any."""
    waiting = (
        select(col(WebhookEndpoint.org_id))
        .where(
            col(WebhookEndpoint.state) == "active",
            select(col(Event.id))
            .where(
                col(Event.org_id) == col(WebhookEndpoint.org_id),
                col(Event.sequence).is_(None),
                ~col(Event.is_test),
            )
            .exists(),
        )
        .distinct()
    )
    async with database.reading() as session:
        found = (await (await session.connection()).execute(waiting)).scalars().all()
    for org_id in found:
        await number_events(database, org_id, now)
    return bool(found)
