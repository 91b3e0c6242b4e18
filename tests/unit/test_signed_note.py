"""Signed notes and checkpoints, with notes that others published."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.credentials.signed_note import (
    Checkpoint,
    MalformedNoteError,
    NoteSignatureError,
    VerifierKey,
    format_checkpoint,
    format_vkey,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    sign_note,
    verify_note,
)

# C2SP signed-note, "Example".
SPEC_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# Documentation of golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# The key that the go command trusts for sum.golang.org.
SUMDB_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey("log.example/a", PRIVATE.public_key().public_bytes_raw())
OTHER_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = VerifierKey("log.example/b", OTHER_PRIVATE.public_key().public_bytes_raw())
CHECKPOINT = Checkpoint("log.example/a", 300, bytes(range(32)))


def signed(text: str | None = None) -> bytes:
    return sign_note(text or format_checkpoint(CHECKPOINT), KEY, PRIVATE.sign).encode()


@pytest.mark.parametrize(("vkey", "note"), [(SPEC_VKEY, SPEC_NOTE), (GO_VKEY, GO_NOTE)])
def test_notes_of_others_verify(vkey: str, note: str) -> None:
    verify_note(parse_note(note.encode()), [parse_vkey(vkey)])
    with pytest.raises(NoteSignatureError, match="wrong"):
        verify_note(parse_note(note.replace("is", "was", 1).encode()), [parse_vkey(vkey)])


@pytest.mark.parametrize("vkey", [SPEC_VKEY, GO_VKEY, SUMDB_VKEY])
def test_verifier_keys_are_written_as_they_are_read(vkey: str) -> None:
    assert format_vkey(parse_vkey(vkey)) == vkey


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+530d903a",
        SPEC_VKEY.replace("530d903a", "530d903b"),
        SPEC_VKEY.replace("530d903a", "530D903A"),
        SPEC_VKEY.replace("/foo", "/bar"),
        SPEC_VKEY.replace("example.com/foo", "example com"),
        SPEC_VKEY + "=",
        SPEC_VKEY[:-4],
        SPEC_VKEY + "\n",
        "example.com/foo+530d903a+" + base64.b64encode(b"\x02" + bytes(32)).decode(),
    ],
)
def test_other_verifier_keys_are_refused(vkey: str) -> None:
    with pytest.raises(MalformedNoteError):
        parse_vkey(vkey)


def test_a_checkpoint_is_opened_with_the_key_of_its_log() -> None:
    assert open_checkpoint(signed(), [KEY]) == CHECKPOINT
    assert open_checkpoint(signed(), [OTHER, KEY]) == CHECKPOINT


def test_a_checkpoint_in_the_form_of_the_specification() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert format_checkpoint(parse_checkpoint(text)) == text
    assert parse_checkpoint(text + "an extension\n").size == 20852163


def test_signatures_of_unknown_keys_are_ignored_and_do_not_count() -> None:
    text = format_checkpoint(CHECKPOINT)
    line = sign_note(text, OTHER, OTHER_PRIVATE.sign).removeprefix(text + "\n")
    assert open_checkpoint(signed() + line.encode(), [KEY]) == CHECKPOINT
    with pytest.raises(NoteSignatureError, match="known key"):
        open_checkpoint(text.encode() + b"\n" + line.encode(), [KEY])
    same_name = VerifierKey(KEY.name, OTHER.public_key)
    with pytest.raises(NoteSignatureError, match="known key"):
        open_checkpoint(signed(), [same_name])


def test_a_wrong_signature_of_a_known_key_spoils_the_note() -> None:
    line = sign_note("else\n", KEY, PRIVATE.sign).removeprefix("else\n\n")
    with pytest.raises(NoteSignatureError, match="wrong"):
        open_checkpoint(signed() + line.encode(), [KEY])


def test_a_checkpoint_of_another_origin_is_refused() -> None:
    text = format_checkpoint(Checkpoint("log.example/b", 1, bytes(32)))
    with pytest.raises(NoteSignatureError, match="another log"):
        open_checkpoint(signed(text), [KEY])


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note[:-1],
        lambda note: note.replace(b"\n\n", b"\n"),
        lambda note: note + b"\n",
        lambda note: note.replace("—".encode(), b"-"),
        lambda note: note.replace(b"\n300\n", b"\n300\r\n"),
        lambda note: note.replace(b"\n300\n", b"\n\x00300\n"),
        lambda note: note.replace(b"log.example/a ", b"log.example+a "),
        lambda note: b"\xff" + note,
        lambda note: note.replace("— log.example/a ".encode(), "— ".encode()),
        lambda note: note + "— a AAAA\n".encode(),
        lambda note: note + "— a !!!!!!!!\n".encode(),
        lambda note: note + "— a AAAAAAAAAAA\n".encode(),
        lambda note: note + "— a AAAAAAAAAA==\n".encode() * 64,
        lambda note: b"x" * 70_000 + note,
        lambda note: b"",
    ],
)
def test_what_is_no_signed_note_is_refused(change: object) -> None:
    with pytest.raises(MalformedNoteError):
        parse_note(change(signed()))  # type: ignore[operator]  # a lambda of the list above


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\n",
        "a\n1\n",
        "a\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n٣\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n1\nAAAA\n",
        "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "a\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nx\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(MalformedNoteError):
        parse_checkpoint(text)
