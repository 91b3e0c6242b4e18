"""Read everything that some requests depend on, for all of them at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import NotFoundError, ServiceError
from service.gate.assessment import list_refs
from service.gate.holders import HolderNames, read_holder_names
from service.gate.parties import PartyRecords, PartySource, read_statuses_of
from service.gate.register import Access, Changes, Register
from service.gate.register_reading import (
    Holdings,
    SecurityKey,
    VersionCache,
    add_reservations,
    open_registers,
    read_grants,
    read_heads,
    read_holdings,
    read_pledged_lots,
)
from service.gate.rows import GrantRow, Head, Holder, LotRow, OrganizationRow, PledgeRow, TransferRow
from service.gate.securities import SecurityAmbiguousError
from service.gate.transfer_models import TransferRequest
from service.keys import Signer
from service.storage.clock import DatabaseClock
from service.storage.core import read_rows
from service.storage.standings import InvestorKey, KnownInvestor, Standing, read_known
from service.storage.statuses import StatusSource
from service.storage.tables import Organization, Transfer
from service.storage.together import read_together
from service.storage.trust import TrustedIssuerRow


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
class Place:
    """A security that a caller may address, by its registrar and id; ``grant`` as in ``Access``."""

    key: SecurityKey
    grant: GrantRow | None


@dataclass(frozen=True, slots=True)
class Securities:
    """The securities that some questions may be about, and what registrars granted their callers."""

    heads: Mapping[SecurityKey, Head]
    grants: Mapping[SecurityKey, Sequence[GrantRow]]

    def locate(self, question: Question) -> Place | ServiceError:
        """Return the security that a caller means, or what ``Material.open`` raises."""
        granted = self.grants.get(question.asked, ())
        if question.transfer is not None:
            registrar, security_id = question.transfer.registrar_org_id, question.transfer.security_id
            return Place((registrar, security_id), next((each for each in granted if each.org_id == registrar), None))
        if question.asked in self.heads:
            return Place(question.asked, None)
        if not granted:
            return NotFoundError()
        if len(granted) > 1:
            return SecurityAmbiguousError("Several registrars granted a security of this id.")
        return Place(granted[0].security_key, granted[0])


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
    securities: Securities
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
        found = self.securities.locate(question)
        if isinstance(found, ServiceError):
            raise found
        return Access(self.registers[found.key], found.grant)

    def try_open(self, question: Question) -> Access | None:
        """Return what ``open`` does; None where it raises."""
        found = self.securities.locate(question)
        return None if isinstance(found, ServiceError) else Access(self.registers[found.key], found.grant)

    def find_holders(self, register: Register, question: Question) -> dict[str, Holder]:
        """Return who the parties of a question are in a register."""
        refs = list_refs(question.request)
        return {ref: self.names.find(register, Holder(question.org_id, ref)) for ref in refs}


async def find_securities(
    connection: AsyncConnection, questions: Sequence[Question], cache: VersionCache, *, lock: bool
) -> Securities:
    """Find the securities that questions may be about.

    Args:
        lock: The answers will be acted on: nobody else may decide about these securities until the transaction ends.
    """
    # Its own security is what an organisation means, whatever it was granted.
    grants = await read_grants(connection, {each.asked for each in questions if _rests_on_grant(each, cache.own)})
    heads = await read_heads(connection, _list_candidates(questions, grants), lock=lock)
    if lock and grants:  # one may have been withdrawn while the locks were waited for
        found_now = await read_grants(connection, grants)
        grants = {key: [each for each in rows if each.security_key in heads] for key, rows in found_now.items()}
    return Securities(heads, grants)


async def read_material(
    connection: AsyncConnection,
    questions: Sequence[Question],
    securities: Securities,
    *,
    base_url: str,
    signer: Signer,
    cache: VersionCache,
    clock: DatabaseClock,
) -> Material:
    """Read what the questions depend on; what does not depend on the answer to another reading, together.

    Args:
        clock: Reads the instant that counts; reservations that are overdue by then are read too.
    """
    located = [(each, place) for each in questions if isinstance(place := securities.locate(each), Place)]
    pledged, pledges = await _read_pledges(connection, located)
    investors = {(place.key, each) for each, place in _list_investors(located, pledges)}
    wanted, sellers = _group(investors), _group(_list_sellers(located))
    changes = Changes()
    (registers, now), (organizations, trusted), (known, names), own = await read_together(
        connection,
        lambda one: _read_registers(one, securities, located, cache, changes, clock),
        lambda one: _read_organizations(one, securities, questions, located, cache),
        lambda one: _read_parties(one, signer, base_url, investors),
        partial(read_holdings, holders=wanted, sellers=sellers),
    )
    for register in registers.values():
        register.put_lots(lot for lot in pledged if (lot.org_id, lot.security_id) == register.key)
    own.put_into(registers)
    (await _read_others(connection, registers, wanted, sellers, names)).put_into(registers)
    records = PartyRecords(known.investors, known.standings, trusted, known.statuses)
    return Material(signer, changes, now, registers, securities, organizations, records, names, pledges)


async def _read_registers(
    connection: AsyncConnection,
    securities: Securities,
    located: Sequence[tuple[Question, Place]],
    cache: VersionCache,
    changes: Changes,
    clock: DatabaseClock,
) -> tuple[dict[SecurityKey, Register], datetime]:
    """Return the registers with what may end in them, and the instant that counts."""

    async def read_clock(one: AsyncConnection) -> datetime:
        return await clock(one)

    registers, now = await read_together(
        connection, partial(open_registers, heads=securities.heads, cache=cache, changes=changes), read_clock
    )
    ending = [(each.transfer.org_id, each.transfer.id) for each, _ in located if each.transfer]
    latest = max([now, *(each.decided_at for each in securities.heads.values() if each.decided_at)])
    await add_reservations(connection, registers, ending, latest)
    return registers, now


def _rests_on_grant(question: Question, own: Collection[SecurityKey]) -> bool:
    """Tell whether the caller may not be the registrar. Who has a security of its own may still end others' trades."""
    if question.transfer is not None:
        return question.transfer.registrar_org_id != question.org_id
    return question.asked not in own


async def _read_organizations(
    connection: AsyncConnection,
    securities: Securities,
    questions: Iterable[Question],
    located: Iterable[tuple[Question, Place]],
    cache: VersionCache,
) -> tuple[dict[str, OrganizationRow], dict[str, Sequence[TrustedIssuerRow]]]:
    """Return callers and registrars, and whom callers trust."""
    involved = {each.org_id for each in questions} | {key[0] for key in securities.heads}
    rows = await read_rows(connection, OrganizationRow, Organization, ("id",), [(each,) for each in involved])
    organizations = {each.id: each for each in rows}
    callers = {each.org_id: organizations[each.org_id].trust_version for each, _ in located}
    return organizations, await cache.trust.read(connection, callers)


@dataclass(frozen=True, slots=True)
class _Known:
    """See ``PartyRecords``."""

    investors: Mapping[InvestorKey, KnownInvestor]
    standings: Mapping[InvestorKey, Sequence[Standing]]
    statuses: StatusSource


async def _read_parties(
    connection: AsyncConnection, signer: Signer, base_url: str, investors: Collection[tuple[SecurityKey, Holder]]
) -> tuple[_Known, HolderNames]:
    """Return what is known of investors, and who they are in the registers."""
    known, standings = await read_known(connection, signer, {(each.org_id, each.investor_ref) for _, each in investors})
    by_registrar = {(key[0], each) for key, each in investors}
    statuses, names = await read_together(
        connection,
        partial(read_statuses_of, base_url=base_url, standings=standings),
        partial(read_holder_names, signer=signer, investors=by_registrar, known=known),
    )
    return _Known(known, standings, statuses), names


def _list_candidates(
    questions: Iterable[Question], grants: Mapping[SecurityKey, Sequence[GrantRow]]
) -> set[SecurityKey]:
    ending = {(each.transfer.registrar_org_id, each.transfer.security_id) for each in questions if each.transfer}
    asked = {each.asked for each in questions if not each.transfer}
    return ending | asked | {(grant.org_id, grant.security_id) for each in asked for grant in grants.get(each, ())}


async def _read_pledges(
    connection: AsyncConnection, located: Sequence[tuple[Question, Place]]
) -> tuple[list[LotRow], dict[str, PledgeRow]]:
    """Read the lots of which liquidations take some, and the pledges that they are under."""
    pledgees: dict[SecurityKey, set[Holder]] = defaultdict(set)
    for each, place in located:
        if each.request.action == "liquidation" and each.request.seller:
            pledgees[place.key].add(Holder(each.org_id, each.request.seller.investor_ref))
    lots = await read_pledged_lots(connection, pledgees)
    liens = [(lot.lien_org_id, lot.lien_transfer_id) for lot in lots if lot.lien_org_id and lot.lien_transfer_id]
    rows = await read_rows(connection, PledgeRow, Transfer, ("org_id", "id"), liens)
    return lots, {row.id: row for row in rows}


def _list_investors(
    located: Sequence[tuple[Question, Place]], pledges: Mapping[str, PledgeRow]
) -> list[tuple[Holder, Place]]:
    """Return the parties of every question, as its organisation knows them."""
    found = []
    for question, place in located:
        refs = list_refs(question.request)
        if question.request.action == "liquidation":
            refs += [row.seller_ref for row in pledges.values() if row.org_id == question.org_id and row.seller_ref]
            refs += [question.request.pledgor.investor_ref] if question.request.pledgor else []
        found += [(Holder(question.org_id, ref), place) for ref in refs]
    return found


def _list_sellers(located: Iterable[tuple[Question, Place]]) -> list[tuple[SecurityKey, Holder]]:
    return [
        (place.key, Holder(question.org_id, question.request.seller.investor_ref))
        for question, place in located
        if question.request.seller
    ]


def _group(investors: Iterable[tuple[SecurityKey, Holder]]) -> dict[SecurityKey, set[Holder]]:
    found: dict[SecurityKey, set[Holder]] = defaultdict(set)
    for key, investor in investors:
        found[key].add(investor)
    return found


async def _read_others(
    connection: AsyncConnection,
    registers: Mapping[SecurityKey, Register],
    investors: Mapping[SecurityKey, set[Holder]],
    sellers: Mapping[SecurityKey, set[Holder]],
    names: HolderNames,
) -> Holdings:
    """Read what those have who take part under other names than they are asked for by, or because something ends."""
    others = {
        key: (_list_possible(names, key, investors.get(key, ())) | _list_touched(register)) - investors.get(key, set())
        for key, register in registers.items()
    }
    selling = {key: _list_possible(names, key, each) - each for key, each in sellers.items()}
    return await read_holdings(connection, others, selling)


def _list_possible(names: HolderNames, key: SecurityKey, investors: Iterable[Holder]) -> set[Holder]:
    return {holder for each in investors for holder in names.list_possible(key[0], each)}


def _list_touched(register: Register) -> set[Holder]:
    """Return whom reservations that may end concern, and who owns pledged lots."""
    return register.list_takers() | {lot.holder for lot in register.lots.values()}
