"""Read an organisation's events in their order, from any number on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.events.numbering import number_events
from service.events.records import EventRow
from service.storage.core import select_fields
from service.storage.tables import Event, EventStream
from service.web.context import Context

_ROUNDS = 10


class EventsForgottenError(ConflictError):
    """Events after this number were swept after their time, so that going on from here would leave some out."""

    code = "events_forgotten"


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order; ``next`` is the number to go on after, None if there are no more now."""

    events: Sequence[EventRow]
    next: int | None


async def list_events(
    context: Context, org_id: str, *, types: Collection[str], after: int | None, limit: int
) -> EventPage:
    """List events of some types with a number above ``after``, or from the oldest that are kept.

    Effects: numbers what is committed and has no number yet.

    Raises:
        EventsForgottenError: See ``code``.
    """
    for _ in range(_ROUNDS):
        async with context.database.reading() as session:
            await _check_after(session, org_id, after)
            found = await _read(session, org_id, types, after or 0, limit + 1)
            is_waiting = len(found) <= limit and await _is_waiting(session, org_id)
        if not is_waiting:
            return EventPage(found[:limit], found[limit - 1].sequence if len(found) > limit else None)
        await number_events(context.database, org_id, context.clock())
    async with context.database.reading() as session:
        numbered = (await session.get_one(EventStream, org_id)).last_sequence
        found = await _read(session, org_id, types, after or 0, limit)
    return EventPage(found, found[-1].sequence if len(found) == limit else numbered)


async def get_event(session: AsyncSession, org_id: str, event_id: str, *, types: Collection[str]) -> EventRow:
    """Return one event that was numbered.

    Raises:
        NotFoundError: None of this id, another organisation's, or of another type.
    """
    query = select_fields(EventRow, Event).where(
        col(Event.org_id) == org_id, col(Event.id) == event_id, col(Event.kind).in_(types), ~col(Event.is_test)
    )
    row = (await (await session.connection()).execute(query)).first()
    if row is None:
        raise NotFoundError
    return EventRow(*row)


async def _check_after(session: AsyncSession, org_id: str, after: int | None) -> None:
    stream = await session.get(EventStream, org_id)
    if after and stream is not None and after < stream.forgotten_until:
        raise EventsForgottenError("Events after this one were swept; read from the oldest, and compare your state.")


async def _read(
    session: AsyncSession, org_id: str, types: Collection[str], after: int, limit: int
) -> Sequence[EventRow]:
    query = (
        select_fields(EventRow, Event)
        .where(col(Event.org_id) == org_id, col(Event.sequence) > after, col(Event.kind).in_(types))
        .order_by(col(Event.sequence))
        .limit(limit)
    )
    return [EventRow(*row) for row in (await (await session.connection()).execute(query)).all()]


async def _is_waiting(session: AsyncSession, org_id: str) -> bool:
    query = select(Event.id).where(Event.org_id == org_id, col(Event.sequence).is_(None), ~col(Event.is_test)).limit(1)
    return (await session.exec(query)).first() is not None
