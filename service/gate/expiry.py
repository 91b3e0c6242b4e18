"""End reservations whose time is over on securities that nobody asks about, so that it is told.

Everybody who asks about a security ends its overdue reservations first; no decision waits for this.
"""

import asyncio
from datetime import datetime

import structlog
from sqlmodel import col, select

from service.gate.batch import Closing
from service.gate.inquiries import advance_clock
from service.gate.material import Question
from service.gate.pipeline import pipeline_of
from service.gate.reservations import expire_overdue
from service.gate.turn import Turn
from service.storage.tables import HeldReservation
from service.web.context import Context

EVERY_S = 15.0
_AT_ONCE = 500
_log = structlog.get_logger(__name__)


async def expire_reservations(context: Context) -> int:
    """End what is overdue; returns on how many securities."""
    transfers = await _list_overdue(context, context.clock())
    for org_id, transfer_id in transfers:
        await pipeline_of(context).submit(context, Closing(org_id, transfer_id, _expire))
    return len(transfers)


async def _expire(turn: Turn, question: Question) -> None:
    register = turn.material.open(question).register
    now = advance_clock(register.head, turn.material.now)
    register.mark_head()
    expire_overdue(register, now)


async def _list_overdue(context: Context, now: datetime) -> list[tuple[str, str]]:
    """Return one overdue transfer of each security that has any."""
    held = HeldReservation
    query = (
        select(held.registrar_org_id, held.security_id, held.org_id, held.transfer_id)
        .where(col(held.expires_at) <= now)
        .limit(_AT_ONCE)
    )
    async with context.database.reading() as session:
        rows = (await session.exec(query)).all()
    return list({(registrar, security): (org_id, transfer) for registrar, security, org_id, transfer in rows}.values())


async def expire_reservations_forever(context: Context, *, every_s: float = EVERY_S) -> None:
    """Look four times a minute; every worker may, for what one has ended the next doesn't find."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await expire_reservations(context)
        except Exception as error:  # the next look goes on
            _log.warning("reservations_not_expired", error=type(error).__name__)
