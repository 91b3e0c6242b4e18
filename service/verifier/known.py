"""What the database knows of credentials before they are verified: keys of issuers here, their status, and trust.

Every question is answered by reads that begin after it was asked, so that whatever was changed before binds. Only the
lists of trusted issuers are kept, by the version that every change to them raises.
"""

import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Integer, String, TextualSelect, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.bitstring_status_list import merge_references
from service.credentials.formats import UnverifiedDocument
from service.credentials.jose import VerificationKey, load_key
from service.errors import VerificationError
from service.storage.database import Database
from service.storage.prepared import fetch_all
from service.storage.shared_read import SharedRead
from service.storage.statuses import StatusQuery, StatusSource, open_statuses
from service.storage.trust import TrustedIssuerRow, normalize_issuer, read_trusted_issuers
from service.storage.types import Instant
from service.verifier.issuer_keys import IssuerKey
from service.web.context import Context
from service.web.signing import ISSUER

_LISTS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What one platform needs to know of some credentials; of issuers elsewhere only whether it trusts them.

    Attributes:
        trusted: The platform's list, in order of id.
        keys: Keys of issuers here, by ``iss`` and ``kid`` as the credentials name them.
        statuses: Entries of lists here.
        queries: The entries that were read.
    """

    trusted: Sequence[TrustedIssuerRow]
    keys: Mapping[tuple[str, str], IssuerKey]
    statuses: StatusSource
    queries: frozenset[StatusQuery]


class _Signer(NamedTuple):
    """How a credential names its issuer here; the first two are its own words."""

    issuer: str
    kid: str
    slug: str
    bare_kid: str


@dataclass(frozen=True, slots=True)
class _Question:
    org_id: str
    signers: frozenset[_Signer]
    queries: frozenset[StatusQuery]
    now: datetime


class _Row(NamedTuple):
    """An organization, with one of its keys if one was asked for."""

    id: str
    slug: str
    did: str
    roles: str
    trust_version: int
    kid: str | None
    alg: str | None
    public_jwk: str | None
    created_at: datetime | None
    retired_at: datetime | None


@dataclass(slots=True)
class _Reader:
    """One process's reads from one database."""

    context: Context
    lists: OrderedDict[str, tuple[int, list[TrustedIssuerRow]]] = field(default_factory=OrderedDict)

    async def read(self, questions: Sequence[_Question]) -> list[Known]:
        return await self.context.database.glance(partial(self._read, questions))

    async def _read(self, questions: Sequence[_Question], connection: AsyncConnection) -> list[Known]:
        rows = await _read_rows(connection, questions)
        asked = {each.org_id for each in questions}
        trusted = await self._read_trusted(connection, {row.id: row.trust_version for row in rows if row.id in asked})
        queries = [query for each in questions for query in each.queries]
        # Of lists here, it does not matter who asks.
        statuses = await open_statuses(connection, self.context.base_url, {"": queries})
        keys = {(row.slug, row.kid): row for row in rows}
        return [
            Known(trusted.get(each.org_id, ()), _name_keys(each.signers, keys), statuses, each.queries)
            for each in questions
        ]

    async def _read_trusted(
        self, connection: AsyncConnection, versions: Mapping[str, int]
    ) -> dict[str, list[TrustedIssuerRow]]:
        found = {}
        for org_id, version in versions.items():
            kept = self.lists.get(org_id)
            if kept is None or kept[0] != version:
                # Read after its version, so it is that one or a newer one, which is then read again.
                kept = version, (await read_trusted_issuers(connection, [org_id]))[org_id]
                self.lists[org_id] = kept
                while len(self.lists) > _LISTS_KEPT:
                    self.lists.popitem(last=False)
            found[org_id] = kept[1]
        return found


_lines: WeakKeyDictionary[Database, SharedRead[_Question, Known]] = WeakKeyDictionary()


async def read_known(context: Context, org_id: str, credentials: Iterable[UnverifiedDocument], now: datetime) -> Known:
    """Read what the database knows; questions of requests that come together are read together.

    Args:
        org_id: The platform that asks.
        credentials: What they say of themselves is used to look things up, and not believed.
        now: Decides which keys are published.
    """
    line = _lines.get(context.database)
    if line is None:
        line = _lines[context.database] = SharedRead(_Reader(context).read)
    own_prefix = f"{context.base_url}/issuers/"
    signers, queries = set(), set[StatusQuery]()
    for credential in credentials:
        try:
            issuer, kid, *_ = credential.read_issuer()
            statuses = merge_references(credential.read_statuses(), own_prefix)
        except VerificationError:  # found again when it is verified
            continue
        url = normalize_issuer(issuer)
        if kid is not None and url.startswith(own_prefix):
            signers.add(_Signer(issuer, kid, url.removeprefix(own_prefix), kid.rpartition("#")[2]))
        queries.update(
            StatusQuery(issuer, each.uri, each.index) for each in statuses if each.uri.startswith(own_prefix)
        )
    return await line.ask(_Question(org_id, frozenset(signers), frozenset(queries), now))


def _name_keys(
    signers: Iterable[_Signer], rows: Mapping[tuple[str, str | None], _Row]
) -> dict[tuple[str, str], IssuerKey]:
    named = {}
    for signer in signers:
        row = rows.get((signer.slug, signer.bare_kid))
        if row is not None and signer.kid in (row.kid, f"{row.did}#{row.kid}") and "issuer" in json.loads(row.roles):
            assert row.alg is not None
            assert row.public_jwk is not None
            key = _load_key(row.public_jwk, row.alg, signer.bare_kid)
            named[signer.issuer, signer.kid] = IssuerKey(key, row.retired_at, row.created_at, row.id)
    return named


@lru_cache(maxsize=1024)
def _load_key(public_jwk: str, alg: str, kid: str) -> VerificationKey:
    return load_key(json.loads(public_jwk), alg=alg, kid=kid)


_LIST = {"sqlite": "json_each({})", "postgresql": "jsonb_array_elements_text(CAST({} AS jsonb))"}


@cache
def _select_rows(dialect: str) -> TextualSelect:
    slugs, kids, org_ids = (_LIST[dialect].format(f":{name}") for name in ("slugs", "kids", "org_ids"))
    statement = text(
        f"SELECT o.id, o.slug, o.did, CAST(o.roles AS text) AS roles, o.trust_version,"  # noqa: S608  # of constants
        " k.kid, k.alg, CAST(k.public_jwk AS text) AS public_jwk, k.created_at, k.retired_at"
        f" FROM (SELECT organization.id FROM {slugs} AS slug JOIN organization ON organization.slug = slug.value"
        f" UNION SELECT value FROM {org_ids} AS org_id) AS asked"
        " JOIN organization AS o ON o.id = asked.id"
        " LEFT JOIN signing_key AS k ON k.org_id = o.id AND k.purpose = :purpose"
        f" AND k.kid IN (SELECT value FROM {kids} AS kid) AND (k.published_until IS NULL OR k.published_until > :now)"
    )
    statement = statement.bindparams(bindparam("now", type_=Instant), bindparam("purpose", type_=String))
    texts = dict.fromkeys(("id", "slug", "did", "roles"), String)
    key = {"kid": String, "alg": String, "public_jwk": String, "created_at": Instant, "retired_at": Instant}
    return statement.columns(**texts, trust_version=Integer, **key)


async def _read_rows(connection: AsyncConnection, questions: Collection[_Question]) -> list[_Row]:
    signers = {signer for each in questions for signer in each.signers}
    parameters = {
        "slugs": json.dumps(sorted({signer.slug for signer in signers})),
        "kids": json.dumps(sorted({signer.bare_kid for signer in signers})),
        "org_ids": json.dumps(sorted({each.org_id for each in questions})),
        "purpose": ISSUER,
        "now": min(each.now for each in questions),
    }
    return [_Row(*row) for row in await fetch_all(connection, _select_rows(connection.dialect.name), parameters)]
