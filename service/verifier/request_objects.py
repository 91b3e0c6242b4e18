"""What a wallet reads: the parameters of a request, signed or not, and the Request Object it may post for."""

from typing import Any

from service.credentials.encoding import write_json
from service.credentials.jose import parse_json, parse_jws, sign_jws
from service.errors import NotFoundError, ProtocolError
from service.keys import Signer
from service.keys.jwe import ENCRYPTION_METHODS, EncryptionError, encrypt
from service.verifier.client_identity import ClientIdentity
from service.verifier.purposes import find_purpose
from service.verifier.request_rows import KeptRequest
from service.verifier.request_terms import ENCRYPTED_MODES, uses_dc_api
from service.verifier.wallet_metadata import FORMATS_SUPPORTED, read_wallet_metadata

SELF_ISSUED_AUDIENCE = "https://self-issued.me/v2"
REQUEST_TYP = "oauth-authz-req+jwt"
MAX_WALLET_NONCE = 512
MAX_REQUEST_BYTES = 48 * 1024
"""Of a request as it is kept: with a wallet's nonce, and encrypted, it stays within what wallets read."""


def write_request(
    signer: Signer, row: KeptRequest, identity: ClientIdentity, metadata: dict[str, Any], base_url: str
) -> str:
    """Return the request as it is kept: a signed Request Object, or the JSON of its parameters.

    Source: OpenID4VP 1.0, sections 5.1, 5.2, 8.2 and appendices A.2 and A.3.
    """
    parameters = _build_parameters(row, metadata, base_url)
    if identity.key is None:
        return write_json(parameters).decode()
    claims = parameters | {  # no iss: wallets have to ignore it (section 5), and some refuse one that is not the DID
        "aud": SELF_ISSUED_AUDIENCE,
        "client_id": row.client_id,
        "iat": int(row.created_at.timestamp()),
        "exp": int(row.expires_at.timestamp()),
    }
    if row.expected_origins is not None:
        claims["expected_origins"] = row.expected_origins
    header = {"alg": identity.key.alg, "typ": REQUEST_TYP, **identity.header}
    return sign_jws(header, claims, signer.signing_function(identity.key.kid))


def _build_parameters(row: KeptRequest, metadata: dict[str, Any], base_url: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {"response_type": "vp_token", "response_mode": row.response_mode}
    if not uses_dc_api(row.response_mode):
        parameters |= {
            "client_id": row.client_id,
            "response_uri": build_response_uri(base_url, row.id),
            "state": row.wallet_state,
        }
    parameters |= {"nonce": row.nonce, "dcql_query": row.dcql_query, "client_metadata": metadata}
    if row.purpose is not None:
        parameters["purpose"] = find_purpose(row.purpose).title  # not of the protocol: wallets that know it show it
    if row.transaction_data is not None:
        parameters["transaction_data"] = row.transaction_data
    return parameters


def build_response_uri(base_url: str, request_id: str) -> str:
    """Return where a wallet posts its answer."""
    return f"{base_url}/openid4vp/responses/{request_id}"


def build_client_metadata(name: str, response_mode: str, encryption_jwk: dict[str, Any] | None) -> dict[str, Any]:
    """Return ``client_metadata``; the key is for this one request.

    Source: OpenID4VP 1.0, sections 5.1, 8.3 and 11; HAIP 1.0, section 5.
    """
    metadata: dict[str, Any] = {"client_name": name, "vp_formats_supported": FORMATS_SUPPORTED}
    if response_mode in ENCRYPTED_MODES and encryption_jwk is not None:
        metadata["jwks"] = {"keys": [{**encryption_jwk, "use": "enc", "alg": "ECDH-ES"}]}
        metadata["encrypted_response_enc_values_supported"] = ENCRYPTION_METHODS
    return metadata


def is_signed(row: KeptRequest) -> bool:
    """Tell whether a request is kept as a signed Request Object."""
    return not row.request_object.startswith("{")


def read_parameters(row: KeptRequest) -> dict[str, Any]:
    """Return the parameters of an unsigned request."""
    parameters: dict[str, Any] = parse_json(row.request_object, max_bytes=MAX_REQUEST_BYTES)
    return parameters


def answer_fetch(signer: Signer, row: KeptRequest, *, wallet_nonce: str | None, wallet_metadata: str | None) -> str:
    """Return the Request Object: always the same, but for the nonce and the encryption that a wallet may ask for.

    Raises:
        NotFoundError: The request has no Request Object, for it is unsigned or a browser carries it.
        ProtocolError: ``wallet_nonce`` is empty or too long; see also ``read_wallet_metadata``.

    Source: OpenID4VP 1.0, section 5.10.
    """
    if not is_signed(row) or uses_dc_api(row.response_mode):
        raise NotFoundError
    if wallet_nonce is not None and not 0 < len(wallet_nonce) <= MAX_WALLET_NONCE:
        raise ProtocolError("invalid_request", "wallet_nonce is empty or too long.")
    jws = parse_jws(row.request_object, max_bytes=MAX_REQUEST_BYTES)
    recipient = None
    if wallet_metadata is not None:
        recipient = read_wallet_metadata(wallet_metadata, row, signed_with=jws.header["alg"])
    signed = row.request_object
    if wallet_nonce is not None:
        claims = parse_json(jws.payload, max_bytes=MAX_REQUEST_BYTES) | {"wallet_nonce": wallet_nonce}
        # By the key that signed it first: a certificate or an attestation in the header stands for no other.
        signed = sign_jws(jws.header, claims, signer.signing_function(jws.header["kid"].rpartition("#")[2]))
    if recipient is None:
        return signed
    header = {"typ": REQUEST_TYP, "cty": "JWT"}
    try:
        return encrypt(signed.encode(), recipient.jwk, method=recipient.method, header=header)
    except EncryptionError as error:
        raise ProtocolError("invalid_request", f"wallet_metadata: {error.detail}") from error
