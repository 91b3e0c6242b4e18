"""DPoP proofs: each rule, broken alone; and the forms that one address may have."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.dpop import (
    DpopProof,
    InvalidDpopProofError,
    build_dpop_proof,
    hash_access_token,
    verify_dpop_proof,
)
from service.credentials.jose import b64url_encode, jwk_thumbprint, write_json
from tests.unit.jose_support import SIGNERS, Signer, new_signer, sign_as_secret

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "https://issuer.example/issuers/kyc/credential"
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
SIGNER = SIGNERS["ES256"]
OTHER = new_signer("ES256")


def at(**parts: float) -> int:
    return int((NOW + timedelta(**parts)).timestamp())


def make(signer: Signer = SIGNER, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"jti": "j-1", "htm": "POST", "htu": URL, "iat": at(), "ath": hash_access_token(TOKEN)} | changes
    stated = {"typ": "dpop+jwt", "jwk": signer.jwk} | (header or {})
    return signer.encode({name: value for name, value in claims.items() if value is not None}, **stated)


def verify(proof: str, url: str = URL, token: str | None = TOKEN) -> DpopProof:
    return verify_dpop_proof(proof, expected_method="POST", expected_url=url, access_token=token, now=NOW)


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
def test_a_proof_names_its_key_and_what_is_to_be_spent(signer: Signer) -> None:
    proof = verify(make(signer, nonce="n"))
    assert (proof.thumbprint, proof.jti, proof.nonce) == (jwk_thumbprint(signer.jwk), "j-1", "n")
    assert proof.expires_at == NOW + timedelta(minutes=5)


def test_what_we_build_we_take() -> None:
    built = build_dpop_proof(
        SIGNER.jwk,
        method="POST",
        url=URL + "?a=b#c",
        jti="x",
        issued_at=NOW,
        sign=SIGNER.sign,
        nonce="n",
        access_token=TOKEN,
    )
    assert (verify(built).jti, verify(built).nonce) == ("x", "n")


def test_the_hash_is_that_of_rfc_9449() -> None:
    """Section 7.1 shows this token with this ``ath``."""
    assert hash_access_token(TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htu": "https://issuer.example/issuers/kyc/token"},
        {"htu": "https://other.example/issuers/kyc/credential"},
        {"htu": "http://issuer.example/issuers/kyc/credential"},
        {"htu": "https://issuer.example:8443/issuers/kyc/credential"},
        {"htu": "https://issuer.example/Issuers/kyc/credential"},
        {"htu": "https://issuer.example/issuers/kyc/credential/"},
        {"htu": "https://issuer.example/issuers%2Fkyc/credential"},
        {"htu": "https://issuer.example@other.example/issuers/kyc/credential"},
        {"htu": "https://me:it@issuer.example/issuers/kyc/credential"},
        {"htu": "https://issuer.example/issuers/kyc/credential\n"},
        {"htu": "https://issuer.example/issuers/kyc/%"},
        {"htu": "https://issuer.example:x/issuers/kyc/credential"},
        {"htu": "https://[x/"},
        {"htu": "/issuers/kyc/credential"},
        {"htu": 7},
        {"htu": None},
        {"iat": None},
        {"iat": at(seconds=-301)},
        {"iat": at(seconds=61)},
        {"iat": "now"},
        {"iat": float(at())},
        {"exp": at(seconds=-61)},
        {"nbf": at(seconds=61)},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"nonce": 7},
        {"ath": None},
        {"ath": hash_access_token("another")},
        {"ath": TOKEN},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "dpop+jwt+wrongyousee"}},
        {"header": {"typ": "openid4vci-proof+jwt"}},
        {"header": {"jwk": None}},
        {"header": {"jwk": "x"}},
        {"header": {"jwk": OTHER.jwk}},
        {"header": {"jwk": SIGNER.jwk | {"d": "AAAA"}}},
        {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
        {"header": {"jwk": SIGNER.jwk | {"use": "enc"}}},
        {"header": {"jwk": SIGNER.jwk | {"alg": "ES384"}}},
        {"header": {"crit": ["x"], "x": 1}},
    ],
    ids="-".join,
)
def test_a_proof_that_is_off_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidDpopProofError):
        verify(make(**changes))


def test_the_algorithm_is_asymmetric_and_ours() -> None:
    claims = {"jti": "j", "htm": "POST", "htu": URL, "iat": at(), "ath": hash_access_token(TOKEN)}
    header = {"typ": "dpop+jwt", "jwk": SIGNER.jwk}
    unsigned = ".".join(b64url_encode(write_json(part)) for part in (header | {"alg": "none"}, claims)) + "."
    for proof in (unsigned, sign_as_secret(SIGNER, header, claims), "a.b.c", "", "x" * 9000):
        with pytest.raises(InvalidDpopProofError):
            verify(proof)
    with pytest.raises(InvalidDpopProofError, match="alg is not accepted"):
        verify_dpop_proof(
            make(), expected_method="POST", expected_url=URL, access_token=TOKEN, now=NOW, algorithms={"EdDSA"}
        )


def test_a_token_endpoint_asks_for_no_hash() -> None:
    assert verify(make(ath=None), token=None).jti == "j-1"


@pytest.mark.parametrize(
    "htu",
    [
        URL + "?query=1",
        URL + "#fragment",
        "HTTPS://ISSUER.example:443/issuers/kyc/credential",
        "https://issuer.example/issuers/%6b%79%63/credential",
    ],
)
def test_one_address_has_several_spellings(htu: str) -> None:
    assert verify(make(htu=htu)).jti == "j-1"


def test_no_path_is_the_root() -> None:
    assert verify(make(htu="https://issuer.example"), url="https://issuer.example/").jti == "j-1"
    assert verify(make(htu="http://[::1]:80/%c3%a9"), url="http://[::1]/%C3%A9").jti == "j-1"


@given(st.text())
def test_any_text_is_refused_as_an_address_or_as_a_proof(text: str) -> None:
    for proof in (text, make(htu=text.encode("utf-8", "replace").decode())):
        with pytest.raises(InvalidDpopProofError):
            verify(proof)
