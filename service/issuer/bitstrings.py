"""Our status lists as the W3C's credentials: one for each purpose, derived from the list that all else reads.

Signed on the ticks of the Status List Token, and kept until the next one.

Source: Bitstring Status List 1.0.
"""

from datetime import datetime
from functools import partial
from typing import Any

from cachetools import LRUCache
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.bitstring_status_list import address_bitstring, encode_bitstring, extract_bitstring
from service.credentials.data_integrity import add_proof
from service.credentials.jose import load_key, parse_json, parse_jws, sign_jws
from service.credentials.jwt_vc import VC_JWT
from service.credentials.ldp_vc_issuing import CRYPTOSUITE, build_proof_options
from service.credentials.status_list import MAX_TOKEN_BYTES
from service.credentials.status_list_credential import build_linked_status_list, build_status_list_credential
from service.errors import NotFoundError
from service.issuer.identity import Issuer
from service.issuer.status import TTL, compute_list_expiry, lock_list, start_of_tick
from service.keys import Signer
from service.linked_data.bundled_contexts import with_contexts
from service.storage.database import Database
from service.storage.tables import PublishedBitstring, StatusList
from service.web.signing import ISSUER, build_header, get_active_key

_KEPT = 256
_linked: LRUCache[str, dict[str, Any]] = LRUCache(maxsize=_KEPT)


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


async def read_linked_bitstring_credential(
    database: Database, signer: Signer, issuer: Issuer, list_id: str, purpose: str, now: datetime
) -> dict[str, Any]:
    """Return what ``read_bitstring_credential`` returns as linked data, under a Data Integrity proof.

    Made of the same list of the same tick, by whoever asks first in this process.
    """
    signed = await read_bitstring_credential(database, signer, issuer, list_id, purpose, now)
    if signed not in _linked:
        async with database.reading() as session:
            key = await get_active_key(session, issuer.org_id, ISSUER)
        options = build_proof_options(CRYPTOSUITE, f"{issuer.did}#{key.kid}", start_of_tick(now))
        document = build_linked_status_list(parse_json(parse_jws(signed, max_bytes=MAX_TOKEN_BYTES).payload))
        sign, public = signer.signing_function(key.kid), load_key(key.public_jwk)
        _linked[signed] = await with_contexts(partial(add_proof, document, options, public, sign))
    return _linked[signed]


async def _renew(
    session: AsyncSession, signer: Signer, issuer: Issuer, list_id: str, purpose: str, issued_at: datetime
) -> str:
    row = await lock_list(session, issuer.org_id, list_id)
    kept = await session.get(PublishedBitstring, (issuer.org_id, list_id, purpose))
    if kept is not None and kept.issued_at >= issued_at:
        return kept.credential  # another worker was first
    claims = build_status_list_credential(
        encode_bitstring(extract_bitstring(row.packed, purpose)),
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
