"""What a wallet says that it can do when it posts for a Request Object, against what we ask of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from service.credentials.cryptosuites import CRYPTOSUITES, LEGACY_SUITES
from service.credentials.data_integrity import PROOF_TYPE
from service.credentials.jose import MalformedJoseError, parse_json
from service.errors import ProtocolError
from service.keys.jwe import ALGORITHMS, ENCRYPTION_METHODS
from service.verifier.request_rows import KeptRequest
from service.verifier.request_terms import ENCRYPTED_MODES

SIGNATURE_ALGORITHMS = ["ES256", "ES384", "EdDSA", "Ed25519"]
# By format, the members that name the algorithms of what a wallet shows, and those that can be verified.
FORMATS_SUPPORTED = {
    "dc+sd-jwt": {"sd-jwt_alg_values": SIGNATURE_ALGORITHMS, "kb-jwt_alg_values": SIGNATURE_ALGORITHMS},
    "jwt_vc_json": {"alg_values": SIGNATURE_ALGORITHMS},
    "vc+jwt": {"alg_values": SIGNATURE_ALGORITHMS},
    "ldp_vc": {"proof_type_values": [PROOF_TYPE, *LEGACY_SUITES], "cryptosuite_values": list(CRYPTOSUITES)},
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom to encrypt the Request Object to, and how."""

    jwk: Mapping[str, Any]
    method: str


def read_wallet_metadata(text: str, row: KeptRequest, *, signed_with: str) -> Recipient | None:
    """Check that a wallet can answer a request; unknown members, and what it leaves out, say nothing against it.

    Args:
        text: ``wallet_metadata``; untrusted.
        row: The request.
        signed_with: ``alg`` of its Request Object.

    Returns:
        To whom the Request Object must be encrypted; None if the wallet does not ask for it.

    Raises:
        ProtocolError: ``vp_formats_not_supported``, or ``invalid_request`` for all else that does not fit, that is not
            well-formed, or a key to which we cannot encrypt. The wallet has to stop at any error (section 5.10.2).

    Source: OpenID4VP 1.0, sections 5.10, 5.10.1 and 10.1; RFC 8414, section 2.
    """
    metadata = _read(text)
    _check_formats(metadata, {item["format"] for item in row.dcql_query["credentials"]})
    prefix = row.client_id.partition(":")[0]
    _check_offer(metadata, "client_id_prefixes_supported", [prefix])
    _check_offer(metadata, "request_object_signing_alg_values_supported", [signed_with])
    _check_offer(metadata, "response_types_supported", ["vp_token"])
    _check_offer(metadata, "response_modes_supported", [row.response_mode])
    if row.response_mode in ENCRYPTED_MODES:
        _check_offer(metadata, "authorization_encryption_alg_values_supported", ALGORITHMS)
        _check_offer(metadata, "authorization_encryption_enc_values_supported", ENCRYPTION_METHODS)
    return _choose_recipient(metadata) if "jwks" in metadata else None


def _read(text: str) -> Mapping[str, Any]:
    try:
        metadata = parse_json(text)
    except MalformedJoseError as error:
        raise ProtocolError("invalid_request", f"wallet_metadata is not JSON: {error.detail}") from error
    if not isinstance(metadata, dict):
        raise ProtocolError("invalid_request", "wallet_metadata must be a JSON object.")
    return metadata


def _check_formats(metadata: Mapping[str, Any], asked: Collection[str]) -> None:
    """Check that the wallet has one of the formats asked for; which of them have to be shown is the query's to say."""
    if "vp_formats_supported" not in metadata:
        return
    formats = metadata["vp_formats_supported"]
    found = [name for name in asked if isinstance(formats, dict) and isinstance(formats.get(name), dict)]
    if not found:
        needed = ", ".join(sorted(asked))
        raise ProtocolError("vp_formats_not_supported", f"The request needs credentials of the format {needed}.")
    for credential_format in found:
        for name, ours in FORMATS_SUPPORTED[credential_format].items():
            algorithms = formats[credential_format]
            if name in algorithms and not _overlaps(algorithms[name], ours):
                raise ProtocolError("vp_formats_not_supported", f"None of the wallet's {name} can be verified.")


def _check_offer(metadata: Mapping[str, Any], name: str, wanted: Collection[str]) -> None:
    if name in metadata and not _overlaps(metadata[name], wanted):
        raise ProtocolError("invalid_request", f"The request does not fit the wallet's {name}.")


def _overlaps(offered: Any, wanted: Collection[str]) -> bool:
    return isinstance(offered, list) and any(isinstance(each, str) and each in wanted for each in offered)


def _choose_recipient(metadata: Mapping[str, Any]) -> Recipient:
    """Return the first usable key; a wallet that wants encryption gets nothing in plain."""
    name = "request_object_encryption_enc_values_supported"
    _check_offer(metadata, "request_object_encryption_alg_values_supported", ALGORITHMS)
    _check_offer(metadata, name, ENCRYPTION_METHODS)
    match metadata["jwks"]:
        case {"keys": list() as keys}:
            usable = next(filter(_is_usable, keys), None)
            if usable is not None:
                offered = metadata.get(name, ENCRYPTION_METHODS[:1])
                return Recipient(usable, next(each for each in reversed(ENCRYPTION_METHODS) if each in offered))
    raise ProtocolError("invalid_request", "The wallet's jwks hold no P-256 key for ECDH-ES.")


def _is_usable(key: Any) -> bool:
    match key:
        case {"kty": "EC", "crv": "P-256", "x": str(), "y": str()} if isinstance(key.get("kid", ""), str):
            return (key.get("use", "enc"), key.get("alg", "ECDH-ES")) == ("enc", "ECDH-ES")
    return False
