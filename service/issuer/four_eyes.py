"""What stands between two pairs of eyes: whether one of two accounts was in the other's hands.

An administrator can make an account, give it the role of an approver and sign in to it by a link. Nobody can tell by
software that two accounts are two people, so this forbids nothing: in a firm of two, one of them makes the other's
account. It is on record, and on the page before somebody approves, where an auditor looks for it.
"""

import json

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.tables import AuditEntry

_MADE_USABLE = ("account.created", "account.changed", "account.link_made")


async def list_account_ties(session: AsyncSession, org_id: str, one: str | None, other: str) -> list[str]:
    """Return by which kinds of acts one of two actors made the other's account usable; usually none.

    Args:
        one: Id of an account or an API client, or None for nobody; neither of the latter has ties.
    """
    if one is None:
        return []
    query = select(AuditEntry).where(
        AuditEntry.org_id == org_id,
        col(AuditEntry.subject_id).in_((one, other)),
        col(AuditEntry.kind).in_(_MADE_USABLE),
        AuditEntry.record != "",
    )
    by_other = {(one, other), (other, one)}
    rows = (await session.exec(query)).all()
    return sorted({row.kind for row in rows if (row.subject_id, json.loads(row.record)["actor"]) in by_other})
