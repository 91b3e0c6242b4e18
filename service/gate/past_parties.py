"""Read what a platform held about the parties of a transfer at an instant, from the record."""

from collections.abc import Collection
from datetime import date, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.parties import build_party
from service.gate.party_facts import Party
from service.keys import Signer
from service.storage.past import list_investors_as_of, list_standing_as_of, read_statuses_as_of, read_trust_as_of
from service.storage.standings import read_investor_keys


async def read_parties_as_of(
    session: AsyncSession,
    signer: Signer,
    *,
    base_url: str,
    org_id: str,
    refs: Collection[str],
    at: datetime,
    on: date,
) -> dict[str, Party]:
    """Read investors, standings, trust and statuses as they stood; the form is that of ``read_parties``.

    Args:
        refs: Investors as ``org_id`` knows them; one whom it had not recorded is a party of whom nothing is known.
        at: What was presented, said or fetched later is left out.
        on: Day on which issuers must be trusted, by the list as it stood.

    Raises:
        RecordIncompleteError: An investor was recorded by then, but their changes were not.
    """
    keys = await read_investor_keys(session, signer, org_id, refs)
    investors = await list_investors_as_of(session, keys, org_id, refs, at)
    standing = await list_standing_as_of(session, keys, org_id, refs, at)
    trust = await read_trust_as_of(session, org_id, at)
    queries = {query for rows in standing.values() for row in rows for query in row.statuses}
    readings = await read_statuses_as_of(session, base_url=base_url, org_id=org_id, queries=queries, at=at)
    known = {ref: investor.known for ref, investor in investors.items()}
    return {
        ref: build_party(ref, known.get(ref), standing[ref], trusted=trust.entries, readings=readings, on=on)
        for ref in refs
    }
