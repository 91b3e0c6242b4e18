"""Who an investor of a venue is in a registrar's register: somebody known by another name, or nobody yet.

A registrar says so, or the same verified KYC does. Then lots and counters are one, wherever the holder trades.

Source: gate.md section 3; docs/decisions/0017-batch-pipeline.md.
"""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.gate.parties import digest_subject
from service.gate.register import Register
from service.gate.rows import Holder
from service.keys import Signer
from service.storage.core import read_rows, start_upsert
from service.storage.standings import InvestorKey, KnownInvestor
from service.storage.tables import HolderLink, HolderPerson
from service.storage.together import read_together

BY_KYC, BY_REGISTRAR = "kyc", "registrar"


@dataclass(frozen=True, slots=True)
class LinkRow:
    """See ``tables.HolderLink``."""

    org_id: str
    venue_org_id: str
    venue_ref: str
    holder_org_id: str
    investor_ref: str


@dataclass(frozen=True, slots=True)
class _PersonRow:
    """See ``tables.HolderPerson``."""

    org_id: str
    person: str
    holder_org_id: str
    investor_ref: str


@dataclass(slots=True)
class HolderNames:
    """What is known about who is who, by registrar and by investor as a venue knows them."""

    links: dict[tuple[str, Holder], Holder]
    persons: dict[tuple[str, str], Holder]
    known_as: Mapping[tuple[str, Holder], str]
    new_links: list[dict[str, Any]] = field(default_factory=list)
    new_persons: list[dict[str, Any]] = field(default_factory=list)
    _same: Mapping[tuple[str, str], Sequence[Holder]] = field(init=False)

    def __post_init__(self) -> None:
        same: dict[tuple[str, str], list[Holder]] = {}
        for (registrar, investor), person in self.known_as.items():
            same.setdefault((registrar, person), []).append(investor)
        self._same = same

    def list_possible(self, registrar: str, investor: Holder) -> set[Holder]:
        """Return every holder that an investor may turn out to be, whatever is learned of others on the way."""
        person = self.known_as.get((registrar, investor), "")
        same = self._same.get((registrar, person), ())
        linked = {self.links.get((registrar, each)) for each in (investor, *same)}
        return {each for each in (investor, *same, *linked, self.persons.get((registrar, person))) if each}

    def find(self, register: Register, investor: Holder) -> Holder:
        """Return who an investor is in a register.

        An investor who holds something there under the venue's own name stays who they are until the registrar says
        otherwise, even if the same KYC made them somebody else in another security.
        """
        registrar = register.head.org_id
        own = register.holders.get(investor)
        if own is not None and (own.quantity or own.pending):
            return investor
        person = self.persons.get((registrar, self.known_as.get((registrar, investor), "")), investor)
        return self.links.get((registrar, investor), person)

    def remember(self, register: Register, investor: Holder, *, now: datetime) -> None:
        """Keep who an investor is, now that a permit rests on it."""
        registrar, holder = register.head.org_id, self.find(register, investor)
        person = self.known_as.get((registrar, investor))
        if person is not None and (registrar, person) not in self.persons:
            self.persons[registrar, person] = holder
            row = {"org_id": registrar, "person": person}
            self.new_persons.append(row | {"holder_org_id": holder.org_id, "investor_ref": holder.investor_ref})
        if holder != investor and (registrar, investor) not in self.links:
            self.links[registrar, investor] = holder
            row = {"org_id": registrar, "venue_org_id": investor.org_id, "venue_ref": investor.investor_ref}
            row |= {"holder_org_id": holder.org_id, "investor_ref": holder.investor_ref}
            self.new_links.append(row | {"source": BY_KYC, "linked_at": now})


async def read_holder_names(
    connection: AsyncConnection,
    signer: Signer,
    investors: Collection[tuple[str, Holder]],
    known: Mapping[InvestorKey, KnownInvestor],
) -> HolderNames:
    """Read who some investors are.

    Args:
        investors: By registrar.
        known: What their own organisations know of them.
    """
    known_as = {}
    for registrar, investor in investors:
        row = known.get((investor.org_id, investor.investor_ref))
        subject = digest_subject(row) if row else None
        if subject is not None:
            known_as[registrar, investor] = name_person(signer, registrar, subject)
    wanted = {(registrar, person) for (registrar, _), person in known_as.items()}
    persons, links = await read_together(
        connection,
        lambda one: read_rows(one, _PersonRow, HolderPerson, ("org_id", "person"), wanted),
        partial(read_links, investors=investors),
    )
    return HolderNames(
        links=links,
        persons={(row.org_id, row.person): _holder_of(row) for row in persons},
        known_as=known_as,
    )


async def read_links(
    connection: AsyncConnection, investors: Iterable[tuple[str, Holder]]
) -> dict[tuple[str, Holder], Holder]:
    """Return who investors are, by registrar and the name that they are asked for by, where somebody said so."""
    keys = [(registrar, *investor) for registrar, investor in investors]
    rows = await read_rows(connection, LinkRow, HolderLink, ("org_id", "venue_org_id", "venue_ref"), keys)
    return {(row.org_id, Holder(row.venue_org_id, row.venue_ref)): _holder_of(row) for row in rows}


def _holder_of(row: LinkRow | _PersonRow) -> Holder:
    return Holder(row.holder_org_id, row.investor_ref)


def name_person(signer: Signer, registrar: str, subject: str) -> str:
    """Return the name under which a registrar knows a KYC's subject again; it says nothing without our key."""
    digest = signer.authenticate(f"{registrar}\0{subject}".encode(), purpose="gate.person")
    return base64.urlsafe_b64encode(digest[:24]).decode()


async def write_holder_names(connection: AsyncConnection, names: HolderNames) -> None:
    """Write what was learned; whoever was first stays.

    In one order, whoever writes: batches about other securities may learn of the same people at once.
    """
    for model, key, rows in ((HolderPerson, "person", names.new_persons), (HolderLink, "venue_ref", names.new_links)):
        if rows:
            statement = start_upsert(model, connection.dialect.name)
            ordered = sorted(rows, key=lambda row: (row["org_id"], row.get("venue_org_id", ""), row[key]))
            await connection.execute(statement.on_conflict_do_nothing(), ordered)
