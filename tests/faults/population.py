"""Many investors from one: what a real presentation left in the database, copied under other names and keys.

A thousand wallets that go through issuing and presentation would take longer than the test that needs them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.composition import build_signer
from service.keys import Signer
from service.settings import Settings
from service.storage.database import Database
from service.storage.ids import new_id
from service.storage.personal_data import open_investor, open_standing, seal_investor, seal_standing
from service.storage.subject_keys import DataKey, key_purpose, name_investor, open_subject_key, read_subject_keys
from service.storage.tables import Investor, StandingCredential, SubjectKey

INVESTOR: Table = Investor.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
STANDING: Table = StandingCredential.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
KEY: Table = SubjectKey.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it


async def copy_investor(settings: Mapping[str, str], org_id: str, ref: str, copies: Sequence[str]) -> None:
    """Give an organisation investors who stand as ``ref`` does, each a person of their own.

    Args:
        settings: Of the deployment, as environment variables.
        org_id: The organisation that admitted ``ref``.
        copies: Refs of the new investors.
    """
    url, data_dir = settings["GOODSTANDING_DATABASE_URL"], Path(settings["GOODSTANDING_DATA_DIR"])
    signer = build_signer(Settings(data_dir=data_dir, database_url=url, _env_file=None))
    database = Database(url)
    try:
        async with database.engine.begin() as connection:
            original = await _Original.read(connection, signer, org_id, ref)
            made = [original.copy(signer, copy) for copy in copies]
            await connection.execute(insert(KEY), [each[0] for each in made])
            await connection.execute(insert(INVESTOR), [each[1] for each in made])
            await connection.execute(insert(STANDING), [row for each in made for row in each[2]])
    finally:
        await database.close()


class _Original:
    """The investor whom the others resemble."""

    def __init__(self, key: DataKey, key_row: Any, investor: Any, standing: Sequence[Any]) -> None:
        self._key, self._key_row, self._investor, self._standing = key, key_row, investor, standing

    @classmethod
    async def read(cls, connection: AsyncConnection, signer: Signer, org_id: str, ref: str) -> "_Original":
        subject = name_investor(ref)
        key = (await read_subject_keys(connection, signer, org_id, [subject]))[subject]
        key_row = (await connection.execute(select(KEY).where(KEY.c.org_id == org_id, KEY.c.subject == subject))).one()
        mine = (INVESTOR.c.org_id == org_id) & (INVESTOR.c.ref == ref)
        shown = (STANDING.c.org_id == org_id) & (STANDING.c.investor_ref == ref)
        investor = (await connection.execute(select(INVESTOR).where(mine))).one()
        return cls(key, key_row, investor, (await connection.execute(select(STANDING).where(shown))).all())

    def copy(self, signer: Signer, ref: str) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
        """Return a key, an investor and their credentials."""
        org_id, subject = self._investor.org_id, name_investor(ref)
        key_id, wrapped = new_id("key"), signer.create_data_key(purpose=key_purpose(org_id, subject))
        key = open_subject_key(signer, org_id, subject, wrapped, key_id=key_id)
        person = replace(open_investor(self._key, self._investor), kyc_sub=_name_person(org_id, ref))
        investor = {"ref": ref, "sealed": seal_investor(key, org_id, ref, person)}
        return (
            {**self._key_row._mapping, "subject": subject, "id": key_id, "wrapped_key": wrapped},
            {**self._investor._mapping, **investor},
            [self._copy_credential(key, row, ref) for row in self._standing],
        )

    def _copy_credential(self, key: DataKey, row: Any, ref: str) -> dict[str, Any]:
        content, made = open_standing(self._key, row), new_id("std")
        claims = {**content.claims, **({"sub": _name_person(row.org_id, ref)} if "sub" in content.claims else {})}
        sealed = seal_standing(key, row.org_id, made, replace(content, claims=claims))
        return {**row._mapping, "id": made, "investor_ref": ref, "sealed": sealed}


def _name_person(org_id: str, ref: str) -> str:
    return f"{org_id}-{ref}"  # the same ref at two venues is two people
