"""Encrypted responses: only our profile opens, and nothing is inflated."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey

from service.errors import ServiceError
from service.keys.jwe import ENCRYPTION_METHODS, MAX_TOKEN_BYTES, DecryptionError, EncryptionError, decrypt, encrypt

KEY = ECKey.generate_key("P-256")
PRIVATE, PUBLIC = KEY.as_dict(private=True), KEY.as_dict(private=False)
MAX_BYTES = 4096


def _encrypt_freely(plaintext: bytes, **header: str) -> str:
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "ECDH-ES+A128KW", "A128GCM", "A128CBC-HS256", "DEF"])
    protected = {"alg": "ECDH-ES", "enc": "A128GCM"} | header
    return jwe.encrypt_compact(protected, plaintext, KEY, registry=registry)


@pytest.mark.parametrize("method", ENCRYPTION_METHODS)
def test_what_is_encrypted_to_us_opens(method: str) -> None:
    token = encrypt(b"answer", PUBLIC, method=method)
    assert decrypt(token, PRIVATE, max_bytes=MAX_BYTES) == b"answer"


def test_the_free_hand_makes_what_opens() -> None:
    assert decrypt(_encrypt_freely(b"answer"), PRIVATE, max_bytes=MAX_BYTES) == b"answer"


@pytest.mark.parametrize("header", [{"alg": "ECDH-ES+A128KW"}, {"enc": "A128CBC-HS256"}, {"zip": "DEF"}])
def test_other_profiles_are_refused(header: dict[str, str]) -> None:
    with pytest.raises(DecryptionError):
        decrypt(_encrypt_freely(b"answer", **header), PRIVATE, max_bytes=MAX_BYTES)


def test_a_compressed_bomb_is_not_inflated() -> None:
    bomb = _encrypt_freely(b"\0" * 200_000, zip="DEF")
    assert len(bomb) < 1000
    with pytest.raises(DecryptionError):
        decrypt(bomb, PRIVATE, max_bytes=MAX_BYTES)


@pytest.mark.parametrize("size", [MAX_BYTES + 1, MAX_TOKEN_BYTES])
def test_large_messages_are_refused(size: int) -> None:
    with pytest.raises(DecryptionError):
        decrypt(encrypt(b"a" * size, PUBLIC, method="A128GCM"), PRIVATE, max_bytes=MAX_BYTES)


def test_a_message_may_be_as_large_as_the_caller_allows() -> None:
    plaintext = b"a" * 256 * 1024
    assert decrypt(encrypt(plaintext, PUBLIC, method="A128GCM"), PRIVATE, max_bytes=len(plaintext)) == plaintext


def test_a_message_for_another_key_does_not_open() -> None:
    other = ECKey.generate_key("P-256").as_dict(private=False)
    with pytest.raises(DecryptionError):
        decrypt(encrypt(b"answer", other, method="A128GCM"), PRIVATE, max_bytes=MAX_BYTES)


@given(st.text(max_size=200))
def test_no_text_raises_anything_else(token: str) -> None:
    with pytest.raises(ServiceError):
        decrypt(token, PRIVATE, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    "changes", [{"y": PUBLIC["x"]}, {"crv": "P-521"}, {"kty": "OKP"}, {"x": "%"}, {"x": None}, {"y": 1}]
)
def test_a_recipient_key_that_is_none_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(EncryptionError):
        encrypt(b"answer", json.loads(json.dumps(PUBLIC | changes)), method="A128GCM")


@pytest.mark.parametrize("name", ["kty", "crv", "x", "y"])
def test_a_recipient_key_that_lacks_a_member_is_refused(name: str) -> None:
    with pytest.raises(EncryptionError):
        encrypt(b"answer", {member: value for member, value in PUBLIC.items() if member != name}, method="A128GCM")
