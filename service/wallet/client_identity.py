"""Whether a request object is that of the verifier whom the link names."""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.certificates import host_of
from service.credentials.jose import UnverifiedJws, check_times, parse_jws, verify_jws
from service.fetch import Fetcher
from service.wallet.errors import RejectedError, rejecting
from service.wallet.trust import VerifierTrust
from service.wallet.verifier_keys import (
    ATTESTATION_PREFIX,
    LEEWAY,
    X509_SAN_DNS_PREFIX,
    check_attested_address,
    find_verifier_key,
)

REQUEST_OBJECT_TYP = "oauth-authz-req+jwt"
STATIC_AUDIENCE = "https://self-issued.me/v2"
_SUBJECT = "The request object"


async def verify_request_object(
    token: str,
    *,
    expected_client_id: str,
    expected_wallet_nonce: str | None,
    trust: VerifierTrust,
    fetcher: Fetcher,
    now: datetime,
) -> Mapping[str, Any]:
    """Verify a signed request object and return its claims.

    1. ``typ`` is ``oauth-authz-req+jwt``, and the signature is the key's that ``expected_client_id`` stands for.
    2. ``client_id`` is ``expected_client_id``, prefix included.
    3. ``aud`` is ``https://self-issued.me/v2``.
    4. ``now`` lies within ``exp``, ``nbf`` and ``iat``, where present.
    5. ``wallet_nonce`` is ours, if we sent one.
    6. The answer goes where the identifier's kind lets it: for ``x509_san_dns`` to the host of that name, for
       ``verifier_attestation`` to one of the attested addresses, if there are any.

    Args:
        token: Compact JWS.
        expected_client_id: From the link.
        expected_wallet_nonce: What we sent to the request URI; ``None`` if nothing.
        trust: Who may vouch for verifiers.
        fetcher: Resolves did:web.
        now: Aware.

    Raises:
        RejectedError: Any of 1 to 6 doesn't hold.
        UnsupportedError: A client identifier prefix that this wallet can't authenticate.
        RefusedError, FetchError: The DID document can't be had.

    Source: OpenID4VP 1.0, sections 5, 5.8, 5.9.3 and 5.10.2.
    """
    with rejecting(_SUBJECT):
        jws = parse_jws(token)
    key = await find_verifier_key(expected_client_id, jws, trust=trust, fetcher=fetcher, now=now)
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
    _check_address(expected_client_id, jws, claims.get("response_uri"))  # (6)
    return claims


def _check_address(client_id: str, jws: UnverifiedJws, response_uri: Any) -> None:
    if not isinstance(response_uri, str):
        return  # without an address nothing is sent at all; see ``read_reply_address``
    if client_id.startswith(X509_SAN_DNS_PREFIX) and host_of(response_uri) != client_id.removeprefix(
        X509_SAN_DNS_PREFIX
    ):
        raise RejectedError("The answer would go to another host than the verifier's certificate stands for.")
    if client_id.startswith(ATTESTATION_PREFIX):
        check_attested_address(jws, response_uri)
