"""Rows that the service wrote for one investor, from which those of others are cast."""

import os
import random
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

from service.credentials.jose import b64url_encode
from service.storage.ids import new_id
from tests.bench.population.bulk import Bulk
from tests.bench.population.layout import KNOWN, LayoutChangedError, list_personal_columns

Rows = Iterable[tuple[Any, ...]]

CREDENTIALS = 3  # that us.506c asks for


@dataclass(frozen=True)
class Model:
    """The investor whom the service admitted, and whose rows are copied.

    Attributes:
        platform_id: The platform, which is also the registrar.
        security_id: Of which the investor holds one opening lot.
        ref: The platform's and the issuers' name for the investor.
    """

    platform_id: str
    security_id: str
    ref: str


class Mold:
    """One row. Casting is by column, which costs a tenth of casting row by row."""

    def __init__(self, table: str, row: Mapping[str, Any]) -> None:
        self.table = table
        self.columns = KNOWN[table].split()
        self.row = dict(row)

    def cast(self, **changes: Iterable[Any]) -> Rows:
        """Return rows like this one, as many as the columns that change have values."""
        return zip(*(changes.get(name, repeat(self.row[name])) for name in self.columns), strict=False)


@dataclass(frozen=True)
class Places:
    """Free places in the status lists of one issuer.

    Attributes:
        list_id: The list that was opened for them.
        indices: One for each credential, in random order.
    """

    list_id: str
    indices: Iterator[int]


@dataclass(frozen=True)
class Molds:
    """The model investor's rows; ``credentials`` holds grant, copy and standing of each credential."""

    investor: Mold
    subject: Mold
    lot: Mold
    holder: Mold
    credentials: Sequence[tuple[Mold, Mold, Mold]]
    lists: Mapping[str, Mold]

    @classmethod
    async def read(cls, bulk: Bulk, model: Model) -> "Molds":
        """Read the rows.

        Raises:
            LayoutChangedError: The service keeps something about an investor that the loader does not know.
        """
        await _check_nothing_else(bulk, model.ref)
        own = f"org_id = '{model.platform_id}' AND"
        grants = await bulk.fetch(f"SELECT * FROM credential WHERE subject_ref = '{model.ref}'")
        standing = {row["digest"]: row for row in await _read(bulk, "standing_credential", "investor_ref", model, own)}
        triples = []
        for grant in grants:
            [copy] = await bulk.fetch(f"SELECT * FROM credential_copy WHERE credential_id = '{grant['id']}'")
            shown = Mold("standing_credential", standing[copy["digest"]])
            triples.append((Mold("credential", grant), Mold("credential_copy", copy), shown))
        if len(triples) != CREDENTIALS:
            raise LayoutChangedError(f"the model investor has {len(triples)} credentials")
        lists = await bulk.fetch("SELECT * FROM status_list")
        [investor] = await _read(bulk, "investor", "ref", model, own)
        [subject] = await _read(bulk, "subject", "subject_ref", model)
        [lot] = await _read(bulk, "lot", "investor_ref", model, own)
        [holder] = await _read(bulk, "holder", "investor_ref", model, own)
        if int(holder["pending"]) or int(lot["reserved"]):
            raise ValueError("the model investor takes part in a transfer, which copies would not")
        return cls(
            Mold("investor", investor),
            Mold("subject", subject),
            Mold("lot", lot),
            Mold("holder", holder),
            triples,
            {row["org_id"]: Mold("status_list", row) for row in lists},
        )

    def cast(
        self, refs: Sequence[str], lot_ids: Sequence[str], places: Mapping[str, Places]
    ) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of more investors, table by table.

        Args:
            refs: Their names.
            lot_ids: Ids of their lots.
            places: By issuer; one is used up for each credential.
        """
        subs, thumbprints = _draw(len(refs), 16), _draw(len(refs), 32)
        yield "investor", self.investor.cast(ref=refs, kyc_sub=subs)
        yield "subject", self.subject.cast(subject_ref=refs, sub=subs)
        yield "lot", self.lot.cast(id=lot_ids, investor_ref=refs)
        yield "holder", self.holder.cast(investor_ref=refs)
        for grant, copy, shown in self.credentials:
            issuer = places[grant.row["org_id"]]
            indices = list(islice(issuer.indices, len(refs)))
            ids, digests = [new_id("cred") for _ in refs], [f"sha256:{secrets.token_hex(32)}" for _ in refs]
            claims = [shown.row["claims"].replace(self.subject.row["sub"], sub) for sub in subs]
            bound: dict[str, Iterable[Any]] = {
                "status_index": indices,
                "holder_thumbprint": thumbprints,
                "digest": digests,
            }
            yield "credential", grant.cast(id=ids, offer_id=[new_id("offer") for _ in refs], subject_ref=refs)
            yield "credential_copy", copy.cast(credential_id=ids, status_list_id=repeat(issuer.list_id), **bound)
            uri = shown.row["status_uri"].rpartition("/")[0] + "/" + issuer.list_id
            standing_ids = [new_id("std") for _ in refs]
            yield (
                "standing_credential",
                shown.cast(id=standing_ids, investor_ref=refs, claims=claims, status_uri=repeat(uri), **bound),
            )

    def open_list(self, org_id: str, count: int) -> tuple[Rows, Places]:
        """Return the row of a new status list of an issuer with ``count`` places taken, and those."""
        mold = self.lists[org_id]
        capacity = mold.row["capacity"]
        if count * 2 > capacity:
            raise ValueError(f"a list has room for {capacity // 2}")
        list_id = secrets.token_urlsafe(9)
        rows = mold.cast(
            id=[list_id],
            allocated=[count],
            packed=[bytes(len(mold.row["packed"]))],
            token=[None],
            token_issued_at=[None],
        )
        return rows, Places(list_id, iter(random.sample(range(capacity), count)))


def _draw(count: int, size: int) -> list[str]:
    """Return random names as the service makes them."""
    return [b64url_encode(os.urandom(size)) for _ in range(count)]


async def _read(bulk: Bulk, table: str, column: str, model: Model, where: str = "") -> list[dict[str, Any]]:
    return await bulk.fetch(f"SELECT * FROM {table} WHERE {where} {column} = '{model.ref}'")


async def _check_nothing_else(bulk: Bulk, ref: str) -> None:
    for table, column in list_personal_columns():
        if await bulk.fetch(f"SELECT 1 FROM {table} WHERE {column} = '{ref}'"):
            raise LayoutChangedError(f"{table} holds something about an investor that is not loaded")
