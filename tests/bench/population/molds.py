"""Rows that the service wrote for one investor, from which those of others are cast."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.credentials.jose import b64url_encode
from service.storage.ids import new_id
from tests.bench.population.bulk import Bulk
from tests.bench.population.layout import KNOWN, LayoutChangedError, list_personal_columns

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
    """One row, and where its columns are."""

    def __init__(self, table: str, row: Mapping[str, Any]) -> None:
        self.table = table
        self.columns = KNOWN[table].split()
        self.row = dict(row)
        self._values = [row[name] for name in self.columns]
        self._place = {name: place for place, name in enumerate(self.columns)}

    def cast(self, **changes: Any) -> tuple[Any, ...]:
        """Return the row's values with some of them changed."""
        values = self._values.copy()
        for name, value in changes.items():
            values[self._place[name]] = value
        return tuple(values)


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

    def cast(self, ref: str, lot_id: str, places: Mapping[str, Places]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the rows of one more investor, each with its table.

        Args:
            ref: Their name.
            lot_id: Id of their lot.
            places: By issuer; one is used up for each credential.
        """
        chance = os.urandom(48 + 32 * len(self.credentials))
        sub, thumbprint = b64url_encode(chance[:16]), b64url_encode(chance[16:48])
        yield "investor", self.investor.cast(ref=ref, kyc_sub=sub)
        yield "subject", self.subject.cast(subject_ref=ref, sub=sub)
        yield "lot", self.lot.cast(id=lot_id, investor_ref=ref)
        yield "holder", self.holder.cast(investor_ref=ref)
        known_sub = json.dumps(self.subject.row["sub"])
        for number, (grant, copy, shown) in enumerate(self.credentials):
            issuer = places[grant.row["org_id"]]
            index, credential_id = next(issuer.indices), new_id("cred")
            digest = "sha256:" + chance[48 + 32 * number : 80 + 32 * number].hex()
            uri = shown.row["status_uri"].rpartition("/")[0] + "/" + issuer.list_id
            yield "credential", grant.cast(id=credential_id, offer_id=new_id("offer"), subject_ref=ref)
            yield (
                "credential_copy",
                copy.cast(
                    credential_id=credential_id,
                    status_list_id=issuer.list_id,
                    status_index=index,
                    holder_thumbprint=thumbprint,
                    digest=digest,
                ),
            )
            yield (
                "standing_credential",
                shown.cast(
                    id=new_id("std"),
                    investor_ref=ref,
                    digest=digest,
                    holder_thumbprint=thumbprint,
                    claims=shown.row["claims"].replace(known_sub, f'"{sub}"'),
                    status_uri=uri,
                    status_index=index,
                ),
            )

    def open_list(self, org_id: str, count: int) -> tuple[tuple[Any, ...], Places]:
        """Return the row of a new status list of an issuer with ``count`` places taken, and those."""
        mold = self.lists[org_id]
        capacity = mold.row["capacity"]
        if count * 2 > capacity:
            raise ValueError(f"a list has room for {capacity // 2}")
        list_id = secrets.token_urlsafe(9)
        row = mold.cast(
            id=list_id, allocated=count, packed=bytes(len(mold.row["packed"])), token=None, token_issued_at=None
        )
        return row, Places(list_id, iter(secrets.SystemRandom().sample(range(capacity), count)))


async def _read(bulk: Bulk, table: str, column: str, model: Model, where: str = "") -> list[dict[str, Any]]:
    return await bulk.fetch(f"SELECT * FROM {table} WHERE {where} {column} = '{model.ref}'")


async def _check_nothing_else(bulk: Bulk, ref: str) -> None:
    for table, column in list_personal_columns():
        if await bulk.fetch(f"SELECT 1 FROM {table} WHERE {column} = '{ref}'"):
            raise LayoutChangedError(f"{table} holds something about an investor that is not loaded")
