"""Documents and keys for tests of linked data."""

import copy
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from service.credentials.did import did_key_from_jwk
from service.credentials.jose import SignFunction, VerificationKey, b64url_encode, load_key

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
V2 = "https://www.w3.org/ns/credentials/v2"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
_ED25519 = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
_P256 = ec.derive_private_key(7, ec.SECP256R1())


def _sign_p256(data: bytes) -> bytes:
    r, s = decode_dss_signature(_P256.sign(data, ec.ECDSA(SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def make_signer(alg: str = "EdDSA") -> tuple[str, VerificationKey, SignFunction]:
    """Return DID URL of a key, the key, and what signs with it."""
    if alg == "EdDSA":
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(_ED25519.public_key().public_bytes_raw())}
        sign: SignFunction = _ED25519.sign
    else:
        numbers = _P256.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256"} | {
            name: b64url_encode(getattr(numbers, name).to_bytes(32)) for name in ("x", "y")
        }
        sign = _sign_p256
    did = did_key_from_jwk(jwk)
    return f"{did}#{did.removeprefix('did:key:')}", load_key(jwk), sign


def make_credential(**more: Any) -> dict[str, Any]:
    """Return a credential of version 2.0."""
    credential: dict[str, Any] = {
        "@context": [V2, EXAMPLES],
        "id": "urn:uuid:7b1c2f4e-0000-4000-8000-000000000001",
        "type": ["VerifiableCredential", "Membership"],
        "issuer": make_signer()[0].partition("#")[0],
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:holder", "level": "gold"},
    }
    return copy.deepcopy(credential) | more
