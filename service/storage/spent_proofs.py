"""Proofs that may be used once: every process asks the same table, so none takes what another one took."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.core import start_upsert
from service.storage.tables import SpentProof

GRACE = timedelta(hours=1)  # far beyond what the clocks of two workers may differ
_AT_ONCE = 1000
_SWEEPS = "00"  # one digest in 256 starts like this: whoever spends it sweeps, and no clock is needed


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof to be spent.

    Attributes:
        kind: What it proves: the same ``jti`` in proofs of two kinds is no replay.
        owner: Whose ``jti`` it is: a client, or the thumbprint of a key.
        jti: As the proof has it.
        expires_at: From then on the proof is refused for its age.
    """

    kind: str
    owner: str
    jti: str
    expires_at: datetime


async def spend_proof(session: AsyncSession, org_id: str, proof: Proof, *, now: datetime) -> bool:
    """Spend a proof in the caller's transaction; False if it was spent before.

    Effects: now and then, also deletes proofs of this organisation that are refused for their age by now.
    """
    digest = hashlib.sha256("\0".join((proof.kind, proof.owner, proof.jti)).encode()).hexdigest()
    if digest.startswith(_SWEEPS):
        await _forget_expired(session, org_id, now - GRACE)
    values = {"org_id": org_id, "proof_sha256": digest, "expires_at": proof.expires_at}
    insert = start_upsert(SpentProof, session.get_bind().dialect.name)
    spent = await session.exec(insert.values(values).on_conflict_do_nothing())
    return spent.rowcount == 1


async def _forget_expired(session: AsyncSession, org_id: str, before: datetime) -> None:
    expired = (
        select(SpentProof.proof_sha256)
        .where(SpentProof.org_id == org_id, SpentProof.expires_at < before)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)  # so that two of these never wait for each other
    )
    digests = (await session.exec(expired)).all()
    await session.exec(
        delete(SpentProof).where(col(SpentProof.org_id) == org_id, col(SpentProof.proof_sha256).in_(digests))
    )
