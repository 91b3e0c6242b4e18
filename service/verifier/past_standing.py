"""What a platform knew of an investor at an instant, in the form of what it knows now."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import NotFoundError
from service.keys import Signer
from service.storage.past import list_investors_as_of, list_standing_as_of, read_statuses_as_of, read_trust_as_of
from service.storage.standings import read_investor_keys
from service.verifier.standing_answer import Known, list_status_queries


async def read_known_as_of(
    session: AsyncSession, signer: Signer, *, base_url: str, org_id: str, ref: str, at: datetime
) -> Known:
    """Read what the platform knew of an investor at ``at``.

    Raises:
        NotFoundError: The platform had not recorded such an investor by then.
        RecordIncompleteError: It had, before it kept the history of its investors.
    """
    keys = await read_investor_keys(session, signer, org_id, [ref])
    investor = (await list_investors_as_of(session, keys, org_id, [ref], at)).get(ref)
    if investor is None:
        raise NotFoundError
    rows = (await list_standing_as_of(session, keys, org_id, [ref], at))[ref]
    queries = list_status_queries(rows)
    trust = await read_trust_as_of(session, org_id, at)
    return Known(
        investor=investor.row,
        screening=investor.known.screening,
        rows=rows,
        readings=await read_statuses_as_of(session, base_url=base_url, org_id=org_id, queries=queries, at=at),
        trusted=trust.entries,
        trust_version=trust.version,
        complete_since=investor.complete_since,
    )
