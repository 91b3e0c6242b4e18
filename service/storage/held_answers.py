"""Answers that wait for their browsers, and are forgotten when these do not come back in time."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from service.storage.core import table_of
from service.storage.prepared import fetch_all
from service.storage.tables import PresentationRequest

_AT_ONCE = 200
_REQUESTS = table_of(PresentationRequest)


@cache
def _select_expired(*, of_one: bool) -> Select[Any]:
    query = select(_REQUESTS.c.id).where(
        *((_REQUESTS.c.org_id == bindparam("org_id"),) if of_one else ()),
        _REQUESTS.c.expires_at <= bindparam("now"),
        _REQUESTS.c.sealed_held_answer.is_not(None),
    )
    limited = query.limit(literal_column(str(_AT_ONCE))).offset(literal_column("0"))
    return limited.with_for_update(skip_locked=True)


async def forget_held_answers(connection: AsyncConnection, org_id: str | None, now: datetime) -> bool:
    """Empty what waited in vain, a page at a time.

    Effects: rows that another transaction holds are left to it.

    Args:
        org_id: Whose; None for everybody's.

    Returns:
        Whether there may be more.
    """
    key = {"now": now} if org_id is None else {"now": now, "org_id": org_id}
    ids = [row[0] for row in await fetch_all(connection, _select_expired(of_one=org_id is not None), key)]
    if ids:
        emptied = update(PresentationRequest).where(col(PresentationRequest.id).in_(ids))
        await connection.execute(emptied.values(sealed_held_answer=None, sealed_decryption_key=None))
    return len(ids) == _AT_ONCE
