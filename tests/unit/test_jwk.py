"""Public keys: which JWKs are loaded, and their thumbprints."""

import json
from itertools import count
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import import_key

from service.credentials.encryption_key import load_encryption_key
from service.credentials.jose import (
    MalformedJoseError,
    b64url_decode,
    b64url_encode,
    jwk_thumbprint,
    load_key,
)
from service.errors import ServiceError
from tests.unit.jose_support import SIGNERS

ES256 = SIGNERS["ES256"]
POINT = b64url_decode(ES256.jwk["x"]) + b64url_decode(ES256.jwk["y"])


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "e", "n", "kid", "alg", "use", "key_ops"]) | st.text(max_size=3),
        st.sampled_from(["EC", "OKP", "RSA", "P-256", "Ed25519"]) | st.text() | st.integers() | st.lists(st.text()),
    )
)
def test_no_object_raises_anything_but_a_service_error(jwk: dict[str, Any]) -> None:
    for read in (load_key, load_encryption_key, jwk_thumbprint):
        try:
            read(jwk)
        except ServiceError:
            continue


@given(
    st.fixed_dictionaries(
        {"kty": st.sampled_from(["EC", "OKP", "RSA", "oct"]), "crv": st.sampled_from(["P-256", "P-384", "Ed25519"])},
        optional={
            name: st.text() | st.none() | st.binary(max_size=49).map(b64url_encode)
            for name in ("x", "y", "kid", "alg", "use")
        },
    )
)
def test_no_key_material_raises_anything_but_a_service_error(jwk: dict[str, Any]) -> None:
    try:
        assert load_key(jwk).jwk["crv"] == jwk["crv"]
    except ServiceError:
        return


@pytest.mark.parametrize("alg", SIGNERS)
def test_a_loaded_key_holds_its_public_members_only(alg: str) -> None:
    signer = SIGNERS[alg]
    key = load_key(
        {**signer.jwk, "kid": "own", "use": "sig", "key_ops": ["verify"], "alg": alg, "x5c": []}, kid="record"
    )
    assert (key.alg, key.kid, dict(key.jwk)) == (alg, "record", signer.jwk)
    assert load_key({**signer.jwk, "kid": "own"}).kid == "own"
    assert load_key(signer.jwk).kid is None


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"use": None},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"alg": "ES384"},
        {"alg": "HS256"},
        {"alg": ["ES256"]},
        {"kid": 1},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": ["P-256"]},
        {"kty": "OKP"},
        {"kty": "oct"},
        {"x": None},
        {"y": 1},
        {"x": ES256.jwk["x"] + "="},
        {"x": b64url_encode(b"\0" + b64url_decode(ES256.jwk["x"]))},
        {"y": ES256.jwk["x"]},
        {"x": b64url_encode(POINT[:31]), "y": b64url_encode(POINT[31:])},
        {"x": b64url_encode(bytes(32)), "y": b64url_encode(bytes(32))},
        {"x": b64url_encode(b"\xff" * 32)},
        *({name: "AAAA"} for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")),
        {"d": None},
    ],
    ids=count(),  # the keys are new in every run, so their text is no name for a test
)
def test_unfit_keys_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedJoseError):
        load_key({**ES256.jwk, **change})


def test_the_record_and_the_key_must_agree_on_the_algorithm() -> None:
    assert load_key(ES256.jwk, alg="ES256").alg == "ES256"
    with pytest.raises(MalformedJoseError):
        load_key(ES256.jwk, alg="ES384")
    with pytest.raises(MalformedJoseError):
        load_key({**ES256.jwk, "alg": "ES384"}, alg="ES256")


@pytest.mark.parametrize("bits", [1024, 2048])
def test_rsa_keys_are_refused(bits: int) -> None:
    public = rsa.generate_private_key(65_537, bits).public_key()
    jwk = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(public))
    with pytest.raises(MalformedJoseError):
        load_key(jwk)


@pytest.mark.parametrize(
    "point",
    [
        "01" + "00" * 31,
        "01" + "00" * 30 + "80",
        "00" * 32,
        "00" * 31 + "80",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 31,
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "11" * 31,
        "11" * 33,
    ],
)
def test_ed25519_keys_of_small_order_or_wrong_form_are_refused(point: str) -> None:
    with pytest.raises(MalformedJoseError):
        load_key({"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(bytes.fromhex(point))})


def test_a_thumbprint_ignores_all_but_the_key() -> None:
    assert jwk_thumbprint({"kid": "x", **dict(reversed(ES256.jwk.items()))}) == jwk_thumbprint(ES256.jwk)
    assert jwk_thumbprint(ES256.jwk) == import_key(ES256.jwk).thumbprint()


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC", "crv": "P-256", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "\ud800"},
        {"kty": []},
    ],
)
def test_a_thumbprint_needs_a_whole_public_key(jwk: dict[str, Any]) -> None:
    with pytest.raises(MalformedJoseError):
        jwk_thumbprint(jwk)
