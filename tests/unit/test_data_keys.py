"""Keys of people's data: what opens with them, what does not, and what is lost with what wrapped them."""

from pathlib import Path

import pytest

from service.keys import FileKeystore, KeystoreError
from service.keys.data_key import read_number

PURPOSE = "subject org_1 investor/ada"


@pytest.fixture
def keystore(tmp_path: Path) -> FileKeystore:
    return FileKeystore(tmp_path, "p")


def test_what_one_key_sealed_another_does_not_open(keystore: FileKeystore) -> None:
    first = keystore.open_data_key(keystore.create_data_key(purpose=PURPOSE), purpose=PURPOSE)
    second = keystore.open_data_key(keystore.create_data_key(purpose=PURPOSE), purpose=PURPOSE)
    sealed = first.seal(b"claims", context="standing 1")
    assert b"claims" not in sealed
    assert sealed != first.seal(b"claims", context="standing 1")
    assert first.unseal(sealed, context="standing 1") == b"claims"
    for key, context, content in (
        (second, "standing 1", sealed),
        (first, "standing 2", sealed),
        (first, "standing 1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (first, "standing 1", b""),
    ):
        with pytest.raises(KeystoreError):
            key.unseal(content, context=context)


def test_a_wrapped_key_opens_for_its_subject_only(keystore: FileKeystore, tmp_path: Path) -> None:
    wrapped = keystore.create_data_key(purpose=PURPOSE)
    sealed = keystore.open_data_key(wrapped, purpose=PURPOSE).seal(b"x", context="c")
    again = FileKeystore(tmp_path, "p").open_data_key(wrapped, purpose=PURPOSE)
    assert again.unseal(sealed, context="c") == b"x"
    for purpose, content in ((PURPOSE + "2", wrapped), (PURPOSE, wrapped[:-1]), (PURPOSE, b"")):
        with pytest.raises(KeystoreError):
            keystore.open_data_key(content, purpose=purpose)


def test_the_wrapping_key_is_a_private_file_that_needs_the_passphrase(tmp_path: Path) -> None:
    wrapped = FileKeystore(tmp_path / "a", "p").create_data_key(purpose=PURPOSE)
    [file] = (tmp_path / "a").glob("wrapping-*.key")
    assert file.stat().st_mode & 0o777 == 0o600
    other = FileKeystore(tmp_path / "b", "p")
    (tmp_path / "b" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(KeystoreError):
        other.open_data_key(wrapped, purpose=PURPOSE)


def test_a_key_that_is_wrapped_again_survives_the_old_wrapping_key_and_its_copies_do_not(
    keystore: FileKeystore, tmp_path: Path
) -> None:
    old = keystore.create_data_key(purpose=PURPOSE)
    sealed = keystore.open_data_key(old, purpose=PURPOSE).seal(b"x", context="c")
    assert keystore.rewrap_data_key(old, purpose=PURPOSE) is None
    keystore.create_wrapping_key()
    new = keystore.rewrap_data_key(old, purpose=PURPOSE)
    assert new is not None
    assert (read_number(old), read_number(new)) == (1, 2)
    keystore.destroy_wrapping_key(1)
    assert keystore.list_wrapping_keys() == [2]
    assert keystore.open_data_key(new, purpose=PURPOSE).unseal(sealed, context="c") == b"x"
    for reader in (keystore, FileKeystore(tmp_path, "p")):
        with pytest.raises(KeystoreError):
            reader.open_data_key(old, purpose=PURPOSE)
