"""Signed notes with Ed25519, and the note that is a log's checkpoint.

Source: C2SP signed-note; C2SP tlog-checkpoint.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service.credentials.merkle import HASH_SIZE
from service.errors import MalformedError, VerificationError

ED25519 = b"\x01"
LARGEST_NOTE = 64 * 1024
MOST_SIGNATURES = 64
_KEY_ID_SIZE = 4
_PUBLIC_KEY_SIZE = 32
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)")
_DASH = "\N{EM DASH}"


class MalformedNoteError(MalformedError):
    """Text that is no signed note, checkpoint or verifier key."""

    code = "malformed"


class NoteSignatureError(VerificationError):
    """No signature by the key that is asked for, or a wrong one."""

    code = "note_signature_invalid"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A name, an Ed25519 public key, 32 bytes, and what it signs: notes, or cosignatures of checkpoints."""

    name: str
    public_key: bytes
    algorithm: bytes = ED25519

    @property
    def key_id(self) -> bytes:
        """Four bytes that lead from a signature to its key.

        Source: C2SP signed-note, "Ed25519 signatures".
        """
        return hashlib.sha256(self.name.encode() + b"\n" + self.algorithm + self.public_key).digest()[:_KEY_ID_SIZE]


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text, which ends in a newline, and its signatures. Nothing of it counts before ``verify_note``."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log."""

    origin: str
    size: int
    root: bytes


def _decode_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedNoteError("Not base64.") from None
    if base64.b64encode(data).decode() != text:
        raise MalformedNoteError("Not canonical base64.")
    return data


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(c.isspace() or ord(c) < 0x20 for c in text)


def format_vkey(key: VerifierKey) -> str:
    """Return a verifier key as text.

    Source: C2SP signed-note, "Verifier keys".
    """
    return f"{key.name}+{key.key_id.hex()}+{base64.b64encode(key.algorithm + key.public_key).decode()}"


def parse_vkey(text: str, *, expected_algorithm: bytes = ED25519) -> VerifierKey:
    """Read a verifier key.

    Raises:
        MalformedNoteError: Not of that form, of another algorithm, or its key id is not its own.
    """
    match = _VKEY.fullmatch(text)
    if match is None or not _is_name(match[1]):
        raise MalformedNoteError("Not a verifier key.")
    material = _decode_base64(match[3])
    if material[:1] != expected_algorithm or len(material) != 1 + _PUBLIC_KEY_SIZE:
        raise MalformedNoteError("The verifier key is of another algorithm.")
    key = VerifierKey(match[1], material[1:], expected_algorithm)
    if key.key_id.hex() != match[2]:
        raise MalformedNoteError("The verifier key's id does not fit its key.")
    return key


def sign_note(text: str, key: VerifierKey, sign: Callable[[bytes], bytes]) -> str:
    """Return the signed note.

    Args:
        text: Ends in a newline.
        key: The public half of the key that signs.
        sign: From a message to its Ed25519 signature.
    """
    return f"{text}\n" + format_signature(NoteSignature(key.name, key.key_id, sign(text.encode())))


def format_signature(signature: NoteSignature) -> str:
    """Return a signature line with its newline.

    Source: C2SP signed-note, "Format".
    """
    return f"{_DASH} {signature.name} {base64.b64encode(signature.key_id + signature.signature).decode()}\n"


def parse_note(data: bytes) -> SignedNote:
    """Take a note apart; verifies nothing.

    Raises:
        MalformedNoteError: Too large, not UTF-8, control characters, no signature, or a line that is none.

    Source: C2SP signed-note, "Format".
    """
    if len(data) > LARGEST_NOTE:
        raise MalformedNoteError("The note is too large.")
    try:
        note = data.decode()
    except UnicodeDecodeError:
        raise MalformedNoteError("The note is not UTF-8.") from None
    if any(ord(c) < 0x20 and c != "\n" for c in note):
        raise MalformedNoteError("The note holds control characters.")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise MalformedNoteError("The note is not signed.")
    lines = signatures[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise MalformedNoteError("The note has too many signatures.")
    return SignedNote(text + "\n", tuple(map(_parse_signature, lines)))


def _parse_signature(line: str) -> NoteSignature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != _DASH or not _is_name(name):
        raise MalformedNoteError("Not a signature line.")
    data = _decode_base64(encoded)
    if len(data) <= _KEY_ID_SIZE:
        raise MalformedNoteError("The signature is too short.")
    return NoteSignature(name, data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:])


def find_signatures(note: SignedNote, keys: Iterable[VerifierKey]) -> list[NoteSignature]:
    """Return the signature lines of a note that name one of the keys; verifies nothing."""
    wanted = {(key.name, key.key_id) for key in keys}
    return [each for each in note.signatures if (each.name, each.key_id) in wanted]


def verify_note(note: SignedNote, expected_keys: Iterable[VerifierKey]) -> None:
    """Check the signatures of the keys that are trusted; those of others are ignored.

    Raises:
        NoteSignatureError: None of them signed, or one of their signatures is wrong.

    Source: C2SP signed-note, "Signatures".
    """
    keys = {(key.name, key.key_id): key for key in expected_keys}
    signed = False
    for each in note.signatures:
        key = keys.get((each.name, each.key_id))
        if key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public_key).verify(each.signature, note.text.encode())
        except InvalidSignature:
            raise NoteSignatureError("The note's signature is wrong.") from None
        signed = True
    if not signed:
        raise NoteSignatureError(
            "The note is not signed by a known key. After a rotation, name the log's new key once: --vkey."
        )


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the text of a checkpoint, to be signed.

    Source: C2SP tlog-checkpoint, "Note text".
    """
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; extension lines are let pass and ignored.

    Raises:
        MalformedNoteError: Not of that form.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _SIZE.fullmatch(lines[1]):
        raise MalformedNoteError("Not a checkpoint.")
    root = _decode_base64(lines[2])
    if len(root) != HASH_SIZE:
        raise MalformedNoteError("The checkpoint's root hash has another length.")
    return Checkpoint(lines[0], int(lines[1]), root)


def open_checkpoint(data: bytes, expected_keys: Iterable[VerifierKey]) -> Checkpoint:
    """Read a signed checkpoint and check that the log itself signed it.

    Raises:
        MalformedNoteError, NoteSignatureError: See ``parse_note``, ``verify_note``, ``parse_checkpoint``.
    """
    note = parse_note(data)
    keys = list(expected_keys)
    verify_note(note, keys)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin not in {key.name for key in keys}:
        raise NoteSignatureError("The checkpoint is that of another log.")
    return checkpoint
