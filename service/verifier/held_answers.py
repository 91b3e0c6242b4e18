"""An answer that counts only once the browser that gave it has come back to the platform.

Without this, whoever starts a request and passes it on to somebody else has the other's credentials for their own.

Source: OpenID4VP 1.0, sections 13.3 and 14.2; HAIP 1.0, section 5.1.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from service.keys import Signer
from service.storage.subject_keys import ensure_subject_key, read_subject_keys
from service.verifier.request_rows import KeptRequest, change_request
from service.verifier.verdicts import Presentation, name_subject


async def hold_answer(
    connection: AsyncConnection,
    signer: Signer,
    row: KeptRequest,
    vp_token: Mapping[str, Sequence[Presentation]],
    now: datetime,
) -> KeptRequest:
    """Keep an acceptable answer, sealed, and make the code with which its browser is sent back; returns the row.

    Args:
        connection: The transaction in which the row is locked.
        signer: Opens the key of whom the answer is about.
        row: The open request.
        vp_token: Presentations by query id.
        now: Time of the answer.
    """
    key = await ensure_subject_key(connection, signer, row.org_id, name_subject(row), now)
    return await change_request(
        connection,
        row,
        sealed_held_answer=key.seal(json.dumps(vp_token).encode(), context=_context(row)),
        held_at=now,
        response_code=secrets.token_urlsafe(32),
    )


async def open_held_answer(
    connection: AsyncConnection, signer: Signer, row: KeptRequest
) -> dict[str, list[Presentation]] | None:
    """Return what ``hold_answer`` kept; None if there is nothing, or its subject was erased meanwhile."""
    subject = name_subject(row)
    keys = await read_subject_keys(connection, signer, row.org_id, [subject])
    if row.sealed_held_answer is None or subject not in keys:
        return None
    opened = keys[subject].unseal(row.sealed_held_answer, context=_context(row))
    vp_token: dict[str, list[Presentation]] = json.loads(opened)
    return vp_token


def _context(row: KeptRequest) -> str:
    return f"held answer {row.org_id} {row.id}"
