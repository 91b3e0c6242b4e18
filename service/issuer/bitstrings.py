"""Our status lists as the W3C's credentials: one for each purpose, derived from the list that all else reads.

Signed on the ticks of the Status List Token, and kept until the next one.

Source: Bitstring Status List 1.0.
"""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.bitstring_status_list import address_bitstring
from service.credentials.jose import sign_jws
from service.credentials.jwt_vc import VC_JWT
from service.credentials.status_list_credential import build_status_list_credential
from service.errors import NotFoundError
from service.issuer.identity import Issuer
from service.issuer.status import TTL, compute_list_expiry, lock_list, start_of_tick
from service.keys import Signer
from service.storage.database import Database
from service.storage.tables import PublishedBitstring, StatusList
from service.web.signing import ISSUER, build_header, get_active_key


async def read_bitstring_credential(
    database: Database, signer: Signer, issuer: Issuer, list_id: str, purpose: str, now: datetime
) -> str:
    """Return the BitstringStatusListCredential of the present tick, signing it if nobody asked before.

    Args:
        database: Holds the list.
        signer: Holds the issuer's key.
        issuer: Whose list it is.
        list_id: Untrusted.
        purpose: One of ``PUBLISHED_PURPOSES``.
        now: Aware.

    Raises:
        NotFoundError: This issuer has no such list.
    """
    issued_at = start_of_tick(now)
    async with database.reading() as session:
        kept = await session.get(PublishedBitstring, (issuer.org_id, list_id, purpose))
        if kept is not None and kept.issued_at >= issued_at:
            return kept.credential
        if await session.get(StatusList, (issuer.org_id, list_id)) is None:
            raise NotFoundError
    async with database.transaction() as session:
        return await _renew(session, signer, issuer, list_id, purpose, issued_at)


async def _renew(
    session: AsyncSession, signer: Signer, issuer: Issuer, list_id: str, purpose: str, issued_at: datetime
) -> str:
    row = await lock_list(session, issuer.org_id, list_id)
    kept = await session.get(PublishedBitstring, (issuer.org_id, list_id, purpose))
    if kept is not None and kept.issued_at >= issued_at:
        return kept.credential  # another worker was first
    claims = build_status_list_credential(
        row.packed,
        address=address_bitstring(issuer.status_list_uri(list_id), purpose),
        purpose=purpose,
        issuer=issuer.did,
        issued_at=issued_at,
        expires_at=compute_list_expiry(issued_at),
        ttl=TTL,
    )
    key = await get_active_key(session, issuer.org_id, ISSUER)
    header = build_header(key, typ=VC_JWT, kid=f"{issuer.did}#{key.kid}", certified_at=issued_at) | {"cty": "vc"}
    renewed = PublishedBitstring(
        org_id=issuer.org_id,
        list_id=list_id,
        purpose=purpose,
        credential=sign_jws(header, claims, signer.signing_function(key.kid)),
        issued_at=issued_at,
    )
    return (await session.merge(renewed)).credential
