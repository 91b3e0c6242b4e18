"""``c_nonce``: made without storage, spent once.

Only a nonce that came back in a valid proof is stored, under a primary key that lets one request through.

Source: OpenID4VCI 1.0, sections 7 and 13.5; docs/decisions/0003.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.key_proof import InvalidNonceError
from service.keys import Signer
from service.storage.core import insert_rows
from service.storage.tables import SpentNonce
from service.web import nonces

_PURPOSE = "c-nonce"


def make_nonce(signer: Signer, *, org_id: str, now: datetime) -> str:
    """Make a nonce for key proofs to this issuer; nothing is stored."""
    return nonces.make_nonce(signer, purpose=_PURPOSE, owner=org_id, now=now)


def check_nonce(signer: Signer, nonce: str, *, org_id: str, now: datetime) -> datetime:
    """Return the instant at which ``nonce`` ends; whether it was spent before shows only in ``spend_nonces``.

    Raises:
        InvalidNonceError: Not made by this deployment for this issuer, or too old.
    """
    ends_at = nonces.find_nonce_end(signer, nonce, purpose=_PURPOSE, owner=org_id, now=now)
    if ends_at is None:
        raise InvalidNonceError("The nonce is not one of ours, or it has expired.")
    return ends_at


async def spend_nonces(connection: AsyncConnection, org_id: str, spent: Mapping[str, datetime]) -> None:
    """Spend nonces together, in the caller's transaction; each maps to its end.

    Raises:
        InvalidNonceError: One was spent before. The transaction can only be rolled back then.
    """
    rows = [
        {"org_id": org_id, "nonce_sha256": hashlib.sha256(nonce.encode()).hexdigest(), "expires_at": expires_at}
        for nonce, expires_at in spent.items()
    ]
    try:  # in one order everywhere, or two requests could wait for each other
        await insert_rows(connection, SpentNonce, sorted(rows, key=itemgetter("nonce_sha256")))
    except IntegrityError:
        raise InvalidNonceError("The nonce was used before.") from None
