"""The key that a verifier's client identifier stands for, by the prefix of the identifier.

Source: OpenID4VP 1.0, sections 5.9.3 and 12.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from service.credentials.certificates import (
    Chain,
    hash_certificate,
    load_leaf_key,
    read_alternative_names,
    read_x5c,
    verify_chain,
)
from service.credentials.jose import (
    UnverifiedJws,
    VerificationKey,
    check_times,
    load_key,
    parse_json,
    parse_jws,
    verify_jws,
)
from service.fetch import Fetcher
from service.wallet.errors import RejectedError, UnsupportedError, rejecting
from service.wallet.trust import VerifierTrust
from service.wallet.trusted_keys import find_did_key

DID_PREFIX = "decentralized_identifier:"
X509_SAN_DNS_PREFIX, X509_HASH_PREFIX = "x509_san_dns:", "x509_hash:"
ATTESTATION_PREFIX = "verifier_attestation:"
ATTESTATION_TYP = "verifier-attestation+jwt"
LEEWAY = timedelta(seconds=60)
_CERTIFICATE, _ATTESTATION = "The verifier's certificate", "The verifier's attestation"


async def find_verifier_key(
    client_id: str, jws: UnverifiedJws, *, trust: VerifierTrust, fetcher: Fetcher, now: datetime
) -> VerificationKey:
    """Return the one key that may have signed a request of ``client_id``.

    What travels in the header counts only as far as somebody whom the holder trusts vouches for it.

    Raises:
        RejectedError: No such key, or nobody trusted vouches for it.
        UnsupportedError: Another prefix.
        RefusedError, FetchError: The DID document can't be had.
    """
    if client_id.startswith(DID_PREFIX):
        did = client_id.removeprefix(DID_PREFIX)
        return await find_did_key(
            did, jws.header.get("kid"), relationship="verificationMethod", fetcher=fetcher, now=now
        )
    if client_id.startswith(X509_SAN_DNS_PREFIX):
        chain = _read_trusted_chain(jws, trust, now)
        if client_id.removeprefix(X509_SAN_DNS_PREFIX) not in _dns_names(chain):
            raise RejectedError("The verifier's certificate stands for another host.")
        return _leaf_key(chain)
    if client_id.startswith(X509_HASH_PREFIX):
        chain = _read_trusted_chain(jws, trust, now)
        if client_id.removeprefix(X509_HASH_PREFIX) != hash_certificate(chain[0]):
            raise RejectedError("The verifier's certificate is another than its identifier names.")
        return _leaf_key(chain)
    if client_id.startswith(ATTESTATION_PREFIX):
        return _read_attested_key(jws, trust, now, expected_subject=client_id.removeprefix(ATTESTATION_PREFIX))
    raise UnsupportedError("This wallet can't tell who a verifier with this kind of identifier is.")


def check_attested_address(jws: UnverifiedJws, response_uri: str) -> None:
    """Check that an attestation which names addresses names ``response_uri``; raises RejectedError.

    Source: OpenID4VP 1.0, section 5.9.3 (``verifier_attestation``).
    """
    addresses = _read_attestation(jws)[1].get("redirect_uris", [response_uri])
    if not isinstance(addresses, list) or response_uri not in addresses:
        raise RejectedError("The answer would go to an address that the verifier isn't attested for.")


def _read_trusted_chain(jws: UnverifiedJws, trust: VerifierTrust, now: datetime) -> Chain:
    with rejecting(_CERTIFICATE):
        chain = read_x5c(jws.header.get("x5c"))
        verify_chain(chain, trust.anchors, now=now)
    return chain


def _dns_names(chain: Chain) -> frozenset[str]:
    with rejecting(_CERTIFICATE):
        return read_alternative_names(chain[0]).dns


def _leaf_key(chain: Chain) -> VerificationKey:
    with rejecting(_CERTIFICATE):
        return load_leaf_key(chain)


def _read_attested_key(
    jws: UnverifiedJws, trust: VerifierTrust, now: datetime, *, expected_subject: str
) -> VerificationKey:
    attestation, unverified = _read_attestation(jws)
    key = trust.find_attester_key(unverified.get("iss"), attestation.header.get("kid"))
    with rejecting(_ATTESTATION):
        claims = verify_jws(attestation, key, expected_typ={ATTESTATION_TYP})
        check_times(claims, now=now, leeway=LEEWAY, require_exp=True)
        if claims.get("sub") != expected_subject:
            raise RejectedError("The verifier is attested under another name.")
        match claims.get("cnf"):
            case {"jwk": dict(jwk)}:
                return load_key(jwk)
    raise RejectedError("The verifier's attestation names no key.")


def _read_attestation(jws: UnverifiedJws) -> tuple[UnverifiedJws, Mapping[str, Any]]:
    token = jws.header.get("jwt")
    if not isinstance(token, str):
        raise RejectedError("The request brings no attestation of its verifier.")
    with rejecting(_ATTESTATION):
        attestation = parse_jws(token)
        claims = parse_json(attestation.payload)
    if not isinstance(claims, dict):
        raise RejectedError("The verifier's attestation isn't an object.")
    return attestation, claims
