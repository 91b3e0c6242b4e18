"""Status of credentials as the database knows it: our own lists, and verified copies of others'.

Nothing here fetches: a decision never tells an issuer whose credential is looked at. ``verifier/statuses.py`` keeps
the copies fresh.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Literal, NamedTuple

from sqlalchemy import Integer, LargeBinary, String, TextualSelect, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import StatusList, get_status
from service.storage.cache import keep_document
from service.storage.core import read_rows
from service.storage.prepared import fetch_all
from service.storage.tables import CachedDocument
from service.storage.trust import normalize_issuer
from service.storage.types import Instant

MAX_STATUS_AGE = timedelta(hours=24)
_LARGEST_INDEX = 2**27  # what SQL is asked for stays small, whatever a credential claims
DEFAULT_TTL = timedelta(hours=1)  # of a list that names none
# Whatever a list asks for: not so often that fetches tell of single looks, and well before a copy is too old.
SHORTEST_TTL, LONGEST_TTL = timedelta(seconds=5), MAX_STATUS_AGE / 2


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


_ORDER = attrgetter("issuer", "uri", "index")
UNAVAILABLE = StatusReading(None, False, None, "unavailable", "status_unavailable")


async def read_credential_statuses(
    session: AsyncSession, *, base_url: str, org_id: str, queries: Collection[StatusQuery], now: datetime
) -> dict[StatusQuery, StatusReading]:
    """Read many entries with one query per kind of list; see ``StatusSource``."""
    source = await open_statuses(await session.connection(), base_url, {org_id: queries})
    return {query: source.read(org_id, query, now) for query in queries}


@dataclass(frozen=True, slots=True)
class StatusSource:
    """What the database says about entries, read at one moment.

    Attributes:
        own: Entries of our own lists, binding as they stand.
        cached: Verified copies of others' lists, by the organisation that holds the copy and the list's address.
    """

    own: Mapping[StatusQuery, "_OwnEntry"]
    base_url: str
    cached: Mapping[tuple[str, str], "_CachedList"]

    def read(self, org_id: str, query: StatusQuery, now: datetime) -> StatusReading:
        """Read one entry that was asked for.

        Args:
            org_id: The platform that asks; it has its own copies of others' lists.
            now: Decides whether a copy is stale or too old.
        """
        if query.uri.startswith(f"{self.base_url}/issuers/"):
            return self._read_own(query)
        cached = self.cached.get((org_id, query.uri))
        if cached is None or not cached.is_usable(now):
            return UNAVAILABLE
        return _judge_entry(
            query,
            read=cached.read,
            capacity=len(cached.packed) * 8 // cached.bits,
            signers={normalize_issuer(cached.issuer)},
            stale=cached.is_due(now),
            issued_at=cached.issued_at,
            source="cached",
        )

    def _read_own(self, query: StatusQuery) -> StatusReading:
        entry = self.own.get(query)
        if entry is None:
            return UNAVAILABLE
        return _judge_entry(
            query,
            read=entry.read,
            capacity=entry.capacity,
            signers={normalize_issuer(f"{self.base_url}/issuers/{entry.slug}"), normalize_issuer(entry.did)},
            stale=False,
            issued_at=entry.changed_at,
            source="own",
        )


async def open_statuses(
    connection: AsyncConnection, base_url: str, queries: Mapping[str, Collection[StatusQuery]]
) -> StatusSource:
    """Read what is known about entries, with one query for our own lists and one for copies of others'.

    Args:
        base_url: Lists below ``{base_url}/issuers/`` are ours.
        queries: By the organisation that asks.
    """
    own_prefix = f"{base_url}/issuers/"
    own = {query for each in queries.values() for query in each if query.uri.startswith(own_prefix)}
    foreign = {
        (org_id, query.uri)
        for org_id, each in queries.items()
        for query in each
        if not query.uri.startswith(own_prefix)
    }
    return StatusSource(
        own=await _read_own_entries(connection, own_prefix, sorted(own, key=_ORDER)) if own else {},
        base_url=base_url,
        cached=await _read_copies(connection, foreign) if foreign else {},
    )


class _OwnEntry(NamedTuple):
    """One entry of a list of ours; of the list itself only the byte that holds it is read."""

    slug: str
    did: str
    bits: int
    capacity: int
    changed_at: datetime
    byte: bytes

    def read(self, index: int) -> int:
        return get_status(self.byte, self.bits, index % (8 // self.bits))


_ASKED = {
    "sqlite": "(SELECT key AS n, value ->> 0 AS slug, value ->> 1 AS list_id, value ->> 2 AS idx"
    " FROM json_each(:asked))",
    "postgresql": "(SELECT ordinality - 1 AS n, value ->> 0 AS slug, value ->> 1 AS list_id, (value ->> 2)::int AS idx"
    " FROM jsonb_array_elements(CAST(:asked AS jsonb)) WITH ORDINALITY)",
}
_COLUMNS = {"n": Integer, "slug": String, "did": String, "bits": Integer, "capacity": Integer}


@cache
def _select_entries(dialect: str) -> TextualSelect:
    statement = text(
        "SELECT asked.n, organization.slug, organization.did, bits, capacity, changed_at,"  # noqa: S608  # of constants
        f" substr(packed, asked.idx * bits / 8 + 1, 1) AS byte FROM {_ASKED[dialect]} AS asked"
        " JOIN organization ON organization.slug = asked.slug"
        " JOIN status_list ON status_list.org_id = organization.id AND status_list.id = asked.list_id"
    )
    return statement.columns(**_COLUMNS, changed_at=Instant, byte=LargeBinary)


async def _read_own_entries(
    connection: AsyncConnection, own_prefix: str, queries: Sequence[StatusQuery]
) -> dict[StatusQuery, _OwnEntry]:
    places = [query.uri.removeprefix(own_prefix).split("/status-lists/") for query in queries]
    asked = [
        [*(place if len(place) == 2 else ("", "")), min(max(query.index, 0), _LARGEST_INDEX)]
        for place, query in zip(places, queries, strict=True)
    ]
    rows = await fetch_all(connection, _select_entries(connection.dialect.name), {"asked": json.dumps(asked)})
    return {queries[number]: _OwnEntry(*entry) for number, *entry in rows}


async def _read_copies(
    connection: AsyncConnection, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], "_CachedList"]:
    keys = {(org_id, cache_key(uri)): (org_id, uri) for org_id, uri in wanted}
    rows = await read_rows(connection, _CopyRow, CachedDocument, ("org_id", "url"), keys)
    return {keys[row.org_id, row.url]: _CachedList.load(row) for row in rows}


@dataclass(frozen=True, slots=True)
class _CopyRow:
    """See ``tables.CachedDocument``."""

    org_id: str
    url: str
    body: str
    issued_at: datetime | None
    fetched_at: datetime


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
    max_age: timedelta | None
    aggregation_uri: str | None

    @classmethod
    def load(cls, row: CachedDocument | _CopyRow) -> "_CachedList":
        body = json.loads(row.body)
        expires_at = body["exp"]
        return cls(
            issuer=body["issuer"],
            bits=body["bits"],
            packed=b64decode(body["packed"]),
            issued_at=row.issued_at or row.fetched_at,
            expires_at=None if expires_at is None else datetime.fromtimestamp(expires_at, UTC),
            ttl=bound_ttl(body["ttl"]),
            fetched_at=row.fetched_at,
            max_age=None if body.get("max_age") is None else timedelta(seconds=body["max_age"]),
            aggregation_uri=body.get("aggregation_uri"),
        )

    def read(self, index: int) -> int:
        return get_status(self.packed, self.bits, index)

    def is_usable(self, now: datetime) -> bool:
        if self.expires_at is not None and now >= self.expires_at:
            return False
        return not is_too_old(self.fetched_at, self.issued_at, self.max_age, now)

    def is_due(self, now: datetime) -> bool:
        return now - self.fetched_at >= self.ttl


def bound_ttl(seconds: int | None) -> timedelta:
    """Return after how long a copy is fetched again. Source: draft-ietf-oauth-status-list-20, section 11.5."""
    if seconds is None:
        return DEFAULT_TTL
    return max(SHORTEST_TTL, timedelta(seconds=min(seconds, int(LONGEST_TTL.total_seconds()))))


def is_too_old(fetched_at: datetime, issued_at: datetime, max_age: timedelta | None, now: datetime) -> bool:
    """Tell whether a copy says nothing any more.

    Args:
        fetched_at: The copy counts for ``MAX_STATUS_AGE`` from then.
        issued_at: When the issuer signed it.
        max_age: The platform's ``max_status_age``, counted from ``issued_at``; None if it has none.
        now: Timezone-aware.
    """
    return now - fetched_at > MAX_STATUS_AGE or (max_age is not None and now - issued_at > max_age)


@dataclass(frozen=True, slots=True)
class KeptList:
    """A copy that is held, without its content."""

    issuer: str
    uri: str
    aggregation_uri: str | None


async def list_kept_lists(session: AsyncSession, org_id: str, now: datetime) -> list[KeptList]:
    """Return an organisation's usable copies."""
    held = [(_uri_of(row), _CachedList.load(row)) for row in await _select_copies(session, org_id)]
    return [KeptList(each.issuer, uri, each.aggregation_uri) for uri, each in held if each.is_usable(now)]


async def apply_max_status_age(session: AsyncSession, org_id: str, ages: Mapping[str, int]) -> None:
    """Let a changed policy count for the copies that are held.

    Args:
        session: A transaction.
        org_id: Whose policy and copies.
        ages: Seconds, by the issuer's normal form; issuers without one are left out.
    """
    for row in await _select_copies(session, org_id):
        body = json.loads(row.body)
        wanted = ages.get(normalize_issuer(body["issuer"]))
        if body.get("max_age") != wanted:
            row.body = json.dumps(body | {"max_age": wanted})
            session.add(row)


async def _select_copies(session: AsyncSession, org_id: str) -> Sequence[CachedDocument]:
    is_list = col(CachedDocument.url).startswith(cache_key(""), autoescape=True)
    return (await session.exec(select(CachedDocument).where(CachedDocument.org_id == org_id, is_list))).all()


def _uri_of(row: CachedDocument) -> str:
    return row.url.removeprefix(cache_key(""))


async def find_due_lists(
    session: AsyncSession, *, org_id: str, uris: Collection[str], now: datetime
) -> dict[str, datetime | None]:
    """Return the lists that have to be fetched: those without a fresh copy.

    Args:
        session: Any.
        org_id: Whose copies.
        uris: The lists in question.
        now: What is due by then; a schedule names the time of its next round.

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
    session: AsyncSession,
    *,
    org_id: str,
    issuer: str,
    status_list: StatusList,
    fetched_at: datetime,
    max_age: timedelta | None = None,
) -> bool:
    """Keep a list whose signature ``issuer``'s key verified; returns False for one that is older than the copy held.

    ``max_age`` is the platform's ``max_status_age`` for the issuer.

    The order of ``iat`` stops somebody from serving yesterday's list again (threats, row 40).
    """
    body = {
        "issuer": issuer,
        "bits": status_list.bits,
        "packed": b64encode(status_list.packed).decode(),
        "exp": None if status_list.expires_at is None else int(status_list.expires_at.timestamp()),
        "ttl": None if status_list.ttl is None else int(status_list.ttl.total_seconds()),
        "max_age": None if max_age is None else int(max_age.total_seconds()),
        "aggregation_uri": status_list.aggregation_uri,
    }
    return await keep_document(
        session,
        org_id=org_id,
        url=cache_key(status_list.uri),
        body=json.dumps(body),
        issued_at=status_list.issued_at,
        fetched_at=fetched_at,
    )
