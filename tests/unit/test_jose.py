"""Compact JWS, JWK, JSON and base64url: what is accepted, and every deviation refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.jose import (
    MAX_NUMERIC_DATE,
    InvalidClaimsError,
    InvalidSignatureError,
    MalformedJoseError,
    b64url_decode,
    b64url_encode,
    check_times,
    load_key,
    parse_json,
    parse_jws,
    sign_jws,
    verify_jws,
    write_der_signature,
)
from service.errors import ServiceError
from tests.unit.jose_support import SIGNERS, Signer, new_signer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ES256 = SIGNERS["ES256"]
CLAIMS = {"iss": "https://issuer.example", "exp": SECONDS + 60}


def token(claims: Any = CLAIMS, *, signer: Signer = ES256, **header: Any) -> str:
    return sign_jws({"alg": signer.alg, "typ": "test+jwt", **header}, claims, signer.sign)


def verify(text: str, signer: Signer = ES256) -> dict[str, Any]:
    return verify_jws(text, signer.key, expected_typ=["test+jwt"])


@pytest.mark.parametrize("alg", SIGNERS)
def test_tokens_of_pyjwt_verify_and_ours_verify_in_pyjwt(alg: str) -> None:
    signer = SIGNERS[alg]
    assert verify(signer.encode(CLAIMS, typ="test+jwt"), signer) == CLAIMS
    options: Any = {"verify_exp": False}
    public: Any = signer.private.public_key()
    assert jwt.decode(token(signer=signer), public, algorithms=[alg], options=options) == CLAIMS


@pytest.mark.parametrize("alg", SIGNERS)
def test_another_key_of_the_same_algorithm_is_refused(alg: str) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(token(signer=SIGNERS[alg]), new_signer(alg))


@pytest.mark.parametrize("alg", SIGNERS)
def test_every_changed_bit_of_the_signature_is_refused(alg: str) -> None:
    signing_input, _, signature = token(signer=SIGNERS[alg]).rpartition(".")
    raw = b64url_decode(signature)
    for position in range(0, len(raw) * 8, 7):
        changed = bytearray(raw)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(InvalidSignatureError):
            verify(f"{signing_input}.{b64url_encode(bytes(changed))}", SIGNERS[alg])


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
def test_unsigned_tokens_are_refused_in_any_case(alg: str) -> None:
    unsigned = sign_jws({"alg": alg, "typ": "test+jwt"}, CLAIMS, lambda _: b"")
    with pytest.raises(MalformedJoseError):
        parse_jws(unsigned)


@pytest.mark.parametrize("alg", ["HS256", "ES384", "EdDSA", "es256", "ES256K", "RS256", ""])
def test_the_header_cannot_choose_the_algorithm(alg: str) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(token(alg=alg))


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_public_key_is_no_hmac_secret(encoding: Encoding) -> None:
    secret = ES256.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    forged = sign_jws({"alg": "HS256", "typ": "test+jwt"}, CLAIMS, lambda text: jwt_hmac(secret, text))
    with pytest.raises(InvalidSignatureError):
        verify(forged)


def jwt_hmac(secret: bytes, signing_input: bytes) -> bytes:
    # HMACAlgorithm.sign skips PyJWT's own guard against PEM secrets, which sits in prepare_key.
    return jwt.get_algorithm_by_name("HS256").sign(signing_input, secret)


def test_the_fully_specified_name_of_ed25519_is_the_same_algorithm() -> None:
    signer = SIGNERS["EdDSA"]
    assert verify(token(signer=signer, alg="Ed25519"), signer) == CLAIMS
    assert load_key({**signer.jwk, "alg": "Ed25519"}).alg == "EdDSA"


@pytest.mark.parametrize("alg", ["ES256", "ES384"])
def test_der_signatures_and_other_lengths_are_refused(alg: str) -> None:
    signing_input, _, signature = token(signer=SIGNERS[alg]).rpartition(".")
    raw = b64url_decode(signature)
    half = len(raw) // 2
    r, s = int.from_bytes(raw[:half]), int.from_bytes(raw[half:])
    for other in (encode_dss_signature(r, s), b"", raw[:-1], raw + b"\0", b"\0" + raw[:half] + b"\0" + raw[half:]):
        with pytest.raises(InvalidSignatureError):
            verify(f"{signing_input}.{b64url_encode(other)}", SIGNERS[alg])


@given(st.sampled_from([32, 48]), st.data())
def test_signatures_are_written_as_openssl_reads_them(size: int, data: st.DataObject) -> None:
    numbers = st.binary(max_size=size).map(lambda short: short.rjust(size, b"\0"))
    r, s = data.draw(numbers), data.draw(numbers)
    assert write_der_signature(r + s) == encode_dss_signature(int.from_bytes(r), int.from_bytes(s))


def test_a_signature_of_zeros_is_refused() -> None:
    with pytest.raises(InvalidSignatureError):
        verify(sign_jws({"alg": "ES256", "typ": "test+jwt"}, CLAIMS, lambda _: bytes(64)))


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True}])
def test_header_extensions_are_refused(header: dict[str, Any]) -> None:
    with pytest.raises(MalformedJoseError):
        verify(token(**header))


@pytest.mark.parametrize("header", [{"typ": 1}, {"typ": None}, {"kid": 7}, {"kid": ["k"]}, {"alg": 5}, {"alg": None}])
def test_header_members_of_other_types_are_refused(header: dict[str, Any]) -> None:
    with pytest.raises(MalformedJoseError):
        verify(token(**header))


def test_an_embedded_key_and_addresses_are_ignored() -> None:
    attacker = new_signer("ES256")
    header: dict[str, Any] = {
        "jwk": attacker.jwk,
        "jku": "https://attacker.example/jwks",
        "x5u": "https://attacker.example/x5u",
    }
    with pytest.raises(InvalidSignatureError):
        verify(token(signer=attacker, **header))
    assert verify(token(**header)) == CLAIMS


@pytest.mark.parametrize("typ", ["test+jwt", "TEST+JWT", "application/test+jwt", "Application/Test+JWT"])
def test_types_compare_as_media_types(typ: str) -> None:
    assert verify(token(typ=typ)) == CLAIMS


@pytest.mark.parametrize("typ", ["kb+jwt", "JWT", "", "text/test+jwt", "application/x/test+jwt", "test+jwt "])
def test_another_type_is_refused(typ: str) -> None:
    with pytest.raises(InvalidClaimsError):
        verify(token(typ=typ))


def test_a_missing_type_is_refused_unless_asked_for() -> None:
    untyped = sign_jws({"alg": "ES256"}, CLAIMS, ES256.sign)
    with pytest.raises(InvalidClaimsError):
        verify(untyped)
    assert verify_jws(untyped, ES256.key, expected_typ=["", "test+jwt"]) == CLAIMS


def test_a_parsed_token_verifies_as_its_text_does() -> None:
    assert verify_jws(parse_jws(token(kid="k-1")), ES256.key, expected_typ=["test+jwt"]) == CLAIMS
    assert parse_jws(token(kid="k-1")).header["kid"] == "k-1"


def test_what_a_caller_does_to_a_header_does_not_reach_the_next_token_with_the_same_one() -> None:
    parse_jws(token()).header["alg"] = "none"
    assert parse_jws(token()).header == {"alg": "ES256", "typ": "test+jwt"}


@pytest.mark.parametrize("payload", [b"[]", b'"text"', b"1", b"null", b"", b"{", b'{"a":1,"a":1}', b'{"exp":1e999}'])
def test_signed_payloads_that_are_no_strict_object_are_refused(payload: bytes) -> None:
    with pytest.raises(MalformedJoseError):
        verify(token(payload))


@pytest.mark.parametrize("header", [b"[]", b"null", b'{"alg":"none","alg":"ES256","typ":"test+jwt"}', b"\xff"])
def test_headers_that_are_no_strict_object_are_refused(header: bytes) -> None:
    signing_input = f"{b64url_encode(header)}.{b64url_encode(json.dumps(CLAIMS).encode())}"
    with pytest.raises(MalformedJoseError):
        verify(f"{signing_input}.{b64url_encode(ES256.sign(signing_input.encode()))}")


def test_misshapen_tokens_are_refused() -> None:
    good = token()
    header, payload, signature = good.split(".")
    for bad in (
        "",
        ".",
        "..",
        header,
        f"{header}.{payload}",
        f"{good}.",
        f".{good}",
        f"{good}.{signature}.{signature}",
        f" {good}",
        f"{good}\n",
        f"{good}=",
        f"{header}=.{payload}.{signature}",
        f"{header}.{payload} .{signature}",
        json.dumps({"payload": payload, "protected": header, "signature": signature}),
    ):
        with pytest.raises(MalformedJoseError):
            verify(bad)


def test_the_surplus_bits_of_the_signature_cannot_be_changed() -> None:
    good = token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(good[-1])  # 64 bytes leave 4 surplus bits
    for surplus in range(1, 16):
        with pytest.raises(MalformedJoseError):
            verify(good[:-1] + alphabet[last + surplus])


def test_long_tokens_are_refused_before_they_are_read() -> None:
    with pytest.raises(MalformedJoseError, match="longer than 65536"):
        parse_jws("a" * 65_537)
    long = token({"pad": "a" * 300_000})
    assert len(verify_jws(parse_jws(long, max_bytes=500_000), ES256.key, expected_typ=["test+jwt"])["pad"]) == 300_000


@given(st.text() | st.from_regex(r"[A-Za-z0-9_.=-]{0,200}", fullmatch=True))
def test_no_text_raises_anything_but_a_service_error(text: str) -> None:
    for read in (verify, parse_json, b64url_decode):
        try:
            read(text)
        except ServiceError as error:
            assert error.code in {"malformed", "invalid_signature", "invalid_claims"}  # noqa: PT017  # success is fine too


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "x5c", "zip"]) | st.text(max_size=3),
        st.sampled_from(["ES256", "none", "test+jwt"]) | st.text() | st.integers() | st.lists(st.text()) | st.none(),
    )
)
def test_no_header_raises_anything_but_a_service_error(header: dict[str, Any]) -> None:
    try:
        verify(token(**header))
    except ServiceError as error:
        assert error.code in {"malformed", "invalid_signature", "invalid_claims"}  # noqa: PT017  # success is fine too


GOOD = token(kid="k-1")


@given(st.integers(0, len(GOOD) - 1), st.characters(), st.sampled_from(["replace", "insert", "delete"]))
def test_a_mutated_token_never_verifies(position: int, character: str, how: str) -> None:
    middle = {"replace": character, "insert": character + GOOD[position], "delete": ""}[how]
    mutated = GOOD[:position] + middle + GOOD[position + 1 :]
    if mutated != GOOD:
        with pytest.raises(ServiceError):
            verify(mutated)


def times(claims: dict[str, Any], *, leeway: int = 10, require_exp: bool = False) -> None:
    check_times(claims, now=NOW, leeway=timedelta(seconds=leeway), require_exp=require_exp)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": SECONDS - 9},
        {"nbf": SECONDS + 10},
        {"iat": SECONDS + 10},
        {"exp": MAX_NUMERIC_DATE, "nbf": 0, "iat": 0},
    ],
)
def test_times_within_the_leeway_hold(claims: dict[str, Any]) -> None:
    times(claims)


@pytest.mark.parametrize("claims", [{"exp": SECONDS - 10}, {"nbf": SECONDS + 11}, {"iat": SECONDS + 11}])
def test_times_past_the_leeway_fail(claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidClaimsError):
        times(claims)


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    [True, False, None, "1900000000", float(SECONDS), SECONDS + 0.5, [], -1, MAX_NUMERIC_DATE + 1, 2**63, 10**400],
)
def test_times_that_are_no_plausible_integer_fail(name: str, value: Any) -> None:
    with pytest.raises(InvalidClaimsError):
        times({name: value})


def test_exp_can_be_required() -> None:
    with pytest.raises(InvalidClaimsError, match="no exp"):
        times({}, require_exp=True)
    times({"exp": SECONDS + 1}, require_exp=True)
