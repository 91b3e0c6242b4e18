"""Proofs that are good for one use: per owner and kind, in every process, and forgotten once they are too old."""

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count

from sqlmodel import select

from service.storage.database import Database
from service.storage.spent_proofs import GRACE, Proof, spend_proof
from service.storage.tables import SpentProof

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
END = NOW + timedelta(minutes=5)
FIRST = Proof("dpop", "key-1", "j", END)


async def spend(database: Database, proof: Proof = FIRST, *, org_id: str = "org_1", now: datetime = NOW) -> bool:
    async with database.transaction() as session:
        return await spend_proof(session, org_id, proof, now=now)


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
        assert await spend_proof(session, "org_1", FIRST, now=NOW)
        await session.rollback()
    assert await spend(database)


async def test_old_proofs_are_forgotten_by_and_by_and_live_ones_never(database: Database) -> None:
    """One digest in 256 sweeps."""
    await spend(database)
    await spend(database, org_id="org_2")
    late = END + GRACE + timedelta(seconds=1)
    lasting = Proof("dpop", "key-1", "lasting", late + timedelta(minutes=5))
    await spend(database, lasting, now=late)
    assert len(await list_digests(database, "org_1")) == 2
    sweeping = next(jti for jti in map(str, count()) if hash_proof("dpop", "key-1", jti).startswith("00"))
    await spend(database, Proof("dpop", "key-1", sweeping, late), now=late)
    assert await list_digests(database, "org_1") == {hash_proof("dpop", "key-1", jti) for jti in ("lasting", sweeping)}
    assert not await spend(database, lasting, now=late)
    assert len(await list_digests(database, "org_2")) == 1


def hash_proof(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
