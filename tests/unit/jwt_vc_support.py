"""Hands to build JWT VCs and JWT VPs, sound or not."""

from collections.abc import Mapping
from typing import Any

from service.credentials.did import did_jwk_from_jwk
from service.credentials.jose import sign_jws
from tests.unit.sd_jwt_support import HOLDER_KEYS, ISSUER, ISSUER_KEYS, NOW_SECONDS, KeyPair

HOLDER = did_jwk_from_jwk(HOLDER_KEYS.jwk)
V1 = "https://www.w3.org/2018/credentials/v1"
V2 = "https://www.w3.org/ns/credentials/v2"
STATUS = {"status_list": {"idx": 7, "uri": "https://issuer.example/status-lists/1"}}
NONCE, AUDIENCE = "n-0S6_WzA2Mj", "https://venue.example"


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Replace members; ``None`` takes one away."""
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def sign(claims: Mapping[str, Any], header: Mapping[str, Any], keys: KeyPair = ISSUER_KEYS) -> str:
    return sign_jws(changed({"alg": "ES256"}, header), claims, keys.sign)


def vc(**changes: Any) -> dict[str, Any]:
    """The credential inside a JWT VC of version 1.1, as short as it may be."""
    sound = {
        "@context": [V1],
        "type": ["VerifiableCredential", "KycCredential"],
        "credentialSubject": {"country": "US", "sub": "subject-one"},
    }
    return changed(sound, changes)


def claims_v1(**changes: Any) -> dict[str, Any]:
    sound = {
        "iss": ISSUER,
        "sub": HOLDER,
        "jti": "urn:uuid:9c1f3f1e-0000-4000-8000-000000000001",
        "nbf": NOW_SECONDS - 1_000,
        "exp": NOW_SECONDS + 1_000,
        "status": STATUS,
        "vc": vc(),
    }
    return changed(sound, changes)


def claims_v2(**changes: Any) -> dict[str, Any]:
    sound = {
        "@context": [V2],
        "type": ["VerifiableCredential", "KycCredential"],
        "issuer": ISSUER,
        "validFrom": "2026-03-02T11:00:00Z",
        "validUntil": "2026-03-02T13:00:00Z",
        "credentialSubject": {"id": HOLDER, "country": "US", "sub": "subject-one"},
        "status": STATUS,
    }
    return changed(sound, changes)


def issue_v1(header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    return sign(claims_v1(**changes), {"typ": "JWT", "kid": "key-1", **(header or {})})


def issue_v2(header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    return sign(claims_v2(**changes), {"typ": "vc+jwt", "cty": "vc", "kid": "key-1", **(header or {})})


def present_v1(
    *compacts: Any, header: Mapping[str, Any] | None = None, keys: KeyPair = HOLDER_KEYS, **changes: Any
) -> str:
    """A presentation of version 1.1."""
    sound = {
        "iss": did_jwk_from_jwk(keys.jwk),
        "aud": AUDIENCE,
        "nonce": NONCE,
        "iat": NOW_SECONDS,
        "vp": {"@context": [V1], "type": ["VerifiablePresentation"], "verifiableCredential": list(compacts)},
    }
    return sign(changed(sound, changes), {"typ": "JWT", **(header or {})}, keys)


def envelop(compact: str, kind: str = "EnvelopedVerifiableCredential", media_type: str = "vc+jwt") -> dict[str, Any]:
    return {"@context": V2, "id": f"data:application/{media_type},{compact}", "type": kind}


def present_v2(
    *compacts: str, header: Mapping[str, Any] | None = None, keys: KeyPair = HOLDER_KEYS, **changes: Any
) -> str:
    """A presentation of version 2.0."""
    sound = {
        "@context": [V2],
        "type": "VerifiablePresentation",
        "holder": did_jwk_from_jwk(keys.jwk),
        "verifiableCredential": [envelop(each) for each in compacts],
        "aud": AUDIENCE,
        "nonce": NONCE,
        "iat": NOW_SECONDS,
    }
    return sign(changed(sound, changes), {"typ": "vp+jwt", "cty": "vp", **(header or {})}, keys)
