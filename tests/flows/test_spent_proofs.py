"""Proofs that are good for one use: per owner and kind, in every process, and forgotten once they are too old."""

from datetime import UTC, datetime, timedelta

from sqlmodel import select

from service.storage.database import Database
from service.storage.expired import GRACE, sweep_expired
from service.storage.spent_proofs import Proof, spend_proof
from service.storage.tables import SpentProof

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
END = NOW + timedelta(minutes=5)
FIRST = Proof("dpop", "key-1", "j", END)


async def spend(database: Database, proof: Proof = FIRST, *, org_id: str = "org_1") -> bool:
    async with database.transaction() as session:
        return await spend_proof(session, org_id, proof)


async def list_digests(database: Database, org_id: str) -> set[str]:
    async with database.reading() as session:
        return set((await session.exec(select(SpentProof.proof_sha256).where(SpentProof.org_id == org_id))).all())


async def test_a_proof_is_spent_once_and_only_it(database: Database) -> None:
    assert await spend(database)
    assert not await spend(database)
    assert not await spend(database, Proof("dpop", "key-1", "j", END + timedelta(days=1)))
    for other in (
        Proof("private_key_jwt", "key-1", "j", END),
        Proof("dpop", "key-2", "j", END),
        Proof("dpop", "key-1", "J", END),
    ):
        assert await spend(database, other)
    assert await spend(database, org_id="org_2")


async def test_a_use_that_is_rolled_back_was_none(database: Database) -> None:
    async with database.transaction() as session:
        assert await spend_proof(session, "org_1", FIRST)
        await session.rollback()
    assert await spend(database)


async def test_old_proofs_are_swept_and_live_ones_never(database: Database) -> None:
    late = END + GRACE + timedelta(seconds=1)
    lasting = Proof("dpop", "key-1", "lasting", late + timedelta(minutes=5))
    for proof, org_id in ((FIRST, "org_1"), (FIRST, "org_2"), (lasting, "org_1")):
        assert await spend(database, proof, org_id=org_id)
    await sweep_expired(database, END + GRACE)
    assert [len(await list_digests(database, org_id)) for org_id in ("org_1", "org_2")] == [2, 1]
    await sweep_expired(database, late)
    assert [len(await list_digests(database, org_id)) for org_id in ("org_1", "org_2")] == [1, 0]
    assert not await spend(database, lasting)
