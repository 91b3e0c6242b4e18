"""Cosignatures of checkpoints, and requests for them."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from service.credentials.cosignature import (
    COSIGNATURE_V1,
    cosign,
    list_missing_witnesses,
    parse_witness,
    verify_cosignature,
)
from service.credentials.signed_note import (
    MalformedNoteError,
    NoteSignature,
    NoteSignatureError,
    VerifierKey,
    format_signature,
    format_vkey,
    parse_note,
    parse_vkey,
    sign_note,
)
from service.credentials.tlog_witness import (
    AddCheckpoint,
    MalformedWitnessRequestError,
    format_add_checkpoint,
    parse_add_checkpoint,
)

LOG_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = VerifierKey("example.com/behind-the-sofa", LOG_PRIVATE.public_key().public_bytes_raw())
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEY = VerifierKey("witness.example.com/w1", PRIVATE.public_key().public_bytes_raw(), COSIGNATURE_V1)
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
NOW = datetime(2023, 3, 17, 12, 25, 47, tzinfo=UTC)
NOTE = sign_note(TEXT, LOG, LOG_PRIVATE.sign)

# C2SP tlog-witness, "add-checkpoint": the example of a request's body.
SPEC_REQUEST = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501 - as it is there


def cosigned(signature: NoteSignature | None = None) -> bytes:
    return (NOTE + format_signature(signature or cosign(TEXT, KEY, PRIVATE.sign, now=NOW))).encode()


def test_what_is_signed_is_what_the_specification_shows() -> None:
    signature = cosign(TEXT, KEY, lambda message: message, now=NOW)
    assert signature.signature[8:].decode().splitlines() == [
        "cosignature/v1",
        "time 1679055947",
        *TEXT.splitlines(),
    ]
    assert signature.signature[:8] == (1679055947).to_bytes(8, "big")


def test_a_cosignature_says_when() -> None:
    assert verify_cosignature(parse_note(cosigned()), KEY) == NOW


def test_a_cosigner_is_not_the_note_key_of_the_same_bytes() -> None:
    assert parse_vkey(format_vkey(KEY), expected_algorithm=COSIGNATURE_V1) == KEY
    with pytest.raises(MalformedNoteError):
        parse_vkey(format_vkey(KEY))
    with pytest.raises(MalformedNoteError):
        parse_vkey(format_vkey(LOG), expected_algorithm=COSIGNATURE_V1)
    assert VerifierKey(KEY.name, KEY.public_key).key_id != KEY.key_id


def test_a_cosignature_that_is_missing_or_changed_is_refused() -> None:
    with pytest.raises(NoteSignatureError, match="not cosigned"):
        verify_cosignature(parse_note(NOTE.encode()), KEY)
    made = cosign(TEXT, KEY, PRIVATE.sign, now=NOW).signature
    later = (int(NOW.timestamp()) + 1).to_bytes(8, "big") + made[8:]
    flipped = made[:-1] + bytes([made[-1] ^ 1])
    for changed in (later, flipped, made[:8], made + b"x"):
        with pytest.raises(NoteSignatureError, match="wrong"):
            verify_cosignature(parse_note(cosigned(NoteSignature(KEY.name, KEY.key_id, changed))), KEY)
    with pytest.raises(NoteSignatureError, match="wrong"):
        verify_cosignature(parse_note(cosigned().replace(b"20852163", b"20852164")), KEY)


@pytest.mark.parametrize("timestamp", [0, 2**63, 2**64 - 1, 253_402_300_800])
def test_a_cosignature_without_a_time_is_refused(timestamp: int) -> None:
    message = f"cosignature/v1\ntime {timestamp}\n{TEXT}".encode()
    signature = timestamp.to_bytes(8, "big") + PRIVATE.sign(message)
    with pytest.raises(NoteSignatureError, match="no time"):
        verify_cosignature(parse_note(cosigned(NoteSignature(KEY.name, KEY.key_id, signature))), KEY)


def test_a_witness_is_a_key_and_an_address() -> None:
    witness = parse_witness(f" {format_vkey(KEY)} https://witness.example.com/w1/ ")
    assert (witness.key, witness.url) == (KEY, "https://witness.example.com/w1")
    assert list_missing_witnesses(NOTE, [witness]) == [witness]
    assert list_missing_witnesses(cosigned().decode(), [witness]) == []
    for wrong in ("", format_vkey(KEY), f"{format_vkey(LOG)} https://w.example", "x https://w.example"):
        with pytest.raises(MalformedNoteError):
            parse_witness(wrong)
    for url in ("ftp://w.example", "https://", "https://w.example?x", "https://w.example#x", "http://[half", "w"):
        with pytest.raises(MalformedNoteError):
            parse_witness(f"{format_vkey(KEY)} {url}")


def test_the_request_of_the_specification_is_read() -> None:
    request = parse_add_checkpoint(SPEC_REQUEST.encode())
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert parse_note(request.note).text == TEXT
    assert format_add_checkpoint(request.old_size, request.proof, request.note.decode()) == SPEC_REQUEST.encode()


@given(st.integers(0, 2**60), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_a_request_is_read_as_it_is_written(old_size: int, proof: list[bytes]) -> None:
    body = format_add_checkpoint(old_size, proof, NOTE)
    assert parse_add_checkpoint(body) == AddCheckpoint(old_size, tuple(proof), NOTE.encode())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 1",
        "old 01\n\n",
        "old -1\n\n",
        "old x\n\n",
        "new 1\n\n",
        "old 1\nAAAA\n\n",
        "old 1\n" + "A" * 43 + "B\n\n",
        "old 1\n!\n\n",
        "old 1\n" + (base64.b64encode(bytes(32)).decode() + "\n") * 64 + "\n",
    ],
)
def test_what_is_no_request_is_refused(body: str) -> None:
    with pytest.raises(MalformedWitnessRequestError):
        parse_add_checkpoint(body.encode())
