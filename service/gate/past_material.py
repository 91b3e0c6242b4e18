"""What a decision would have rested on at an instant, from the record: terms, trust and what was known of parties.

What the register counted then is not put together again: a rule that needs it stays open.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import NotFoundError
from service.gate.facts import zone_of
from service.gate.material import Material
from service.gate.party_facts import Party
from service.gate.past_parties import read_parties_as_of
from service.gate.register import Register
from service.keys import Signer
from service.storage.core import table_of
from service.storage.standings import InvestorKey
from service.storage.tables import OfferingVersion, SecurityVersion

COUNTED = frozenset({"buyer.existing_holder", "buyer.pct_voting_after", "buyer.hold_only", "offering.outstanding"})
"""Facts that the register counts, besides all of ``state``."""


@dataclass(frozen=True, slots=True)
class PastRecords:
    """Parties as they were known, by the day on which issuers had to be trusted."""

    by_day: Mapping[date, Mapping[str, Party]]

    def describe(self, key: InvestorKey, *, now: datetime, on: date) -> Party:  # noqa: ARG002  # read for one instant
        """See ``PartySource``."""
        return self.by_day[on][key[1]]

    def list_trust_ends(self, org_id: str, issuers: Collection[str]) -> list[date]:  # noqa: ARG002  # as above
        """See ``PartySource``; what the record says of one instant ends with it."""
        return []


async def step_back(
    session: AsyncSession,
    material: Material,
    signer: Signer,
    *,
    base_url: str,
    org_id: str,
    refs: Sequence[str],
    at: datetime,
) -> Material:
    """Return the material as it stood.

    Raises:
        NotFoundError: A security, or every offering of it, did not exist yet.
        RecordIncompleteError: See ``read_parties_as_of``.
    """
    connection = await session.connection()
    days: set[date] = set()
    for register in material.registers.values():
        await _restore_terms(connection, register, at)
        regimes = {register.documents[each.id]["regime"] for each in register.offerings}
        days |= {at.astimezone(zone_of(regime)).date() for regime in regimes}
    by_day = {
        on: await read_parties_as_of(session, signer, base_url=base_url, org_id=org_id, refs=refs, at=at, on=on)
        for on in sorted(days)
    }
    return replace(material, records=PastRecords(by_day), now=at)


async def _restore_terms(connection: AsyncConnection, register: Register, at: datetime) -> None:
    table = table_of(SecurityVersion).c
    query = select(table.version, table.document).where(
        table.org_id == register.head.org_id, table.security_id == register.head.id, table.recorded_at <= at
    )
    newest = (await connection.execute(query.order_by(table.version.desc()).limit(1))).first()
    if newest is None:
        raise NotFoundError
    register.head.version, register.terms = newest.version, newest.document
    offered = table_of(OfferingVersion).c
    versions = select(offered.offering_id, offered.version, offered.document).where(
        offered.org_id == register.head.org_id, offered.security_id == register.head.id, offered.recorded_at <= at
    )
    rows = (await connection.execute(versions.order_by(offered.version))).all()
    register.documents = {row.offering_id: row.document for row in rows}
    known = {row.offering_id: row.version for row in rows}
    register.offerings = [each for each in register.offerings if each.id in known]
    for each in register.offerings:
        each.version = known[each.id]
    if not register.offerings:
        raise NotFoundError
