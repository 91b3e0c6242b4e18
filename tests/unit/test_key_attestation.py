"""Key attestations: only a trusted attester's, current, and about the very keys."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.jose import VerificationKey, jwk_thumbprint, load_key, sign_jws
from service.credentials.key_attestation import (
    MAX_ATTESTED_KEYS,
    InvalidKeyAttestationError,
    KeyAttestation,
    verify_key_attestation,
)
from service.credentials.key_proof import HolderKey, InvalidProofError, verify_key_proof
from service.errors import MalformedError, VerificationError
from tests.unit.sd_jwt_support import HOLDER_KEYS, ISSUER, NOW, NOW_SECONDS, KeyPair, new_key_pair

NONCE = "LarRGSbmUPYtRYO6BQ4yn8"
ATTESTER, OTHER, SECOND = new_key_pair(), new_key_pair(), new_key_pair()
KEYS = [HOLDER_KEYS.jwk, SECOND.jwk]


def find_key(header: Mapping[str, Any]) -> VerificationKey:
    if header.get("kid") != "attester":
        raise InvalidKeyAttestationError("Unknown.")
    return load_key(ATTESTER.jwk)


def attest(header: dict[str, Any] | None = None, *, by: KeyPair = ATTESTER, **changes: Any) -> str:
    """Sign any attestation; a change to ``None`` takes a claim away."""
    head = {"typ": "key-attestation+jwt", "alg": "ES256", "kid": "attester", **(header or {})}
    claims = {"iat": NOW_SECONDS, "exp": NOW_SECONDS + 300, "nonce": NONCE, "attested_keys": KEYS, **changes}
    return sign_jws(head, {name: value for name, value in claims.items() if value is not None}, by.sign)


def verify(token: str, *, require_exp: bool = True) -> KeyAttestation:
    return verify_key_attestation(token, find_key=find_key, now=NOW, algorithms=["ES256"], require_exp=require_exp)


def test_what_a_trusted_attester_says_is_read() -> None:
    found = verify(attest(key_storage=["iso_18045_high", "own"], user_authentication=["iso_18045_basic"]))
    assert list(found.jwks.values()) == KEYS
    assert list(found.names) == ["0", "1"]
    assert found.nonce == NONCE
    assert found.key_storage == {"iso_18045_high", "own"}
    assert found.user_authentication == {"iso_18045_basic"}
    assert verify(attest()).key_storage == frozenset()


def test_an_end_is_needed_with_a_key_proof_only() -> None:
    assert verify(attest(exp=None), require_exp=False).nonce == NONCE
    with pytest.raises(VerificationError):
        verify(attest(exp=None))


@pytest.mark.parametrize(
    "token",
    [
        attest(by=OTHER),
        attest({"kid": "other"}),
        attest({"kid": None, "jwk": ATTESTER.jwk}),
        attest({"typ": "keyattestation+jwt"}),
        attest({"typ": "openid4vci-proof+jwt"}),
        attest({"alg": "none"}),
        attest({"alg": "ES384"}),
        attest(iat=None),
        attest(iat=NOW_SECONDS + 61),
        attest(exp=NOW_SECONDS - 60),
        attest(nbf=NOW_SECONDS + 61),
        attest(nonce=None),
        attest(nonce=7),
        attest(attested_keys=None),
        attest(attested_keys=[]),
        attest(attested_keys=HOLDER_KEYS.jwk),
        attest(attested_keys=["key"]),
        attest(attested_keys=[HOLDER_KEYS.jwk, HOLDER_KEYS.jwk]),
        attest(attested_keys=[key | {"kid": "same"} for key in KEYS]),
        attest(attested_keys=[HOLDER_KEYS.jwk | {"d": "AA"}]),
        attest(attested_keys=[{"kty": "oct", "k": "AA"}]),
        attest(attested_keys=[{}] * (MAX_ATTESTED_KEYS + 1)),
        attest(key_storage=[]),
        attest(key_storage="iso_18045_high"),
        attest(user_authentication=[7]),
        "a.b",
        "",
    ],
)
def test_any_other_attestation_is_refused(token: str) -> None:
    with pytest.raises((MalformedError, VerificationError)):
        verify(token)


def prove(named: dict[str, Any], *, by: KeyPair = HOLDER_KEYS) -> str:
    head = {"typ": "openid4vci-proof+jwt", "alg": "ES256", **named}
    return sign_jws(head, {"aud": ISSUER, "iat": NOW_SECONDS, "nonce": NONCE}, by.sign)


def check(proof: str) -> HolderKey:
    return verify_key_proof(proof, audience=ISSUER, nonce=NONCE, now=NOW, verify_attestation=verify)


@pytest.mark.parametrize("named", [{"jwk": HOLDER_KEYS.jwk}, {"kid": "0"}])
def test_a_proof_by_an_attested_key_brings_its_attestation(named: dict[str, Any]) -> None:
    key = check(prove({**named, "key_attestation": attest()}))
    assert key.thumbprint == jwk_thumbprint(HOLDER_KEYS.jwk)
    assert key.attestation is not None
    assert len(key.attestation.jwks) == 2


def test_a_key_goes_by_the_name_that_the_attester_gives_it() -> None:
    attestation = attest(attested_keys=[SECOND.jwk, HOLDER_KEYS.jwk | {"kid": "mine"}])
    assert check(prove({"kid": "mine", "key_attestation": attestation})).jwk == HOLDER_KEYS.jwk
    for wrong in ("1", "0", "other"):
        with pytest.raises(InvalidProofError):
            check(prove({"kid": wrong, "key_attestation": attestation}))


@pytest.mark.parametrize(
    ("named", "by"),
    [
        ({"jwk": OTHER.jwk, "key_attestation": attest()}, OTHER),
        ({"jwk": HOLDER_KEYS.jwk, "kid": "0", "key_attestation": attest()}, HOLDER_KEYS),
        ({"kid": "1", "key_attestation": attest()}, HOLDER_KEYS),
        ({"jwk": HOLDER_KEYS.jwk, "key_attestation": attest(by=OTHER)}, HOLDER_KEYS),
        ({"jwk": HOLDER_KEYS.jwk, "key_attestation": attest(exp=None)}, HOLDER_KEYS),
        ({"jwk": HOLDER_KEYS.jwk, "key_attestation": [attest()]}, HOLDER_KEYS),
        ({"jwk": HOLDER_KEYS.jwk, "key_attestation": None}, HOLDER_KEYS),
        ({"jwk": HOLDER_KEYS.jwk, "key_attestation": prove({"jwk": HOLDER_KEYS.jwk})}, HOLDER_KEYS),
    ],
)
def test_a_proof_and_its_attestation_fit_together(named: dict[str, Any], by: KeyPair) -> None:
    with pytest.raises(InvalidProofError):
        check(prove(named, by=by))


def test_where_nobody_is_trusted_attestations_are_passed_over() -> None:
    proof = prove({"jwk": HOLDER_KEYS.jwk, "key_attestation": "not one"})
    assert verify_key_proof(proof, audience=ISSUER, nonce=NONCE, now=NOW).attestation is None


def test_the_leeway_is_a_minute() -> None:
    just = int(timedelta(seconds=59).total_seconds())
    assert verify(attest(exp=NOW_SECONDS - just)).nonce == NONCE
