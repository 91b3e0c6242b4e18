"""Give every copy its own, random place in a status list.

Places are not in sequence, so the copies of a batch can't be told by their neighbourhood. The list's row is locked
while places are chosen, so two issuances never get the same one; a unique constraint says so again.

Source: draft-ietf-oauth-status-list-20, sections 13.2 and 13.3.
"""

import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.tables import CredentialCopy, StatusList

STATUS_BITS = 2
CAPACITY = 2**17
FILL_FACTOR = 2  # a list is full at one half: a random place is then free at the second try on average


async def allocate_indices(session: AsyncSession, org_id: str, count: int, *, now: datetime) -> tuple[str, list[int]]:
    """Reserve ``count`` places in one list; they are taken when the caller's copies are written.

    Returns:
        Id of the list, and distinct indices in random order.
    """
    found = await _lock_open_list(session, org_id, count)
    if found is None:
        found = _open_list(session, org_id, now)
        await session.flush()
    list_id, capacity = found
    indices = await _choose_free(session, org_id, list_id, capacity, count)
    await session.exec(
        update(StatusList)
        .where(col(StatusList.org_id) == org_id, col(StatusList.id) == list_id)
        .values(allocated=StatusList.allocated + count)
    )
    return list_id, indices


async def _lock_open_list(session: AsyncSession, org_id: str, count: int) -> tuple[str, int] | None:
    query = (
        select(StatusList.id, StatusList.capacity)
        .where(StatusList.org_id == org_id, (StatusList.allocated + count) * FILL_FACTOR <= StatusList.capacity)
        .order_by(col(StatusList.id))
        .limit(1)
        .with_for_update()
    )
    return (await session.exec(query)).first()


def _open_list(session: AsyncSession, org_id: str, now: datetime) -> tuple[str, int]:
    # The id is in every credential and public: a random one, so that it doesn't tell when the list was opened.
    row = StatusList(
        org_id=org_id,
        id=secrets.token_urlsafe(9),
        bits=STATUS_BITS,
        capacity=CAPACITY,
        packed=bytes(CAPACITY * STATUS_BITS // 8),
        changed_at=now,
    )
    session.add(row)
    return row.id, row.capacity


async def _choose_free(session: AsyncSession, org_id: str, list_id: str, capacity: int, count: int) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < count:
        drawn = {secrets.randbelow(capacity) for _ in range(count - len(chosen))} - set(chosen)
        chosen += drawn - await _find_taken(session, org_id, list_id, drawn)
    return chosen


async def _find_taken(session: AsyncSession, org_id: str, list_id: str, indices: Collection[int]) -> set[int]:
    query = select(CredentialCopy.status_index).where(
        CredentialCopy.org_id == org_id,
        CredentialCopy.status_list_id == list_id,
        col(CredentialCopy.status_index).in_(indices),
    )
    return set((await session.exec(query)).all())
