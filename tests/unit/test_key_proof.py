"""Key proofs: a wallet shows that it holds the key, to this issuer, with this nonce, now."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.jose import b64url_encode, jwk_thumbprint, parse_jws, sign_jws, write_json
from service.credentials.key_proof import (
    HolderKey,
    InvalidNonceError,
    InvalidProofError,
    build_key_proof,
    verify_key_proof,
)
from service.errors import VerificationError
from tests.unit.sd_jwt_support import HOLDER_KEYS, ISSUER, NOW, NOW_SECONDS, KeyPair, new_key_pair

NONCE = "LarRGSbmUPYtRYO6BQ4yn8"
DID_KEY, DID_JWK = did_key_from_jwk(HOLDER_KEYS.jwk), did_jwk_from_jwk(HOLDER_KEYS.jwk)
BY_JWK = {"jwk": HOLDER_KEYS.jwk}
OTHER_KEYS = new_key_pair()


def make_proof(
    named: dict[str, Any] | None = None,
    *,
    keys: KeyPair = HOLDER_KEYS,
    header: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Sign any proof; a change to ``None`` takes a claim away."""
    head = {"typ": "openid4vci-proof+jwt", "alg": "ES256", **(BY_JWK if named is None else named), **(header or {})}
    claims = {"aud": ISSUER, "iat": NOW_SECONDS, "nonce": NONCE, **changes}
    return sign_jws(head, {name: value for name, value in claims.items() if value is not None}, keys.sign)


def verify(proof: str, **options: Any) -> HolderKey:
    return verify_key_proof(proof, **{"audience": ISSUER, "nonce": NONCE, "now": NOW, **options})


def assert_refused(proof: str, error: type[VerificationError] = InvalidProofError, **options: Any) -> None:
    with pytest.raises(error) as caught:
        verify(proof, **options)
    assert type(caught.value) is error


@pytest.mark.parametrize("client_id", [None, "wallet"])
def test_proof_of_our_wallet_is_accepted(client_id: str | None) -> None:
    proof = build_key_proof(
        HOLDER_KEYS.jwk | {"kid": "mine"},
        audience=ISSUER,
        nonce=NONCE,
        issued_at=NOW,
        sign=HOLDER_KEYS.sign,
        client_id=client_id,
    )

    assert parse_jws(proof).header.keys() == {"typ", "alg", "jwk"}
    assert verify(proof, client_id=client_id) == HolderKey(
        HOLDER_KEYS.jwk, "ES256", jwk_thumbprint(HOLDER_KEYS.jwk), NONCE
    )


@pytest.mark.parametrize("kid", [f"{DID_KEY}#{DID_KEY.removeprefix('did:key:')}", f"{DID_JWK}#0"])
def test_key_may_be_named_by_a_self_contained_did(kid: str) -> None:
    assert verify(make_proof({"kid": kid})).jwk == HOLDER_KEYS.jwk
    assert_refused(make_proof({"kid": kid}, keys=OTHER_KEYS))


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"jwk": HOLDER_KEYS.jwk, "kid": f"{DID_JWK}#0"},
        {"jwk": HOLDER_KEYS.jwk, "x5c": ["MIIB"]},
        {"kid": f"{DID_JWK}#0", "x5c": ["MIIB"]},
        {"x5c": ["MIIB"]},
        {"jwk": "x"},
        {"jwk": None},
        {"jwk": {}},
        {"jwk": HOLDER_KEYS.private_jwk},
        {"jwk": {**HOLDER_KEYS.jwk, "use": "enc"}},
        {"jwk": {**HOLDER_KEYS.jwk, "crv": "P-384"}},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
        {"kid": 1},
        {"kid": "key-1"},
        {"kid": DID_KEY},
        {"kid": f"{DID_JWK}#1"},
        {"kid": "did:web:wallet.example#key-1"},
        {"kid": "did:key:z6Mk#z6Mk"},
        {"kid": "did:jwk:e30#0"},
        {"kid": "did:jwk:" + b64url_encode(write_json(HOLDER_KEYS.private_jwk)) + "#0"},
        {"jku": "https://wallet.example/jwks"},
    ],
)
def test_header_names_exactly_one_public_key(named: dict[str, Any]) -> None:
    assert_refused(make_proof(named))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "kb+jwt"},
        {"typ": ""},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "es256"},
        {"alg": ["ES256"]},
        {"crit": ["exp"]},
    ],
)
def test_type_and_algorithm_are_ours(header: dict[str, Any]) -> None:
    assert_refused(make_proof(header=header))


def test_issuer_may_accept_fewer_algorithms() -> None:
    assert_refused(make_proof(), algorithms={"ES384"})


def test_proof_is_signed_by_the_named_key() -> None:
    assert_refused(make_proof(keys=OTHER_KEYS))


@pytest.mark.parametrize(
    "audience", [None, "", ISSUER + "/", ISSUER.upper(), [], ["https://other.example"], [ISSUER, "x"], [[ISSUER]], 1]
)
def test_proof_for_another_issuer_is_refused(audience: Any) -> None:
    assert_refused(make_proof(aud=audience))


def test_audience_may_be_an_array_of_us_alone() -> None:
    assert verify(make_proof(aud=[ISSUER]))


def test_client_is_the_one_of_the_access_token() -> None:
    assert verify(make_proof(iss="wallet"), client_id="wallet")
    assert verify(make_proof(), client_id="wallet")
    assert_refused(make_proof(iss="thief"), client_id="wallet")
    assert_refused(make_proof(iss=["wallet"]), client_id="wallet")
    assert_refused(make_proof(iss="wallet"), client_id=None)
    null_issuer = sign_jws(
        {"typ": "openid4vci-proof+jwt", "alg": "ES256", **BY_JWK},
        {"aud": ISSUER, "iat": NOW_SECONDS, "nonce": NONCE, "iss": None},
        HOLDER_KEYS.sign,
    )
    assert_refused(null_issuer, client_id=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": None},
        {"iat": NOW_SECONDS - 301},
        {"iat": NOW_SECONDS + 61},
        {"iat": str(NOW_SECONDS)},
        {"iat": True},
        {"exp": NOW_SECONDS - 60},
        {"nbf": NOW_SECONDS + 61},
    ],
)
def test_proof_must_be_recent(changes: dict[str, Any]) -> None:
    assert_refused(make_proof(**changes))


@pytest.mark.parametrize("seconds", [-300, 60])
def test_proof_within_the_window_is_accepted(seconds: int) -> None:
    assert verify(make_proof(iat=NOW_SECONDS + seconds))
    assert_refused(make_proof(iat=NOW_SECONDS + seconds), max_age=timedelta(seconds=10), leeway=timedelta(seconds=10))


@pytest.mark.parametrize("nonce", [None, 1, [NONCE], True])
def test_proof_without_a_nonce_is_an_invalid_proof(nonce: Any) -> None:
    assert_refused(make_proof(nonce=nonce))
    assert_refused(make_proof(nonce=nonce), nonce=None)


@pytest.mark.parametrize("nonce", ["", NONCE[:-1], NONCE.upper(), "ü"])
def test_other_nonce_is_an_invalid_nonce(nonce: str) -> None:
    assert_refused(make_proof(nonce=nonce), InvalidNonceError)


def test_nonce_is_reported_only_if_all_else_holds() -> None:
    assert_refused(make_proof(nonce="other", aud="other"))
    assert_refused(make_proof(nonce="other", keys=OTHER_KEYS))


def test_caller_may_look_the_nonce_up() -> None:
    assert verify(make_proof(nonce="one of many"), nonce=None).nonce == "one of many"


def test_unknown_parts_are_ignored() -> None:
    assert verify(make_proof(header={"key_attestation": "x", "x": 1}, jti="x", extra={"a": 1}))


@given(st.text() | st.text(alphabet="ab.-_"))
def test_any_text_is_refused_cleanly(text: str) -> None:
    assert_refused(text)


@given(
    st.dictionaries(
        st.sampled_from(["jwk", "kid", "x5c", "typ", "alg"]), st.integers() | st.text(alphabet="a:#"), min_size=1
    )
)
def test_any_header_is_refused_cleanly(header: dict[str, Any]) -> None:
    assert_refused(make_proof(header=header))
