"""What witnesses add to a checkpoint: that they saw the log grow from what they saw before, and when.

Source: C2SP tlog-cosignature, the Ed25519 form.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service.credentials.signed_note import (
    MalformedNoteError,
    NoteSignature,
    NoteSignatureError,
    SignedNote,
    VerifierKey,
    find_signatures,
    parse_note,
    parse_vkey,
)

COSIGNATURE_V1 = b"\x04"
_TIMESTAMP_SIZE = 8
_LAST_TIMESTAMP = 253_402_300_799  # the end of the year 9999, after which there are no datetimes


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness: its cosigner key, and the prefix of its addresses without a slash at the end."""

    key: VerifierKey
    url: str


def parse_witness(text: str) -> Witness:
    """Read a verifier key and an address, with a space between them.

    Raises:
        MalformedNoteError: Not of that form, or not the key of a cosigner.
    """
    vkey, _, url = text.strip().partition(" ")
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise MalformedNoteError("Not the address of a witness.")
    return Witness(parse_vkey(vkey, expected_algorithm=COSIGNATURE_V1), url.strip().rstrip("/"))


def _build_message(text: str, timestamp: int) -> bytes:
    """Source: C2SP tlog-cosignature, "Ed25519 signed message"."""
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def cosign(text: str, key: VerifierKey, sign: Callable[[bytes], bytes], *, now: datetime) -> NoteSignature:
    """Return a witness's cosignature.

    Args:
        text: The text of the checkpoint's note, with its last newline.
        key: The public half of the witness's key.
        sign: From a message to its Ed25519 signature.
        now: When the witness signs; aware, counted in whole seconds.
    """
    timestamp = int(now.timestamp())
    signature = timestamp.to_bytes(_TIMESTAMP_SIZE, "big") + sign(_build_message(text, timestamp))
    return NoteSignature(key.name, key.key_id, signature)


def list_missing_witnesses(note: str, witnesses: Sequence[Witness]) -> list[Witness]:
    """Return the witnesses of whom a checkpoint has no signature line; verifies nothing.

    Raises:
        MalformedNoteError: Not a note.
    """
    parsed = parse_note(note.encode())
    return [each for each in witnesses if not find_signatures(parsed, [each.key])]


def verify_cosignature(note: SignedNote, expected_key: VerifierKey) -> datetime:
    """Check that a witness cosigned a checkpoint; return when it says it did.

    Raises:
        NoteSignatureError: It did not, the cosignature is wrong, or it has no time.
    """
    found = next(iter(find_signatures(note, [expected_key])), None)
    if found is None:
        raise NoteSignatureError(f"The checkpoint is not cosigned by {expected_key.name}.")
    timestamp = int.from_bytes(found.signature[:_TIMESTAMP_SIZE], "big")
    if not 0 < timestamp <= _LAST_TIMESTAMP:
        raise NoteSignatureError("The cosignature has no time.")
    try:
        Ed25519PublicKey.from_public_bytes(expected_key.public_key).verify(
            found.signature[_TIMESTAMP_SIZE:], _build_message(note.text, timestamp)
        )
    except InvalidSignature:
        raise NoteSignatureError(f"The cosignature of {expected_key.name} is wrong.") from None
    return datetime.fromtimestamp(timestamp, UTC)
