"""Many investors from one: what a real presentation left in the database, copied under other names.

A thousand wallets that go through issuing and presentation would take longer than the test that needs them.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table, insert, select

from service.storage.database import Database
from service.storage.ids import new_id
from service.storage.tables import Investor, StandingCredential

INVESTOR: Table = Investor.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
STANDING: Table = StandingCredential.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it


async def copy_investor(database_url: str, org_id: str, ref: str, copies: Sequence[str]) -> None:
    """Give an organisation investors who stand as ``ref`` does, each a person of their own.

    Args:
        org_id: The organisation that admitted ``ref``.
        copies: Refs of the new investors.
    """
    database = Database(database_url)
    try:
        async with database.engine.begin() as connection:
            mine = (INVESTOR.c.org_id == org_id) & (INVESTOR.c.ref == ref)
            [investor] = (await connection.execute(select(INVESTOR).where(mine))).mappings().all()
            shown = (STANDING.c.org_id == org_id) & (STANDING.c.investor_ref == ref)
            credentials = (await connection.execute(select(STANDING).where(shown))).mappings().all()
            await connection.execute(insert(INVESTOR), [_rename(investor, copy) for copy in copies])
            await connection.execute(
                insert(STANDING), [_copy_credential(each, copy) for copy in copies for each in credentials]
            )
    finally:
        await database.close()


def _rename(investor: Any, copy: str) -> dict[str, Any]:
    return {**investor, "ref": copy, "kyc_sub": f"subject-{copy}"}


def _copy_credential(credential: Any, copy: str) -> dict[str, Any]:
    claims = dict(credential["claims"])
    if "sub" in claims:
        claims["sub"] = f"subject-{copy}"
    return {**credential, "id": new_id("std"), "investor_ref": copy, "claims": claims}
