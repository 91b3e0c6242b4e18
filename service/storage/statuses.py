"""Status of credentials as the database knows it: our own lists, and verified copies of others'.

Nothing here fetches: a decision never tells an issuer whose credential is looked at. ``held_lists.py`` keeps copies,
``verifier/statuses.py`` keeps them fresh.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache, partial
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from sqlalchemy import Integer, LargeBinary, String, TextualSelect, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import get_status
from service.storage.core import table_of
from service.storage.prepared import fetch_all
from service.storage.tables import HeldStatusList
from service.storage.together import read_together
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


def choose_reading(readings: Sequence[StatusReading]) -> StatusReading:
    """Return the one that decides where several entries count: what is known to be wrong, then what is not known."""
    return readings[0] if len(readings) == 1 else max(readings, key=_rank_reading)


def _rank_reading(reading: StatusReading) -> tuple[int, bool]:
    if reading.value is None:
        return 1 if reading.code == "status_unavailable" else 2, False
    return {0: 0, 1: 5, 2: 4}.get(reading.value, 3), reading.stale


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
class ListTerms:
    """What a copy says of itself, without its content. Fields are named as the columns of ``tables.HeldStatusList``.

    Attributes:
        issuer: Whose key signed it, as its credentials name it.
        issued_at, expires_at, ttl_seconds, aggregation_uri: As the list says.
        max_age_seconds: The platform's ``max_status_age`` for the issuer.
        fetched_at: When it was had last.
        used_at: About when a credential on it was looked at last; None if never.
    """

    issuer: str
    issued_at: datetime
    expires_at: datetime | None
    ttl_seconds: int | None
    max_age_seconds: int | None
    aggregation_uri: str | None
    fetched_at: datetime
    used_at: datetime | None

    def is_usable(self, now: datetime) -> bool:
        """Tell whether it still says anything."""
        if self.expires_at is not None and now >= self.expires_at:
            return False
        max_age = None if self.max_age_seconds is None else timedelta(seconds=self.max_age_seconds)
        return not is_too_old(self.fetched_at, self.issued_at, max_age, now)

    def is_due(self, now: datetime) -> bool:
        """Tell whether it has to be fetched again."""
        return now - self.fetched_at >= bound_ttl(self.ttl_seconds)


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
        held: Entries of verified copies of others' lists, by the organisation that holds the copy.
    """

    own: Mapping[StatusQuery, "_OwnEntry"]
    base_url: str
    held: Mapping[tuple[str, StatusQuery], "_HeldEntry"]

    def read(self, org_id: str, query: StatusQuery, now: datetime) -> StatusReading:
        """Read one entry that was asked for.

        Args:
            org_id: The platform that asks; it has its own copies of others' lists.
            now: Decides whether a copy is stale or too old.
        """
        if query.uri.startswith(f"{self.base_url}/issuers/"):
            return self._read_own(query)
        entry = self.held.get((org_id, query))
        if entry is None or not entry.terms.is_usable(now):
            return UNAVAILABLE
        return _judge_entry(
            query,
            entry.read,
            capacity=entry.capacity,
            signers={normalize_issuer(entry.terms.issuer)},
            stale=entry.terms.is_due(now),
            issued_at=entry.terms.issued_at,
            source="cached",
        )

    def _read_own(self, query: StatusQuery) -> StatusReading:
        entry = self.own.get(query)
        if entry is None:
            return UNAVAILABLE
        return _judge_entry(
            query,
            entry.read,
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
    foreign = [(org_id, query) for org_id, each in queries.items() for query in sorted(set(each) - own, key=_ORDER)]
    entries, held = await read_together(
        connection,
        partial(_read_own_entries, own_prefix=own_prefix, queries=sorted(own, key=_ORDER)),
        partial(_read_held_entries, wanted=foreign),
    )
    return StatusSource(own=entries, base_url=base_url, held=held)


class _OwnEntry(NamedTuple):
    """One entry of a list of ours; of the list itself only the byte that holds it is read."""

    slug: str
    did: str
    bits: int
    capacity: int
    changed_at: datetime
    byte: bytes

    def read(self, index: int) -> int:
        return _read_byte(self.byte, self.bits, index)


class _HeldEntry(NamedTuple):
    """One entry of a copy; of the copy itself only the byte that holds it is read."""

    terms: ListTerms
    bits: int
    size: int
    byte: bytes

    @property
    def capacity(self) -> int:
        return self.size * 8 // self.bits

    def read(self, index: int) -> int:
        return _read_byte(self.byte, self.bits, index)


def _read_byte(byte: bytes, bits: int, index: int) -> int:
    return get_status(byte, bits, index % (8 // bits))


_ASKED = {
    "sqlite": "(SELECT key AS n, value ->> 0 AS owner, value ->> 1 AS list, value ->> 2 AS idx FROM json_each(:asked))",
    "postgresql": "(SELECT ordinality - 1 AS n, value ->> 0 AS owner, value ->> 1 AS list, (value ->> 2)::int AS idx"
    " FROM jsonb_array_elements(CAST(:asked AS jsonb)) WITH ORDINALITY)",
}
_BYTE = "substr(packed, asked.idx * bits / 8 + 1, 1) AS byte"


@cache
def _select_own(dialect: str) -> TextualSelect:
    statement = text(
        f"SELECT asked.n, organization.slug, organization.did, bits, capacity, changed_at, {_BYTE}"  # noqa: S608  # of constants
        f" FROM {_ASKED[dialect]} AS asked JOIN organization ON organization.slug = asked.owner"
        " JOIN status_list ON status_list.org_id = organization.id AND status_list.id = asked.list"
    )
    columns = {"n": Integer, "slug": String, "did": String, "bits": Integer, "capacity": Integer}
    return statement.columns(**columns, changed_at=Instant, byte=LargeBinary)


@cache
def _select_held(dialect: str) -> TextualSelect:
    terms = [each.name for each in fields(ListTerms)]
    statement = text(
        f"SELECT asked.n, {', '.join(terms)}, bits, length(packed) AS size, {_BYTE} FROM {_ASKED[dialect]} AS asked"  # noqa: S608  # of constants
        " JOIN held_status_list ON held_status_list.org_id = asked.owner AND held_status_list.uri = asked.list"
    )
    types = {name: table_of(HeldStatusList).c[name].type for name in terms}
    return statement.columns(n=Integer, **types, bits=Integer, size=Integer, byte=LargeBinary)


async def _read_own_entries(
    connection: AsyncConnection, own_prefix: str, queries: Sequence[StatusQuery]
) -> dict[StatusQuery, _OwnEntry]:
    places = [query.uri.removeprefix(own_prefix).split("/status-lists/") for query in queries]
    named = [place if len(place) == 2 else ("", "") for place in places]
    asked = [(*place, query.index) for place, query in zip(named, queries, strict=True)]
    rows = await _fetch_entries(connection, _select_own(connection.dialect.name), asked)
    return {queries[number]: _OwnEntry(*entry) for number, *entry in rows}


async def _read_held_entries(
    connection: AsyncConnection, wanted: Sequence[tuple[str, StatusQuery]]
) -> dict[tuple[str, StatusQuery], _HeldEntry]:
    asked = [(org_id, query.uri, query.index) for org_id, query in wanted]
    rows = await _fetch_entries(connection, _select_held(connection.dialect.name), asked)
    # The last three columns are the entry's own.
    return {wanted[number]: _HeldEntry(ListTerms(*columns[:-3]), *columns[-3:]) for number, *columns in rows}


async def _fetch_entries(
    connection: AsyncConnection, query: TextualSelect, asked: Sequence[tuple[str, str, int]]
) -> list[Sequence[Any]]:
    if not asked:
        return []
    bounded = [(owner, name, min(max(index, 0), _LARGEST_INDEX)) for owner, name, index in asked]
    return await fetch_all(connection, query, {"asked": json.dumps(bounded)})


def _judge_entry(
    query: StatusQuery,
    read: Callable[[int], int],
    *,
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
