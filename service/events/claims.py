"""Which deliveries are to be sent now, taken so that no other process sends them, and what came of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, or_, tuple_, update
from sqlalchemy import select as select_columns
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.events.deliveries import DEAD, DELIVERED, PENDING
from service.events.endpoints import ACTIVE, DISABLED, DISABLED_AFTER, open_secrets
from service.events.records import EventRow, write_payload
from service.events.schedule import find_next_try
from service.events.sending import Message, Outcome
from service.keys import KeystoreError
from service.storage.core import select_fields
from service.storage.tables import Event, WebhookDelivery, WebhookEndpoint
from service.web.context import Context

LEASE = timedelta(seconds=60)
"""Four times what a receiver may take. A process that dies leaves its deliveries to the others after this time."""
AT_ONCE_TO_ONE = 4
_log = structlog.get_logger(__name__)
Key = tuple[str, str]
"""Organisation and id."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this process sends; ``attempts`` is how often it was tried before."""

    org_id: str
    id: str
    endpoint_id: str
    attempts: int
    message: Message

    @property
    def endpoint(self) -> Key:
        """Identify where it goes."""
        return self.org_id, self.endpoint_id


async def claim_due(context: Context, *, in_flight: Mapping[Key, int], room: int) -> list[Claim]:
    """Take deliveries that are due, a few for each endpoint, the oldest first.

    One waits while an earlier one of the same subject and endpoint is pending.

    Args:
        in_flight: How many this process is sending, by endpoint.
        room: How many to take at most.
    """
    now = context.clock()
    async with context.database.reading() as session:
        found = await _list_due(session, in_flight, room, now)
    keys = [key for key, endpoint, place in found if place + in_flight.get(endpoint, 0) <= AT_ONCE_TO_ONE]
    if not keys:
        return []
    async with context.database.transaction() as session:
        return await _take(context, session, keys, now)


async def _list_due(
    session: AsyncSession, in_flight: Mapping[Key, int], room: int, now: datetime
) -> list[tuple[Key, Key, int]]:
    """Return what is due, where it goes, and its place among all that is due there."""
    busy = [endpoint for endpoint, count in in_flight.items() if count >= AT_ONCE_TO_ONE]
    one, earlier = WebhookDelivery, aliased(WebhookDelivery)
    is_first = ~(
        select(col(earlier.id))
        .where(
            col(earlier.org_id) == col(one.org_id),
            col(earlier.endpoint_id) == col(one.endpoint_id),
            col(earlier.subject) == col(one.subject),
            col(earlier.sequence) < col(one.sequence),
            col(earlier.state) == PENDING,
        )
        .exists()
    )
    place = func.row_number().over(
        partition_by=(col(one.org_id), col(one.endpoint_id)), order_by=(col(one.due_at), col(one.sequence))
    )
    endpoint = WebhookEndpoint
    ranked = (
        select_columns(col(one.org_id), col(one.id), col(one.endpoint_id), place.label("place"))
        .join(endpoint, (col(endpoint.org_id) == col(one.org_id)) & (col(endpoint.id) == col(one.endpoint_id)))
        .where(
            col(one.state) == PENDING,
            col(one.due_at) <= now,
            or_(col(one.lease_until).is_(None), col(one.lease_until) <= now),
            col(endpoint.state) == ACTIVE,
            or_(col(endpoint.not_before).is_(None), col(endpoint.not_before) <= now),
            tuple_(col(one.org_id), col(one.endpoint_id)).not_in(busy),
            is_first,
        )
        .subquery()
    )
    query = select_columns(ranked).where(ranked.c.place <= AT_ONCE_TO_ONE)
    rows = (await (await session.connection()).execute(query.order_by(ranked.c.place).limit(room))).all()
    return [((org_id, delivery_id), (org_id, endpoint_id), place) for org_id, delivery_id, endpoint_id, place in rows]


async def _take(context: Context, session: AsyncSession, keys: Sequence[Key], now: datetime) -> list[Claim]:
    query = (
        select(WebhookDelivery)
        .where(
            tuple_(col(WebhookDelivery.org_id), col(WebhookDelivery.id)).in_(keys),
            col(WebhookDelivery.state) == PENDING,
            col(WebhookDelivery.due_at) <= now,
            or_(col(WebhookDelivery.lease_until).is_(None), col(WebhookDelivery.lease_until) <= now),
        )
        .order_by(col(WebhookDelivery.sequence))
        .with_for_update(skip_locked=True)
    )
    claims = []
    for row in (await session.exec(query)).all():
        row.lease_until = now + LEASE
        session.add(row)
        try:
            message = await _compose(context, session, row, now)
        except KeystoreError:  # the endpoint's secret was altered: the others go on, and this one waits for its lease
            _log.error("webhook_secret_unreadable", endpoint_id=row.endpoint_id)
            continue
        if message is None:  # the event was swept, or deleted with the investor whom it was about
            await session.delete(row)
            continue
        claims.append(Claim(row.org_id, row.id, row.endpoint_id, row.attempts, message))
    return claims


async def _compose(context: Context, session: AsyncSession, row: WebhookDelivery, now: datetime) -> Message | None:
    query = select_fields(EventRow, Event).where(col(Event.org_id) == row.org_id, col(Event.id) == row.event_id)
    event = (await (await session.connection()).execute(query)).first()
    endpoint = await session.get(WebhookEndpoint, (row.org_id, row.endpoint_id))
    if event is None or endpoint is None:
        return None
    body = write_payload(EventRow(*event), endpoint.version)
    return Message(endpoint.url, row.event_id, body, open_secrets(context.signer, endpoint, now))


async def record_outcome(
    session: AsyncSession, claim: Claim, outcome: Outcome, *, chance: float, now: datetime
) -> None:
    """Write what came of a sending, unless another process, or a call to send it again, was first.

    Args:
        chance: See ``find_next_try``.
    """
    row = await session.get(WebhookDelivery, (claim.org_id, claim.id), with_for_update=True)
    if row is None or row.state != PENDING or row.attempts != claim.attempts:
        return
    row.attempts += 1
    row.last_attempt_at, row.last_status, row.last_error = now, outcome.status, outcome.error
    row.lease_until = None
    if outcome.is_delivered:
        row.state, row.delivered_at = DELIVERED, now
    else:
        next_at = find_next_try(row.attempts, now, chance=chance, retry_after=outcome.retry_after)
        row.state, row.due_at = (DEAD, row.due_at) if next_at is None else (PENDING, next_at)
    session.add(row)
    await _note_health(session, claim, outcome, now)


async def _note_health(session: AsyncSession, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """Keep on the endpoint since when nothing arrives; a change is written, which most attempts are none of."""
    mine = (col(WebhookEndpoint.org_id) == claim.org_id, col(WebhookEndpoint.id) == claim.endpoint_id)
    failing = col(WebhookEndpoint.failing_since)
    if outcome.is_delivered:
        await session.exec(update(WebhookEndpoint).where(*mine, failing.is_not(None)).values(failing_since=None))
        return
    await session.exec(update(WebhookEndpoint).where(*mine, failing.is_(None)).values(failing_since=now))
    active = (*mine, col(WebhookEndpoint.state) == ACTIVE)
    disabled = {"state": DISABLED, "updated_at": now}
    if outcome.is_gone:
        await session.exec(update(WebhookEndpoint).where(*active).values(**disabled, disabled_because="gone"))
    too_long = update(WebhookEndpoint).where(*active, failing <= now - DISABLED_AFTER)
    await session.exec(too_long.values(**disabled, disabled_because="failing"))
    if outcome.retry_after:
        await session.exec(update(WebhookEndpoint).where(*mine).values(not_before=now + outcome.retry_after))
