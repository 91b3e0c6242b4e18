"""An answer that counts only once the browser that gave it has come back to the platform.

Without this, whoever starts a request and passes it on to somebody else has the other's credentials for their own.

Source: OpenID4VP 1.0, sections 13.3 and 14.2; HAIP 1.0, section 5.1.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.keys import Signer
from service.storage.subject_keys import ensure_subject_key, read_subject_keys
from service.storage.tables import PresentationRequest
from service.verifier.verdicts import name_subject


async def hold_answer(
    session: AsyncSession,
    signer: Signer,
    row: PresentationRequest,
    vp_token: Mapping[str, Sequence[str]],
    now: datetime,
) -> None:
    """Keep an acceptable answer, sealed, and make the code with which its browser is sent back.

    Args:
        session: The transaction in which the row is locked.
        signer: Opens the key of whom the answer is about.
        row: The open request.
        vp_token: Presentations by query id.
        now: Time of the answer.
    """
    key = await ensure_subject_key(await session.connection(), signer, row.org_id, name_subject(row), now)
    row.sealed_held_answer = key.seal(json.dumps(vp_token).encode(), context=_context(row))
    row.held_at = now
    row.response_code = secrets.token_urlsafe(32)
    session.add(row)


async def open_held_answer(
    session: AsyncSession, signer: Signer, row: PresentationRequest
) -> dict[str, list[str]] | None:
    """Return what ``hold_answer`` kept; None if there is nothing, or its subject was erased meanwhile."""
    subject = name_subject(row)
    keys = await read_subject_keys(await session.connection(), signer, row.org_id, [subject])
    if row.sealed_held_answer is None or subject not in keys:
        return None
    vp_token: dict[str, list[str]] = json.loads(keys[subject].unseal(row.sealed_held_answer, context=_context(row)))
    return vp_token


def _context(row: PresentationRequest) -> str:
    return f"held answer {row.org_id} {row.id}"
