"""Give every copy its own, random place in a status list.

Places are not in sequence, so the copies of a batch can't be told by their neighbourhood. The list's row is locked
while places are chosen, so two issuances never get the same one; a unique constraint says so again.

Source: draft-ietf-oauth-status-list-20, sections 13.2 and 13.3.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, bindparam, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.core import insert_rows, select_fields, table_of
from service.storage.prepared import execute_each, fetch_all
from service.storage.tables import CredentialCopy, StatusList

STATUS_BITS = 2
CAPACITY = 2**17
FILL_FACTOR = 2  # a list is full at one half: a random place is then free at the second try on average


@dataclass(frozen=True, slots=True)
class _OpenList:
    """See ``tables.StatusList``."""

    id: str
    capacity: int


async def allocate_indices(
    connection: AsyncConnection, org_id: str, count: int, *, now: datetime
) -> tuple[str, list[int]]:
    """Reserve ``count`` places in one list; they are taken when the caller's copies are written.

    Returns:
        Id of the list, and distinct indices in random order.
    """
    found = await _lock_open_list(connection, org_id, count)
    if found is None:
        found = await _open_list(connection, org_id, now)
    indices = await _choose_free(connection, org_id, found, count)
    await execute_each(connection, _COUNT, [{"_org_id": org_id, "_id": found.id, "_count": count}])
    return found.id, indices


_LISTS = table_of(StatusList)
_FIND_OPEN = (
    select_fields(_OpenList, StatusList)
    .where(
        _LISTS.c.org_id == bindparam("org_id"),
        (_LISTS.c.allocated + bindparam("count", type_=Integer)) * literal_column(str(FILL_FACTOR))
        <= _LISTS.c.capacity,
    )
    .order_by(_LISTS.c.id)
    .limit(literal_column("1"))
    .offset(literal_column("0"))  # SQLite would make a parameter of it
    .with_for_update()
)
_COUNT = (
    _LISTS.update()
    .where(_LISTS.c.org_id == bindparam("_org_id"), _LISTS.c.id == bindparam("_id"))
    .values(allocated=_LISTS.c.allocated + bindparam("_count", type_=Integer))
)


async def _lock_open_list(connection: AsyncConnection, org_id: str, count: int) -> _OpenList | None:
    rows = await fetch_all(connection, _FIND_OPEN, {"org_id": org_id, "count": count})
    return _OpenList(*rows[0]) if rows else None


async def _open_list(connection: AsyncConnection, org_id: str, now: datetime) -> _OpenList:
    # The id is in every credential and public: a random one, so that it doesn't tell when the list was opened.
    opened = _OpenList(secrets.token_urlsafe(9), CAPACITY)
    row = {
        "org_id": org_id,
        "id": opened.id,
        "bits": STATUS_BITS,
        "capacity": CAPACITY,
        "allocated": 0,
        "packed": bytes(CAPACITY * STATUS_BITS // 8),
        "changed_at": now,
    }
    await insert_rows(connection, StatusList, [row])
    return opened


async def _choose_free(connection: AsyncConnection, org_id: str, open_list: _OpenList, count: int) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < count:
        drawn = {secrets.randbelow(open_list.capacity) for _ in range(count - len(chosen))} - set(chosen)
        chosen += drawn - await _find_taken(connection, org_id, open_list.id, drawn)
    return chosen


_COPIES = table_of(CredentialCopy)
_FIND_TAKEN = select(_COPIES.c.status_index).where(
    _COPIES.c.org_id == bindparam("org_id"),
    _COPIES.c.status_list_id == bindparam("list_id"),
    _COPIES.c.status_index.in_(bindparam("indices", type_=Integer, expanding=True)),
)


async def _find_taken(connection: AsyncConnection, org_id: str, list_id: str, indices: Collection[int]) -> set[int]:
    key = {"org_id": org_id, "list_id": list_id, "indices": list(indices)}
    return {index for (index,) in await fetch_all(connection, _FIND_TAKEN, key)}
