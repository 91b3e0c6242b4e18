"""What a platform keeps of an investor under a key of their own, and its history."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from service.gate.holders import name_person
from service.gate.parties import digest_subject
from service.keys import Signer
from service.storage.ids import new_id
from service.storage.personal_data import (
    InvestorContent,
    StandingContent,
    open_investor,
    open_standing,
    seal_investor,
    seal_standing,
)
from service.storage.standings import KnownInvestor
from service.storage.subject_keys import DataKey, key_purpose, name_investor, open_subject_key, read_subject_keys
from tests.bench.population.bulk import Bulk
from tests.bench.population.mold import Model, Mold, Rows


@dataclass(frozen=True)
class Person:
    """What makes one investor another than all others; ``sub`` and ``thumbprint`` as the issuer knows them."""

    ref: str
    sub: str
    thumbprint: str


@dataclass(frozen=True)
class Shown:
    """One of the model's credentials as the platform keeps it: the row, its history, and what is sealed in it."""

    standing: Mold
    version: Mold
    content: StandingContent


@dataclass(frozen=True)
class Place:
    """A credential's place in a status list, and its digest."""

    uri: str
    index: int
    digest: str


class SealedMolds:
    """The model investor's sealed rows.

    Args:
        model: Whose rows these are.
        investor: With its history and what is sealed in it.
        key: Row of the key.
        shown: Each credential.
    """

    def __init__(
        self, model: Model, investor: tuple[Mold, Mold, InvestorContent], key: Mold, shown: list[Shown]
    ) -> None:
        self._org_id = model.platform_id
        self._investor, self._investor_version, self._content = investor
        self._key, self.shown = key, shown

    @classmethod
    async def read(cls, bulk: Bulk, signer: Signer, model: Model) -> "SealedMolds":
        """Read and open the rows."""
        subject = name_investor(model.ref)
        keys = await read_subject_keys(await bulk.session.connection(), signer, model.platform_id, [subject])
        own = f"WHERE org_id = '{model.platform_id}' AND"
        [key] = await bulk.fetch(f"SELECT * FROM subject_key {own} subject = '{subject}'")
        [investor] = await bulk.fetch(f"SELECT * FROM investor {own} ref = '{model.ref}'")
        [version] = await bulk.fetch(f"SELECT * FROM investor_version {own} ref = '{model.ref}'")
        content = open_investor(keys[subject], SimpleNamespace(**investor))
        shown = []
        for row in await bulk.fetch(f"SELECT * FROM standing_credential {own} investor_ref = '{model.ref}'"):
            [change] = await bulk.fetch(f"SELECT * FROM standing_version {own} standing_id = '{row['id']}'")
            opened = open_standing(keys[subject], SimpleNamespace(**row))
            shown.append(Shown(Mold("standing_credential", row), Mold("standing_version", change), opened))
        molds = (Mold("investor", investor), Mold("investor_version", version), content)
        return cls(model, molds, Mold("subject_key", key), shown)

    def cast(
        self, signer: Signer, people: Sequence[Person], places: Mapping[str, Sequence[Place]]
    ) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of more investors, table by table.

        Args:
            signer: Of the deployment; makes and opens keys.
            people: Who they are.
            places: By type of credential, one for each of them.
        """
        refs = [person.ref for person in people]
        subjects = [name_investor(ref) for ref in refs]
        ids = [new_id("key") for _ in refs]
        wrapped = [signer.create_data_key(purpose=key_purpose(self._org_id, each)) for each in subjects]
        keys = [
            open_subject_key(signer, self._org_id, subject, data, key_id=key_id)
            for subject, data, key_id in zip(subjects, wrapped, ids, strict=True)
        ]
        yield "subject_key", self._key.cast(subject=subjects, id=ids, wrapped_key=wrapped)
        contents = [replace(self._content, kyc_sub=person.sub) for person in people]
        sealed = [
            seal_investor(key, self._org_id, ref, content)
            for key, ref, content in zip(keys, refs, contents, strict=True)
        ]
        yield "investor", self._investor.cast(ref=refs, sealed=sealed)
        write = _document_writer(self._investor_version)
        documents = [write(ref=ref, sealed=data) for ref, data in zip(refs, sealed, strict=True)]
        yield "investor_version", self._investor_version.cast(ref=refs, document=documents)
        yield "holder_person", self._cast_persons(signer, people)
        for each in self.shown:
            yield from self._cast_shown(each, people, keys, places[each.standing.row["credential_type"]])

    def _cast_persons(self, signer: Signer, people: Sequence[Person]) -> Rows:
        """Return what an investor's first permit leaves behind, or else every size would measure first permits."""
        row, org_id = self._investor.row, self._org_id
        for person in people:
            known = KnownInvestor(
                person.ref, frozen=False, screening=None, kyc_issuer=row["kyc_issuer"], kyc_sub=person.sub, key=None
            )
            subject = digest_subject(known)
            assert subject is not None
            yield org_id, name_person(signer, org_id, subject), org_id, person.ref

    def _cast_shown(
        self, shown: Shown, people: Sequence[Person], keys: Sequence[DataKey], places: Sequence[Place]
    ) -> Iterator[tuple[str, Rows]]:
        ids, refs, uris = [new_id("std") for _ in people], [each.ref for each in people], [each.uri for each in places]
        sealed = [
            seal_standing(key, self._org_id, standing_id, _change(shown.content, person, place))
            for key, standing_id, person, place in zip(keys, ids, people, places, strict=True)
        ]
        yield "standing_credential", shown.standing.cast(id=ids, investor_ref=refs, sealed=sealed, status_uri=uris)
        write = _document_writer(shown.version)
        documents = [
            write(id=standing_id, investor_ref=ref, sealed=data, status_uri=uri)
            for standing_id, ref, data, uri in zip(ids, refs, sealed, uris, strict=True)
        ]
        yield "standing_version", shown.version.cast(standing_id=ids, investor_ref=refs, document=documents)


def _change(content: StandingContent, person: Person, place: Place) -> StandingContent:
    claims = {**content.claims, "sub": person.sub} if "sub" in content.claims else content.claims
    return StandingContent(claims, place.digest, person.thumbprint, place.index)


def _document_writer(version: Mold) -> Callable[..., str]:
    """Return what writes a snapshot like the model's with some members changed, as ``take_snapshot`` would."""
    document = json.loads(version.row["document"])

    def write(*, sealed: bytes, **changes: Any) -> str:
        return json.dumps({**document, **changes, "sealed": b64encode(sealed).decode()})

    return write
