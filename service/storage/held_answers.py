"""Answers that wait for their browsers, and are forgotten when these do not come back in time."""

from datetime import datetime

from sqlmodel import col, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.tables import PresentationRequest

_AT_ONCE = 200


async def forget_held_answers(session: AsyncSession, org_id: str | None, now: datetime) -> bool:
    """Empty what waited in vain, a page at a time.

    Effects: rows that another transaction holds are left to it.

    Args:
        org_id: Whose; None for everybody's.

    Returns:
        Whether there may be more.
    """
    table = PresentationRequest
    expired = select(table.id).where(
        *(() if org_id is None else (table.org_id == org_id,)),
        table.expires_at <= now,
        col(table.sealed_held_answer).is_not(None),
    )
    ids = (await session.exec(expired.limit(_AT_ONCE).with_for_update(skip_locked=True))).all()
    if ids:
        emptied = update(table).where(col(table.id).in_(ids))
        await session.exec(emptied.values(sealed_held_answer=None, sealed_decryption_key=None))
    return len(ids) == _AT_ONCE
