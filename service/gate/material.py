"""Read everything that some requests depend on, for all of them at once."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import NotFoundError, ServiceError
from service.gate.assessment import list_refs
from service.gate.holders import HolderNames, read_holder_names
from service.gate.parties import PartySource, read_party_records
from service.gate.register import Access, Changes, Register
from service.gate.register_reading import (
    SecurityKey,
    VersionCache,
    add_affiliate_sales,
    add_lots_of,
    add_pledged_lots,
    add_reservations,
    read_grants,
    read_registers,
)
from service.gate.rows import GrantRow, Holder, OrganizationRow, PledgeRow, TransferRow
from service.gate.securities import SecurityAmbiguousError
from service.gate.transfer_models import TransferRequest
from service.keys import Signer
from service.storage.core import read_rows
from service.storage.tables import Organization, Transfer


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks about a transfer of a security.

    Attributes:
        transfer: The recorded transfer whose reservation is to end; None for one that is to be decided.
    """

    org_id: str
    request: TransferRequest
    transfer: TransferRow | None = None

    @property
    def asked(self) -> SecurityKey:
        """The security as the organisation calls it."""
        return self.org_id, self.request.security_id


@dataclass(frozen=True, slots=True)
class Material:
    """What was read. Registers change as requests are decided; everything else stays as it was found.

    Attributes:
        changes: What will have to be written.
        now: The database's clock, when nobody else could change these registers any more.
    """

    signer: Signer
    changes: Changes
    now: datetime
    registers: Mapping[SecurityKey, Register]
    grants: Mapping[SecurityKey, Sequence[GrantRow]]
    organizations: Mapping[str, OrganizationRow]
    records: PartySource
    names: HolderNames
    pledges: Mapping[str, PledgeRow]

    def open(self, question: Question) -> Access:
        """Find the security that a caller means: its own, or one that a registrar granted it, even if withdrawn since.

        Raises:
            NotFoundError: Unknown, or never granted: the two are not told apart.
            SecurityAmbiguousError: Several registrars granted this id and the caller has none of its own.
        """
        found = _resolve(question, self.registers, self.grants)
        if isinstance(found, ServiceError):
            raise found
        return found

    def try_open(self, question: Question) -> Access | None:
        """Return what ``open`` does; None where it raises."""
        found = _resolve(question, self.registers, self.grants)
        return found if isinstance(found, Access) else None

    def find_holders(self, register: Register, question: Question) -> dict[str, Holder]:
        """Return who the parties of a question are in a register."""
        refs = list_refs(question.request)
        return {ref: self.names.find(register, Holder(question.org_id, ref)) for ref in refs}


async def read_material(
    connection: AsyncConnection,
    questions: Sequence[Question],
    *,
    base_url: str,
    signer: Signer,
    cache: VersionCache,
    clock: Callable[[AsyncConnection], Awaitable[datetime]],
    lock: bool,
) -> Material:
    """Read what the questions depend on.

    Args:
        clock: Reads the instant that counts; reservations that are overdue by then are read too.
        lock: The answers will be acted on.
    """
    # Its own security is what an organisation means, whatever it was granted.
    grants = await read_grants(connection, {each.asked for each in questions if _rests_on_grant(each, cache.own)})
    changes = Changes()
    registers = await read_registers(connection, _list_candidates(questions, grants), cache, changes, lock=lock)
    if lock and grants:  # one may have been withdrawn while the locks were waited for
        found_now = await read_grants(connection, grants)
        grants = {key: [each for each in rows if each.security_key in registers] for key, rows in found_now.items()}
    now = await clock(connection)
    found = [(each, _resolve(each, registers, grants)) for each in questions]
    opened = [(each, access) for each, access in found if isinstance(access, Access)]
    ending = [(each.transfer.org_id, each.transfer.id) for each, _ in opened if each.transfer]
    latest = max([now, *(each.head.decided_at for each in registers.values() if each.head.decided_at)])
    await add_reservations(connection, registers, ending, latest)
    pledges = await _read_pledges(connection, registers, opened)
    investors = {(access.register.key, each) for each, access in _list_investors(opened, pledges)}
    organizations = await _read_organizations(connection, questions, registers)
    callers = {each.org_id: organizations[each.org_id].trust_version for each, _ in opened}
    records = await read_party_records(
        connection,
        signer,
        base_url=base_url,
        keys={(each.org_id, each.investor_ref) for _, each in investors},
        trusted=await cache.trust.read(connection, callers),
    )
    names = await read_holder_names(connection, signer, {(key[0], each) for key, each in investors}, records)
    await _add_holders(connection, registers, investors, names, opened)
    return Material(signer, changes, now, registers, grants, organizations, records, names, pledges)


def _rests_on_grant(question: Question, own: Collection[SecurityKey]) -> bool:
    """Tell whether the caller may not be the registrar. Who has a security of its own may still end others' trades."""
    if question.transfer is not None:
        return question.transfer.registrar_org_id != question.org_id
    return question.asked not in own


async def _read_organizations(
    connection: AsyncConnection, questions: Iterable[Question], registrars: Iterable[SecurityKey]
) -> dict[str, OrganizationRow]:
    involved = {each.org_id for each in questions} | {key[0] for key in registrars}
    rows = await read_rows(connection, OrganizationRow, Organization, ("id",), [(each,) for each in involved])
    return {each.id: each for each in rows}


def _list_candidates(
    questions: Iterable[Question], grants: Mapping[SecurityKey, Sequence[GrantRow]]
) -> set[SecurityKey]:
    ending = {(each.transfer.registrar_org_id, each.transfer.security_id) for each in questions if each.transfer}
    asked = {each.asked for each in questions if not each.transfer}
    return ending | asked | {(grant.org_id, grant.security_id) for each in asked for grant in grants.get(each, ())}


def _resolve(
    question: Question, registers: Mapping[SecurityKey, Register], grants: Mapping[SecurityKey, Sequence[GrantRow]]
) -> Access | ServiceError:
    granted = grants.get(question.asked, ())
    if question.transfer is not None:
        registrar = question.transfer.registrar_org_id
        register = registers[registrar, question.transfer.security_id]
        return Access(register, next((grant for grant in granted if grant.org_id == registrar), None))
    if question.asked in registers:
        return Access(registers[question.asked], None)
    if not granted:
        return NotFoundError()
    if len(granted) > 1:
        return SecurityAmbiguousError("Several registrars granted a security of this id.")
    return Access(registers[granted[0].org_id, granted[0].security_id], granted[0])


async def _read_pledges(
    connection: AsyncConnection, registers: Mapping[SecurityKey, Register], opened: Sequence[tuple[Question, Access]]
) -> dict[str, PledgeRow]:
    """Read the lots of which liquidations take some, and the pledges that they are under."""
    pledgees: dict[SecurityKey, set[Holder]] = defaultdict(set)
    for each, access in opened:
        if each.request.action == "liquidation" and each.request.seller:
            pledgees[access.register.key].add(Holder(each.org_id, each.request.seller.investor_ref))
    if not pledgees:
        return {}
    await add_pledged_lots(connection, registers, pledgees)
    ids = {
        (lot.lien_org_id, lot.lien_transfer_id)
        for key in pledgees
        for lot in registers[key].lots.values()
        if lot.lien_org_id and lot.lien_transfer_id
    }
    return {row.id: row for row in await read_rows(connection, PledgeRow, Transfer, ("org_id", "id"), ids)}


def _list_investors(
    opened: Sequence[tuple[Question, Access]], pledges: Mapping[str, PledgeRow]
) -> list[tuple[Holder, Access]]:
    """Return the parties of every question, as its organisation knows them."""
    found = []
    for question, access in opened:
        refs = list_refs(question.request)
        if question.request.action == "liquidation":
            refs += [row.seller_ref for row in pledges.values() if row.org_id == question.org_id and row.seller_ref]
            refs += [question.request.pledgor.investor_ref] if question.request.pledgor else []
        found += [(Holder(question.org_id, ref), access) for ref in refs]
    return found


async def _add_holders(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    investors: Collection[tuple[SecurityKey, Holder]],
    names: HolderNames,
    opened: Sequence[tuple[Question, Access]],
) -> None:
    """Read lots, counted rows and affiliate sales of everybody who may take part."""
    wanted: dict[SecurityKey, set[Holder]] = defaultdict(set)
    for key, investor in investors:
        wanted[key] |= names.list_possible(key[0], investor)
    for key, register in registers.items():
        wanted[key] |= _list_touched(register)
    await add_lots_of(connection, registers, wanted)
    sellers: dict[SecurityKey, set[Holder]] = defaultdict(set)
    for question, access in opened:
        if question.request.seller:
            seller = Holder(question.org_id, question.request.seller.investor_ref)
            sellers[access.register.key] |= names.list_possible(access.register.head.org_id, seller)
    await add_affiliate_sales(connection, registers, sellers)


def _list_touched(register: Register) -> set[Holder]:
    """Return whom reservations that may end concern, and who owns pledged lots."""
    return register.list_takers() | {lot.holder for lot in register.lots.values()}
