"""The files of a deployment: damaged ones are said to be, and nobody but the owner may read any."""

from pathlib import Path
from stat import S_IMODE

import pytest

from service.composition import build_signer
from service.keys import FileKeystore
from service.keys.files import PassphraseFileError, read_or_create_passphrase
from service.keys.jwe import encrypt
from service.keys.keystore import KeystoreError, UnknownKeyError
from service.settings import Settings


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"salt": 1, "check": 2}', b"\xff\xfe"])
def test_a_damaged_header_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keystore.json").write_bytes(content)
    with pytest.raises(KeystoreError, match=r"keystore\.json is damaged"):
        FileKeystore(tmp_path, "passphrase")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_damaged_passphrase_file_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "passphrase").write_bytes(content)
    with pytest.raises(PassphraseFileError):
        read_or_create_passphrase(tmp_path / "passphrase")


@pytest.mark.parametrize("content", [b"", b"short", bytes(200)])
def test_a_damaged_key_is_said_to_be(tmp_path: Path, content: bytes) -> None:
    kid = FileKeystore(tmp_path, "passphrase").create_key("ES256").kid
    (tmp_path / f"{kid}.key").write_bytes(content)
    with pytest.raises(KeystoreError):
        FileKeystore(tmp_path, "passphrase").signing_function(kid)


@pytest.mark.parametrize("passphrase", [None, "given in the environment"])
def test_only_the_owner_reads_what_was_made(tmp_path: Path, passphrase: str | None) -> None:
    data = tmp_path / "new" / "data"
    build_signer(Settings(data_dir=data, key_passphrase=passphrase, _env_file=None)).create_key("EdDSA")
    assert S_IMODE(data.stat().st_mode) == S_IMODE((data / "keys").stat().st_mode) == 0o700
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert len(files) == 2 + (passphrase is None)


def test_a_key_that_decrypts_signs_nothing_and_the_other_way_round(tmp_path: Path) -> None:
    keystore = FileKeystore(tmp_path, "passphrase")
    decrypting, signing = keystore.create_key("ECDH-ES"), keystore.create_key("ES256")
    token = encrypt(b"hello", {**decrypting.jwk, "kid": decrypting.kid}, method="A128GCM")
    assert keystore.decrypt_jwe_with(decrypting.kid, token, max_bytes=5) == b"hello"
    with pytest.raises(KeystoreError):
        keystore.signing_function(decrypting.kid)
    with pytest.raises(KeystoreError):
        keystore.decrypt_jwe_with(signing.kid, token, max_bytes=5)
    with pytest.raises(UnknownKeyError):
        keystore.decrypt_jwe_with("other", token, max_bytes=5)
