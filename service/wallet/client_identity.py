"""Who signed a request object: the key that a client identifier stands for."""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from service.credentials.jose import UnverifiedJws, VerificationKey, check_times, parse_jws, verify_jws
from service.fetch import Fetcher
from service.wallet.errors import RejectedError, UnsupportedError, rejecting
from service.wallet.trusted_keys import find_did_key

REQUEST_OBJECT_TYP = "oauth-authz-req+jwt"
STATIC_AUDIENCE = "https://self-issued.me/v2"
DID_PREFIX = "decentralized_identifier:"
LEEWAY = timedelta(seconds=60)
_SUBJECT = "The request object"


async def verify_request_object(
    token: str, *, expected_client_id: str, expected_wallet_nonce: str | None, fetcher: Fetcher, now: datetime
) -> Mapping[str, Any]:
    """Verify a signed request object and return its claims.

    1. ``typ`` is ``oauth-authz-req+jwt``, and the signature is the key's that ``expected_client_id`` stands for.
    2. ``client_id`` is ``expected_client_id``, prefix included.
    3. ``aud`` is ``https://self-issued.me/v2``.
    4. ``now`` lies within ``exp``, ``nbf`` and ``iat``, where present.
    5. ``wallet_nonce`` is ours, if we sent one.

    Args:
        token: Compact JWS.
        expected_client_id: From the link.
        expected_wallet_nonce: What we sent to the request URI; ``None`` if nothing.
        fetcher: Resolves did:web.
        now: Aware.

    Raises:
        RejectedError: Any of 1 to 5 doesn't hold.
        UnsupportedError: A client identifier prefix that this wallet can't authenticate.
        RefusedError, FetchError: The DID document can't be had.

    Source: OpenID4VP 1.0, sections 5, 5.8, 5.9.3 and 5.10.2.
    """
    with rejecting(_SUBJECT):
        jws = parse_jws(token)
    key = await _find_key(expected_client_id, jws, fetcher)
    with rejecting(_SUBJECT):
        claims = verify_jws(jws, key, expected_typ={REQUEST_OBJECT_TYP})  # (1)
    if claims.get("client_id") != expected_client_id:  # (2)
        raise RejectedError("The link and the request object name different verifiers.")
    if claims.get("aud") not in (STATIC_AUDIENCE, [STATIC_AUDIENCE]):  # (3)
        raise RejectedError("The request object isn't meant for a wallet.")
    with rejecting(_SUBJECT):
        check_times(claims, now=now, leeway=LEEWAY, require_exp=False)  # (4)
    if expected_wallet_nonce is not None:  # (5)
        found = claims.get("wallet_nonce")
        if not isinstance(found, str) or not hmac.compare_digest(found.encode(), expected_wallet_nonce.encode()):
            raise RejectedError("The request object wasn't made for this wallet: its wallet_nonce differs.")
    return claims


async def _find_key(client_id: str, jws: UnverifiedJws, fetcher: Fetcher) -> VerificationKey:
    # Keys and certificates that travel inside the token prove nothing about a DID, so only ``kid`` is read.
    if not client_id.startswith(DID_PREFIX):
        raise UnsupportedError("This wallet knows signed requests only from verifiers that are named by a DID.")
    did = client_id.removeprefix(DID_PREFIX)
    return await find_did_key(did, jws.header.get("kid"), relationship="verificationMethod", fetcher=fetcher)
