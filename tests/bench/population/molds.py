"""Every row that the service wrote for one investor, from which those of others are cast."""

import os
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, repeat

from service.credentials.jose import b64url_encode
from service.keys import Signer
from service.storage.ids import new_id
from tests.bench.population.bulk import Bulk
from tests.bench.population.layout import LayoutChangedError, list_personal_columns
from tests.bench.population.mold import Model, Mold, Rows
from tests.bench.population.sealed import Person, Place, SealedMolds

CREDENTIALS = 3  # that us.506c asks for


@dataclass(frozen=True)
class Places:
    """Free places in the status lists of one issuer.

    Attributes:
        list_id: The list that was opened for them.
        indices: One for each credential, in random order.
    """

    list_id: str
    indices: Sequence[int]


@dataclass(frozen=True)
class Molds:
    """The model investor's rows; ``credentials`` are grant and copy of each credential, by its digest."""

    sealed: SealedMolds
    subject: Mold
    lot: Mold
    holder: Mold
    credentials: Mapping[str, tuple[Mold, Mold]]
    lists: Mapping[str, Mold]

    @classmethod
    async def read(cls, bulk: Bulk, signer: Signer, model: Model) -> "Molds":
        """Read the rows.

        Raises:
            LayoutChangedError: The service keeps something about an investor that the loader does not know.
        """
        await _check_nothing_else(bulk, model.ref)
        [subject] = await bulk.fetch(f"SELECT * FROM subject WHERE subject_ref = '{model.ref}'")
        held = f"WHERE org_id = '{model.platform_id}' AND investor_ref = '{model.ref}'"
        [lot] = await bulk.fetch(f"SELECT * FROM lot {held}")
        [holder] = await bulk.fetch(f"SELECT * FROM holder {held}")
        if int(holder["pending"]) or int(lot["reserved"]):
            raise ValueError("the model investor takes part in a transfer, which copies would not")
        return cls(
            await SealedMolds.read(bulk, signer, model),
            Mold("subject", subject),
            Mold("lot", lot),
            Mold("holder", holder),
            await _read_credentials(bulk, model),
            {row["org_id"]: Mold("status_list", row) for row in await bulk.fetch("SELECT * FROM status_list")},
        )

    def list_issuers(self) -> list[str]:
        """Return who issued each of the credentials."""
        return [grant.row["org_id"] for grant, _ in self.credentials.values()]

    def cast(
        self, signer: Signer, refs: Sequence[str], lot_ids: Sequence[str], places: Mapping[str, Places]
    ) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of more investors, table by table.

        Args:
            signer: Of the deployment; makes keys for them.
            refs: Their names.
            lot_ids: Ids of their lots.
            places: By issuer; one is used up for each credential.
        """
        people = [Person(ref, _draw(16), _draw(32)) for ref in refs]
        yield "subject", self.subject.cast(subject_ref=refs, sub=[person.sub for person in people])
        yield "lot", self.lot.cast(id=lot_ids, investor_ref=refs)
        yield "holder", self.holder.cast(investor_ref=refs)
        taken: dict[str, list[Place]] = {}
        free = {org_id: iter(issuer.indices) for org_id, issuer in places.items()}
        for shown in self.sealed.shown:
            grant, copy = self.credentials[shown.content.digest]
            issuer = places[grant.row["org_id"]]
            uri = shown.standing.row["status_uri"].rpartition("/")[0] + "/" + issuer.list_id
            found = [Place(uri, index, _draw_digest()) for index in islice(free[grant.row["org_id"]], len(refs))]
            yield from _cast_credential(grant, copy, people, found, issuer.list_id)
            taken[shown.standing.row["credential_type"]] = found
        yield from self.sealed.cast(signer, people, taken)

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
        return rows, Places(list_id, random.sample(range(capacity), count))


def _cast_credential(
    grant: Mold, copy: Mold, people: Sequence[Person], places: Sequence[Place], list_id: str
) -> Iterator[tuple[str, Rows]]:
    ids, refs = [new_id("cred") for _ in people], [person.ref for person in people]
    offers = [new_id("offer") for _ in people]
    # What a letter would need is sealed for the model alone, and no decision reads it.
    yield "credential", grant.cast(id=ids, offer_id=offers, subject_ref=refs, sealed_claims=repeat(None))
    rows = copy.cast(
        credential_id=ids,
        status_list_id=repeat(list_id),
        status_index=[place.index for place in places],
        holder_thumbprint=[person.thumbprint for person in people],
        digest=[place.digest for place in places],
    )
    yield "credential_copy", rows


async def _read_credentials(bulk: Bulk, model: Model) -> dict[str, tuple[Mold, Mold]]:
    found = {}
    for grant in await bulk.fetch(f"SELECT * FROM credential WHERE subject_ref = '{model.ref}'"):
        [copy] = await bulk.fetch(f"SELECT * FROM credential_copy WHERE credential_id = '{grant['id']}'")
        found[copy["digest"]] = (Mold("credential", grant), Mold("credential_copy", copy))
    if len(found) != CREDENTIALS:
        raise LayoutChangedError(f"the model investor has {len(found)} credentials")
    return found


async def _check_nothing_else(bulk: Bulk, ref: str) -> None:
    for table, column in list_personal_columns():
        if await bulk.fetch(f"SELECT 1 FROM {table} WHERE {column} = '{ref}'"):
            raise LayoutChangedError(f"{table} holds something about an investor that is not loaded")


def _draw(size: int) -> str:
    """Return a random name as the service makes them."""
    return b64url_encode(os.urandom(size))


def _draw_digest() -> str:
    return "sha256:" + os.urandom(32).hex()
