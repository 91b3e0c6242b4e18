"""Status of credentials as the database knows it: our own lists, and verified copies of others'.

Nothing here fetches: a decision never tells an issuer whose credential is looked at. ``verifier/statuses.py`` keeps
the copies fresh.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, cast

import sqlalchemy
from sqlalchemy import Integer, LargeBinary, Select, Table, func, literal, union_all
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import StatusList, get_status
from service.storage.cache import keep_document
from service.storage.tables import CachedDocument, Organization
from service.storage.tables import StatusList as StatusListRow
from service.storage.trust import normalize_issuer

MAX_STATUS_AGE = timedelta(hours=24)
_LARGEST_INDEX = 2**27  # what SQL is asked for stays small, whatever a credential claims
DEFAULT_TTL = timedelta(hours=1)  # of a list that names none


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """One credential's entry; ``issuer`` is the ``iss`` of the credential, who alone may keep its status."""

    issuer: str
    uri: str
    index: int


@dataclass(frozen=True, slots=True)
class StatusReading:
    """What is known about one entry.

    Attributes:
        value: The status (0 valid, 1 invalid, 2 suspended, ...); None where it cannot be told, which is never "valid".
        stale: The copy is past its refresh time, but still within its expiry and ``MAX_STATUS_AGE``.
        issued_at: When the list said so; None if there is none.
        source: ``own``, ``cached`` or ``unavailable``.
        code: None with a value, else ``status_unavailable``, ``status_issuer_mismatch`` or ``status_index_invalid``.
    """

    value: int | None
    stale: bool
    issued_at: datetime | None
    source: Literal["own", "cached", "unavailable"]
    code: str | None = None


UNAVAILABLE = StatusReading(None, False, None, "unavailable", "status_unavailable")


async def read_credential_status(
    session: AsyncSession, *, base_url: str, org_id: str, issuer: str, uri: str, index: int, now: datetime
) -> StatusReading:
    """Read one entry; see ``read_credential_statuses``."""
    query = StatusQuery(issuer, uri, index)
    readings = await read_credential_statuses(session, base_url=base_url, org_id=org_id, queries=[query], now=now)
    return readings[query]


async def read_credential_statuses(
    session: AsyncSession, *, base_url: str, org_id: str, queries: Collection[StatusQuery], now: datetime
) -> dict[StatusQuery, StatusReading]:
    """Read many entries with one query per kind of list.

    Args:
        base_url: Lists below ``{base_url}/issuers/`` are ours and binding as they stand in this transaction.
        org_id: The platform that asks; it has its own copies of others' lists.
        now: Decides whether a copy is stale or too old.
    """
    own_prefix = f"{base_url}/issuers/"
    own = {query for query in queries if query.uri.startswith(own_prefix)}
    foreign = set(queries) - own
    readings = await _read_own(session, base_url, own) if own else {}
    return readings | (await _read_cached(session, org_id, foreign, now) if foreign else {})


async def _read_own(
    session: AsyncSession, base_url: str, queries: Collection[StatusQuery]
) -> dict[StatusQuery, StatusReading]:
    parts = {query: query.uri.removeprefix(f"{base_url}/issuers/").split("/status-lists/") for query in queries}
    places = {query: (each[0], each[1]) for query, each in parts.items() if len(each) == 2}
    if not places:
        return dict.fromkeys(queries, UNAVAILABLE)
    ordered = list(places)
    statement = union_all(*(_select_entry(number, *places[query], query.index) for number, query in enumerate(ordered)))
    rows = (await (await session.connection()).execute(statement)).all()
    found = {ordered[number]: _OwnEntry(*entry) for number, *entry in rows}
    readings = {}
    for query in queries:
        entry = found.get(query)
        if entry is None:
            readings[query] = UNAVAILABLE
            continue
        names = {normalize_issuer(f"{base_url}/issuers/{places[query][0]}"), normalize_issuer(entry.did)}
        readings[query] = _judge_entry(
            query,
            read=entry.read,
            capacity=entry.capacity,
            signers=names,
            stale=False,
            issued_at=entry.changed_at,
            source="own",
        )
    return readings


class _OwnEntry(NamedTuple):
    """One entry of a list of ours; of the list itself only the byte that holds it is read."""

    did: str
    bits: int
    capacity: int
    changed_at: datetime
    byte: bytes

    def read(self, index: int) -> int:
        return get_status(self.byte, self.bits, index % (8 // self.bits))


def _select_entry(number: int, slug: str, list_id: str, index: int) -> Select[Any]:
    row = cast(Table, StatusListRow.__table__)  # type: ignore[attr-defined]  # SQLModel does not declare it
    organization = cast(Table, Organization.__table__)  # type: ignore[attr-defined]  # SQLModel does not declare it
    within = literal(min(max(index, 0), _LARGEST_INDEX), Integer)
    byte = func.substr(row.c.packed, within * row.c.bits // 8 + 1, 1, type_=LargeBinary)
    return (
        sqlalchemy.select(literal(number), organization.c.did, row.c.bits, row.c.capacity, row.c.changed_at, byte)
        .join(organization, organization.c.id == row.c.org_id)
        .where(organization.c.slug == slug, row.c.id == list_id)
    )


async def _read_cached(
    session: AsyncSession, org_id: str, queries: Collection[StatusQuery], now: datetime
) -> dict[StatusQuery, StatusReading]:
    urls = {cache_key(query.uri) for query in queries}
    statement = select(CachedDocument).where(CachedDocument.org_id == org_id, col(CachedDocument.url).in_(urls))
    found = {row.url: _CachedList.load(row) for row in (await session.exec(statement)).all()}
    readings = {}
    for query in queries:
        cached = found.get(cache_key(query.uri))
        if cached is None or not cached.is_usable(now):
            readings[query] = UNAVAILABLE
            continue
        readings[query] = _judge_entry(
            query,
            read=cached.read,
            capacity=len(cached.packed) * 8 // cached.bits,
            signers={normalize_issuer(cached.issuer)},
            stale=cached.is_due(now),
            issued_at=cached.issued_at,
            source="cached",
        )
    return readings


def _judge_entry(
    query: StatusQuery,
    *,
    read: Callable[[int], int],
    capacity: int,
    signers: set[str],
    stale: bool,
    issued_at: datetime,
    source: Literal["own", "cached"],
) -> StatusReading:
    if normalize_issuer(query.issuer) not in signers:
        return StatusReading(None, stale, issued_at, source, "status_issuer_mismatch")
    if not 0 <= query.index < capacity:
        return StatusReading(None, stale, issued_at, source, "status_index_invalid")
    return StatusReading(read(query.index), stale, issued_at, source)


def cache_key(uri: str) -> str:
    """Return the key under which the copy of a status list is kept, apart from key sets at the same address."""
    return f"status:{uri}"


@dataclass(frozen=True, slots=True)
class _CachedList:
    """A verified list, unpacked from its row."""

    issuer: str
    bits: int
    packed: bytes
    issued_at: datetime
    expires_at: datetime | None
    ttl: timedelta
    fetched_at: datetime

    @classmethod
    def load(cls, row: CachedDocument) -> "_CachedList":
        body = json.loads(row.body)
        expires_at = body["exp"]
        return cls(
            issuer=body["issuer"],
            bits=body["bits"],
            packed=b64decode(body["packed"]),
            issued_at=row.issued_at or row.fetched_at,
            expires_at=None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
            ttl=DEFAULT_TTL if body["ttl"] is None else timedelta(seconds=body["ttl"]),
            fetched_at=row.fetched_at,
        )

    def read(self, index: int) -> int:
        return get_status(self.packed, self.bits, index)

    def is_usable(self, now: datetime) -> bool:
        return (self.expires_at is None or now < self.expires_at) and now - self.fetched_at <= MAX_STATUS_AGE

    def is_due(self, now: datetime) -> bool:
        return now - self.fetched_at >= self.ttl


async def find_due_lists(
    session: AsyncSession, *, org_id: str, uris: Collection[str], now: datetime
) -> dict[str, datetime | None]:
    """Return the lists that have to be fetched: those without a fresh copy.

    Returns:
        uri to the ``iat`` of the copy that we hold, None if we hold none.
    """
    statement = select(CachedDocument).where(
        CachedDocument.org_id == org_id, col(CachedDocument.url).in_({cache_key(uri) for uri in uris})
    )
    held = {row.url: _CachedList.load(row) for row in (await session.exec(statement)).all()}
    due: dict[str, datetime | None] = {}
    for uri in uris:
        cached = held.get(cache_key(uri))
        if cached is None:
            due[uri] = None
        elif cached.is_due(now):
            due[uri] = cached.issued_at
    return due


async def keep_status_list(
    session: AsyncSession, *, org_id: str, issuer: str, status_list: StatusList, fetched_at: datetime
) -> bool:
    """Keep a list whose signature ``issuer``'s key verified; returns False for one that is older than the copy held.

    The order of ``iat`` stops somebody from serving yesterday's list again (threats, row 40).
    """
    body = {
        "issuer": issuer,
        "bits": status_list.bits,
        "packed": b64encode(status_list.packed).decode(),
        "exp": None if status_list.expires_at is None else int(status_list.expires_at.timestamp()),
        "ttl": None if status_list.ttl is None else int(status_list.ttl.total_seconds()),
    }
    return await keep_document(
        session,
        org_id=org_id,
        url=cache_key(status_list.uri),
        body=json.dumps(body),
        issued_at=status_list.issued_at,
        fetched_at=fetched_at,
    )
