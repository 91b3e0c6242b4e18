"""Keys, and a hand to build credentials that our own issuing code refuses to build."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from service.credentials.jose import VerificationKey, b64url_encode, load_key, sign_jws, write_json
from service.credentials.sd_jwt import SdJwt, issue_sd_jwt

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW_SECONDS = int(NOW.timestamp())
ISSUER = "https://issuer.example/issuers/broker"
VCT = "urn:goodstanding:vct:kyc:1"


@dataclass(frozen=True)
class KeyPair:
    """A P-256 key that can sign and be published."""

    private: ec.EllipticCurvePrivateKey

    @cached_property
    def jwk(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        x, y = (b64url_encode(value.to_bytes(32, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    @cached_property
    def private_jwk(self) -> dict[str, str]:
        scalar = self.private.private_numbers().private_value
        return {**self.jwk, "d": b64url_encode(scalar.to_bytes(32, "big"))}

    @cached_property
    def key(self) -> VerificationKey:
        return load_key(self.jwk)

    def sign(self, signing_input: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(signing_input, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def new_key_pair() -> KeyPair:
    return KeyPair(ec.generate_private_key(ec.SECP256R1()))


ISSUER_KEYS = new_key_pair()
HOLDER_KEYS = new_key_pair()


def new_salt() -> str:
    return secrets.token_urlsafe(16)


def digest_of(disclosure: str) -> str:
    return b64url_encode(sha256(disclosure.encode()).digest())


def make_disclosure(*parts: Any) -> str:
    return b64url_encode(write_json(list(parts)))


def base_claims(**changes: Any) -> dict[str, Any]:
    """Claims of a sound credential; a change to ``None`` takes a claim away."""
    claims = {
        "iss": ISSUER,
        "vct": VCT,
        "iat": NOW_SECONDS - 1_000,
        "exp": NOW_SECONDS + 1_000,
        "cnf": {"jwk": HOLDER_KEYS.jwk},
        "status": {"status_list": {"idx": 7, "uri": "https://issuer.example/status-lists/1"}},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def sign_payload(
    payload: Mapping[str, Any] | bytes, disclosures: Sequence[str] = (), *, header: Mapping[str, Any] | None = None
) -> str:
    """Sign any payload as the issuer and append any disclosures."""
    jwt = sign_jws(header or {"alg": "ES256", "typ": "dc+sd-jwt", "kid": "key-1"}, payload, ISSUER_KEYS.sign)
    return SdJwt(jwt, tuple(disclosures), None).without_key_binding()


def issue(disclosable: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Issue a sound credential that hides the claims in ``disclosable``."""
    hidden = {"given_name": "Ada", "birthdate": "1990-01-31"} if disclosable is None else disclosable
    return issue_sd_jwt(
        {**base_claims(**changes), **hidden},
        disclosable=hidden.keys(),
        header={"alg": "ES256", "kid": "key-1"},
        sign=ISSUER_KEYS.sign,
        new_salt=new_salt,
    )
