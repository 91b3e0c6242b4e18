"""What a log sends to a witness.

Source: C2SP tlog-witness, "add-checkpoint".
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.credentials.merkle import HASH_SIZE
from service.errors import MalformedError

MOST_PROOF_LINES = 63
_OLD_SIZE = re.compile(rb"old (0|[1-9][0-9]{0,18})")


class MalformedWitnessRequestError(MalformedError):
    """Not the body of a request to a witness."""

    code = "malformed"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request for a cosignature.

    Attributes:
        old_size: Size of the checkpoint that the witness is believed to have cosigned last; 0 for none.
        proof: Consistency proof from there.
        note: The new checkpoint, a signed note.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


def format_add_checkpoint(old_size: int, proof: Sequence[bytes], note: str) -> bytes:
    """Return the body of the request."""
    lines = [f"old {old_size}", *(base64.b64encode(each).decode() for each in proof)]
    return ("\n".join(lines) + f"\n\n{note}").encode()


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read the body of the request; the note is not looked into.

    Raises:
        MalformedWitnessRequestError: Not of that form.
    """
    head, separator, note = body.partition(b"\n\n")
    first, *hashes = head.split(b"\n")
    match = _OLD_SIZE.fullmatch(first)
    if not separator or match is None or len(hashes) > MOST_PROOF_LINES:
        raise MalformedWitnessRequestError("Not a request for a cosignature.")
    return AddCheckpoint(int(match[1]), tuple(map(_decode_hash, hashes)), note)


def _decode_hash(line: bytes) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error:
        data = b""
    if len(data) != HASH_SIZE or base64.b64encode(data) != line:
        raise MalformedWitnessRequestError("A line of the proof is no hash.")
    return data
