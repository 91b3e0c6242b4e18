"""What a platform holds about its investors. Written by verifier, read by gate."""

from collections.abc import Collection, Sequence

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.tables import Investor, StandingCredential


async def list_standing(
    session: AsyncSession, org_id: str, investor_refs: Collection[str]
) -> dict[str, list[StandingCredential]]:
    """Read the credentials that these investors presented, whatever became of them since.

    Returns:
        Every asked ref with its rows, by credential type and newest first within a type; empty for the unknown.
    """
    standing: dict[str, list[StandingCredential]] = {ref: [] for ref in investor_refs}
    query = (
        select(StandingCredential)
        .where(StandingCredential.org_id == org_id, col(StandingCredential.investor_ref).in_(list(standing)))
        .order_by(
            col(StandingCredential.credential_type),
            col(StandingCredential.presented_at).desc(),
            col(StandingCredential.id).desc(),
        )
    )
    for row in (await session.exec(query)).all():
        standing[row.investor_ref].append(row)
    return standing


def pick_newest(rows: Sequence[StandingCredential], credential_type: str) -> StandingCredential | None:
    """Return the newest credential of a type from what ``list_standing`` gave for one investor."""
    return next((row for row in rows if row.credential_type == credential_type), None)


async def list_investors(session: AsyncSession, org_id: str, refs: Collection[str]) -> dict[str, Investor]:
    """Return the investors that the platform has recorded, by ref; unknown refs are left out."""
    query = select(Investor).where(Investor.org_id == org_id, col(Investor.ref).in_(list(refs)))
    return {row.ref: row for row in (await session.exec(query)).all()}
