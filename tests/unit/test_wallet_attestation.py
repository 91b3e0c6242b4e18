"""Wallet attestations and their proofs: each rule, broken alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.credentials.jose import b64url_encode, write_json
from service.credentials.wallet_attestation import (
    AttestedWallet,
    InvalidAttestationError,
    read_attestation,
    verify_attestation,
    verify_attestation_pop,
)
from tests.unit.jose_support import SIGNERS, Signer, new_signer, sign_as_secret

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SERVER = "https://issuer.example/issuers/kyc"
PROVIDER, INSTANCE, OTHER = new_signer("ES256"), new_signer("ES256"), new_signer("ES256")
WALLET = "https://wallet.example"


def at(**parts: float) -> int:
    return int((NOW + timedelta(**parts)).timestamp())


def _encode(signer: Signer, claims: dict[str, Any], header: dict[str, Any]) -> str:
    return signer.encode({name: value for name, value in claims.items() if value is not None}, **header)


def attest(signer: Signer = PROVIDER, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"sub": WALLET, "iat": at(), "exp": at(days=30), "cnf": {"jwk": INSTANCE.jwk}} | changes
    return _encode(signer, claims, {"typ": "oauth-client-attestation+jwt"} | (header or {}))


def prove(signer: Signer = INSTANCE, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"aud": SERVER, "jti": "p-1", "iat": at()} | changes
    return _encode(signer, claims, {"typ": "oauth-client-attestation-pop+jwt"} | (header or {}))


def verify(attestation: str) -> AttestedWallet:
    return verify_attestation(read_attestation(attestation), PROVIDER.key, now=NOW)


def verify_pop(pop: str) -> Any:
    return verify_attestation_pop(pop, verify(attest()), expected_audience=SERVER, now=NOW)


def test_an_attestation_names_the_wallet_and_the_key_of_its_instance() -> None:
    wallet = verify(
        attest(wallet_name="W", wallet_link="https://wallet.example", iss="https://maker.example", status={})
    )
    assert (wallet.client_id, dict(wallet.key.jwk)) == (WALLET, dict(INSTANCE.key.jwk))


def test_the_instance_may_prove_itself_with_every_kind_of_key() -> None:
    for signer in SIGNERS.values():
        wallet = verify(attest(cnf={"jwk": signer.jwk}))
        assert verify_attestation_pop(prove(signer), wallet, expected_audience=SERVER, now=NOW).jti == "p-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": at(seconds=-60)},
        {"iat": at(seconds=61)},
        {"nbf": at(seconds=61)},
        {"cnf": None},
        {"cnf": {"kid": "x"}},
        {"cnf": {"jwk": INSTANCE.jwk | {"d": "AAAA"}}},
        {"cnf": {"jwk": {"kty": "oct", "k": "AAAA"}}},
        {"cnf": {"jwk": INSTANCE.jwk | {"use": "enc"}}},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "oauth-client-attestation-pop+jwt"}},
        {"signer": OTHER},
        {"signer": OTHER, "header": {"jwk": OTHER.jwk}},
    ],
    ids="-".join,
)
def test_an_attestation_that_is_off_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidAttestationError) as caught:
        verify(attest(**changes))
    assert (caught.value.error, caught.value.status) == ("invalid_client", 401)


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 20_000, attest(sub=None), attest(sub=""), attest(sub=5)])
def test_an_attestation_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidAttestationError):
        read_attestation(text)


def test_an_unsigned_attestation_is_none() -> None:
    parts = ({"alg": "none", "typ": "oauth-client-attestation+jwt"}, {"sub": WALLET})
    with pytest.raises(InvalidAttestationError):
        read_attestation(".".join(b64url_encode(write_json(part)) for part in parts) + ".")


def test_a_proof_says_what_is_to_be_spent_and_compared() -> None:
    pop = verify_pop(prove(challenge="c", aud=[SERVER], iss=WALLET))
    assert (pop.jti, pop.challenge, pop.expires_at) == ("p-1", "c", NOW + timedelta(minutes=6))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{SERVER}/token"},
        {"aud": [SERVER, "https://other.example"]},
        {"aud": None},
        {"jti": None},
        {"jti": ""},
        {"iat": None},
        {"iat": at(seconds=-301)},
        {"iat": at(seconds=61)},
        {"exp": at(seconds=-61)},
        {"challenge": 7},
        {"iss": "https://other.example"},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "dpop+jwt"}},
        {"header": {"typ": "oauth-client-attestation+jwt"}},
        {"signer": OTHER},
        {"signer": PROVIDER},
        {"signer": OTHER, "header": {"jwk": OTHER.jwk}},
    ],
    ids="-".join,
)
def test_a_proof_that_is_off_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidAttestationError):
        verify_pop(prove(**changes))


def test_the_public_key_is_no_secret() -> None:
    claims = {"aud": SERVER, "jti": "p-1", "iat": at()}
    pop = sign_as_secret(INSTANCE, {"typ": "oauth-client-attestation-pop+jwt"}, claims)
    with pytest.raises(InvalidAttestationError):
        verify_pop(pop)
