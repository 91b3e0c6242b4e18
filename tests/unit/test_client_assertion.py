"""``private_key_jwt``: each rule, broken alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.credentials.client_assertion import (
    InvalidAssertionError,
    read_asserted_client,
    verify_client_assertion,
)
from service.credentials.jose import MalformedJoseError, b64url_encode, write_json
from service.credentials.jwk_set import load_jwk_set, select_key
from tests.unit.jose_support import SIGNERS, Signer, new_signer, sign_as_secret

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SERVER = "https://issuer.example/issuers/kyc"
SIGNER = SIGNERS["ES256"]
OTHER = new_signer("ES256")


def at(**parts: float) -> int:
    return int((NOW + timedelta(**parts)).timestamp())


def make(signer: Signer = SIGNER, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"iss": "w", "sub": "w", "aud": SERVER, "exp": at(minutes=2), "iat": at(), "jti": "j-1"} | changes
    return signer.encode({name: value for name, value in claims.items() if value is not None}, **(header or {}))


def verify(assertion: str, *signers: Signer) -> Any:
    keys = [each.key for each in signers or (SIGNER,)]
    return verify_client_assertion(assertion, keys, client_id="w", expected_audience=SERVER, now=NOW)


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
def test_a_fresh_assertion_of_the_client_holds(signer: Signer) -> None:
    assertion = verify(make(signer), signer)
    assert (assertion.jti, assertion.expires_at) == ("j-1", NOW + timedelta(minutes=3))


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt", "application/client-authentication+jwt"])
def test_types_of_then_and_now(typ: str) -> None:
    assert verify(make(header={"typ": typ})).jti == "j-1"


def test_the_audience_may_be_an_array_of_one() -> None:
    assert verify(make(aud=[SERVER])).jti == "j-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{SERVER}/token"},
        {"aud": [SERVER, "https://other.example"]},
        {"aud": None},
        {"aud": SERVER + "/"},
        {"iss": "x"},
        {"sub": "x"},
        {"iss": None},
        {"exp": None},
        {"exp": at(seconds=-60)},
        {"exp": at(minutes=62)},
        {"exp": "soon"},
        {"iat": at(seconds=61)},
        {"nbf": at(seconds=61)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
    ],
    ids=str,
)
def test_a_claim_that_is_off_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidAssertionError) as caught:
        verify(make(**changes))
    assert (caught.value.error, caught.value.status) == ("invalid_client", 401)


@pytest.mark.parametrize(
    "typ", ["dpop+jwt", "at+jwt", "openid4vci-proof+jwt", "oauth-client-attestation-pop+jwt", "kb+jwt", "dc+sd-jwt"]
)
def test_a_token_of_another_type_is_no_assertion(typ: str) -> None:
    with pytest.raises(InvalidAssertionError, match="another type"):
        verify(make(header={"typ": typ}))


def test_only_a_registered_key_counts_whatever_the_header_brings() -> None:
    for header in ({}, {"jwk": OTHER.jwk}, {"kid": "x"}, {"jku": "https://evil.example", "kid": "x"}):
        with pytest.raises(InvalidAssertionError):
            verify(make(OTHER, header=header))


def test_the_algorithm_is_the_keys() -> None:
    header, payload = ({"alg": "none"}, {"sub": "w"})
    unsigned = f"{b64url_encode(write_json(header))}.{b64url_encode(write_json(payload))}."
    claims = {"iss": "w", "sub": "w", "aud": SERVER, "exp": at(minutes=2), "jti": "j-1"}
    secret = sign_as_secret(SIGNER, {"typ": "JWT"}, claims)
    for assertion in (unsigned, secret, make(SIGNERS["ES384"])):
        with pytest.raises(InvalidAssertionError):
            verify(assertion)


def test_several_keys_are_told_apart_by_kid() -> None:
    keys = load_jwk_set({"keys": [SIGNER.jwk | {"kid": "a"}, OTHER.jwk | {"kid": "b"}]})
    assert select_key(keys, "b") is keys[1]
    assert select_key(keys, None) is None
    assert select_key(keys, "c") is None
    assert select_key(keys[:1], None) is keys[0]
    assert select_key(keys[:1], "c") is None
    assert select_key(load_jwk_set({"keys": [SIGNER.jwk]}), "any") is not None


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"keys": []},
        {"keys": ["x"]},
        {"keys": [SIGNER.jwk, OTHER.jwk]},
        {"keys": [SIGNER.jwk | {"kid": "a"}, OTHER.jwk | {"kid": "a"}]},
        {"keys": [SIGNER.jwk | {"kid": str(number)} for number in range(11)]},
        {"keys": [SIGNER.jwk | {"d": "AA"}]},
        {"keys": [SIGNER.jwk | {"use": "enc"}]},
        {"keys": [{"kty": "oct", "k": "AA"}]},
    ],
    ids=range(11),
)
def test_key_sets_that_cannot_be_registered(raw: Any) -> None:
    with pytest.raises(MalformedJoseError):
        load_jwk_set(raw)


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 9000, make(sub=None), make(sub=7)], ids=range(5))
def test_nobody_is_looked_up_for_what_names_nobody(text: str) -> None:
    with pytest.raises(InvalidAssertionError):
        read_asserted_client(text)
