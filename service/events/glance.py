"""See with one small query whether there is anything to do, which most of the time there is not."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, exists, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.core import table_of
from service.storage.prepared import fetch_all
from service.storage.tables import DueEvent, Event, StandingRecheck, WebhookDelivery, WebhookEndpoint
from service.storage.types import Instant

_ACTIVE: ColumnElement[str] = literal_column("'active'")  # as partial indexes have them
_PENDING: ColumnElement[str] = literal_column("'pending'")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to do."""

    has_rechecks: bool
    has_due_events: bool
    has_waiting_events: bool
    has_challenges: bool
    has_deliveries: bool


@cache
def _select_todo() -> Select[Any]:
    recheck, due, event = table_of(StandingRecheck), table_of(DueEvent), table_of(Event)
    endpoint, delivery = table_of(WebhookEndpoint), table_of(WebhookDelivery)
    now = bindparam("now", type_=Instant)
    waiting = exists().where(event.c.org_id == endpoint.c.org_id, event.c.sequence.is_(None), ~event.c.is_test)
    conditions = (
        exists(select(recheck.c.id)),
        exists(select(due.c.org_id).where(due.c.due_at <= now)),
        exists(select(endpoint.c.id).where(endpoint.c.state == _ACTIVE, waiting)),
        exists(select(endpoint.c.id).where(endpoint.c.state == _PENDING, endpoint.c.challenge_due_at <= now)),
        exists(select(delivery.c.id).where(and_(delivery.c.state == _PENDING, delivery.c.due_at <= now))),
    )
    asked: list[Any] = [each.label(f"todo_{number}") for number, each in enumerate(conditions)]
    return select(*asked)


async def look_around(connection: AsyncConnection, now: datetime) -> Waiting:
    """Read what there is to do at this instant."""
    [row] = await fetch_all(connection, _select_todo(), {"now": now})
    return Waiting(*map(bool, row))
