"""Events, written in the transaction of what they tell, so that both are kept or neither.

An event holds ids and states, so that whoever hears of it asks for the rest with a right to it. What names an investor
belongs in events about that investor alone, for those are deleted when the investor is erased.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.core import Change, insert_rows, plan_inserts
from service.storage.event_types import EVENT_SCOPES, STANDING_CHANGED
from service.storage.ids import new_id
from service.storage.subject_keys import name_investor, name_presentation
from service.storage.tables import DueEvent, Event, StandingRecheck, WebhookDelivery


def build_event(*, org_id: str, kind: str, data: Mapping[str, Any], subject: str, now: datetime) -> dict[str, Any]:
    """Build the columns of one event.

    Args:
        org_id: Whose event it is.
        kind: One of ``EVENT_SCOPES``.
        data: JSON values only: ids and states.
        subject: What it is about, such as ``credential/cred_...``; events about the same are delivered in order.
        now: When it happened.
    """
    assert kind in EVENT_SCOPES
    return {
        "org_id": org_id,
        "id": new_id("evt"),
        "kind": kind,
        "subject": subject,
        "data": write_data(data),
        "occurred_at": now,
        "is_test": False,
    }


def write_data(data: Mapping[str, Any]) -> str:
    """Return an event's data as it is kept."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


async def write_event(
    connection: AsyncConnection, *, org_id: str, kind: str, data: Mapping[str, Any], subject: str, now: datetime
) -> None:
    """Write one event off the ORM; arguments as ``build_event``."""
    await insert_rows(connection, Event, [build_event(org_id=org_id, kind=kind, data=data, subject=subject, now=now)])


def plan_events(rows: Sequence[Mapping[str, Any]]) -> Change:
    """Insert what ``build_event`` built; see ``plan_inserts``."""
    return plan_inserts(Event, rows)


def add_event(
    session: AsyncSession, *, org_id: str, kind: str, data: Mapping[str, Any], subject: str, now: datetime
) -> None:
    """Add one event to a session; arguments as ``build_event``."""
    session.add(Event(**build_event(org_id=org_id, kind=kind, data=data, subject=subject, now=now)))


def build_standing_event(org_id: str, investor_ref: str, *, cause: str, now: datetime, **more: Any) -> dict[str, Any]:
    """Build the event that tells a platform to look at an investor's standing anew.

    Args:
        cause: ``presented``, ``status``, ``screening``, ``frozen`` or ``expired``.
        more: Ids and states.
    """
    data = {"investor_ref": investor_ref, "cause": cause, **more}
    subject = name_investor(investor_ref)
    return build_event(org_id=org_id, kind=STANDING_CHANGED, data=data, subject=subject, now=now)


async def request_recheck(
    connection: AsyncConnection,
    *,
    org_id: str,
    status_list: str,
    is_own: bool,
    indices: Sequence[int],
    now: datetime,
) -> None:
    """Have everybody told who relies on one of these entries of a status list; see ``tables.StandingRecheck``."""
    row = {
        "org_id": org_id,
        "id": new_id("rck"),
        "status_list": status_list,
        "is_own": is_own,
        "indices": json.dumps(sorted(indices)),
        "occurred_at": now,
        "after_org_id": "",
        "after_id": "",
    }
    await insert_rows(connection, StandingRecheck, [row])


async def delete_investor_events(connection: AsyncConnection, org_id: str, ref: str) -> None:
    """Delete every event about an investor, what time would have brought about, and what is on its way anywhere.

    In this order: each statement waits for whoever makes the next kind of row of what it deletes.
    """
    subject = name_investor(ref)
    await connection.execute(delete(DueEvent).where(col(DueEvent.org_id) == org_id, col(DueEvent.subject) == subject))
    about = (col(Event.org_id) == org_id, col(Event.kind) == STANDING_CHANGED, col(Event.subject) == subject)
    await connection.execute(delete(Event).where(*about))
    await connection.execute(
        delete(WebhookDelivery).where(
            col(WebhookDelivery.org_id) == org_id,
            col(WebhookDelivery.kind) == STANDING_CHANGED,
            col(WebhookDelivery.subject) == subject,
        )
    )


async def delete_presentation_events(connection: AsyncConnection, org_id: str, request_ids: Sequence[str]) -> None:
    """Delete what tells of the verdicts on these requests, and what is on its way of it."""
    subjects = [name_presentation(each) for each in request_ids]
    for table in (Event, WebhookDelivery):
        about = (col(table.kind).startswith("presentation."), col(table.subject).in_(subjects))
        await connection.execute(delete(table).where(col(table.org_id) == org_id, *about))
