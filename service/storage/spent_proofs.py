"""Proofs that may be used once: every process asks the same table, so none takes what another one took."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.core import start_upsert
from service.storage.tables import SpentProof


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


async def spend_proof(session: AsyncSession, org_id: str, proof: Proof) -> bool:
    """Spend a proof in the caller's transaction; False if it was spent before."""
    digest = hashlib.sha256("\0".join((proof.kind, proof.owner, proof.jti)).encode()).hexdigest()
    values = {"org_id": org_id, "proof_sha256": digest, "expires_at": proof.expires_at}
    insert = start_upsert(SpentProof, session.get_bind().dialect.name)
    spent = await session.exec(insert.values(values).on_conflict_do_nothing())
    return spent.rowcount == 1
