"""The receipt of a log entry: opened record, inclusion proof and checkpoint, verified without asking anybody."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from service.credentials.commitment import commit_to_record
from service.credentials.merkle import HASH_SIZE, InclusionProofError, PathStep, follow_path, hash_leaf
from service.credentials.signed_note import Checkpoint, VerifierKey, open_checkpoint
from service.errors import MalformedError

LONGEST_PROOF = 64


class MalformedReceiptError(MalformedError):
    """A document that is no receipt."""

    code = "malformed"


def _decode(text: Any) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise MalformedReceiptError("A hash of the receipt is not base64.") from None
    if len(data) != HASH_SIZE:
        raise MalformedReceiptError("A hash of the receipt has another length.")
    return data


@dataclass(frozen=True, slots=True)
class ReceiptPath:
    """How the record of a receipt leads to the root that a checkpoint names.

    Attributes:
        leaf: Hash of the leaf, which is the record's salted hash.
        steps: Up to the root; none in a log of one entry.
    """

    commitment: bytes
    leaf: bytes
    steps: tuple[PathStep, ...]
    checkpoint: Checkpoint

    @property
    def root(self) -> bytes:
        """Return where the steps end."""
        return self.steps[-1].result if self.steps else self.leaf


def verify_receipt(receipt: Mapping[str, Any], *, expected_keys: Iterable[VerifierKey]) -> Checkpoint:
    """Check that the record of a receipt is in a log whose key is trusted; return the checkpoint that covers it.

    Args:
        receipt: ``record``, ``nonce``, ``index``, ``inclusion_proof``, ``checkpoint``, as the service answers it.

    Raises:
        MalformedReceiptError, MalformedNoteError: A member is missing or of another form.
        NoteSignatureError: The checkpoint is not signed by one of the keys.
        InclusionProofError: The record is not at that place, or is another one.
    """
    path = trace_receipt(receipt, expected_keys=expected_keys)
    if path.root != path.checkpoint.root:
        raise InclusionProofError("The inclusion proof leads to another root.")
    return path.checkpoint


def trace_receipt(receipt: Mapping[str, Any], *, expected_keys: Iterable[VerifierKey]) -> ReceiptPath:
    """Follow a receipt's proof step by step; whether it ends at the checkpoint's root is for the caller to compare.

    Raises:
        MalformedReceiptError, MalformedNoteError, NoteSignatureError: As ``verify_receipt``.
        InclusionProofError: No proof of this length belongs to that place.
    """
    record, index, proof = (receipt.get(name) for name in ("record", "index", "inclusion_proof"))
    note = receipt.get("checkpoint")
    if not isinstance(record, Mapping) or type(index) is not int or not isinstance(note, str):
        raise MalformedReceiptError("A member of the receipt is missing or of another type.")
    if not isinstance(proof, list) or len(proof) > LONGEST_PROOF:
        raise MalformedReceiptError("The receipt has no inclusion proof.")
    checkpoint = open_checkpoint(note.encode(), expected_keys)
    commitment = commit_to_record(_decode(receipt.get("nonce")), record)
    leaf = hash_leaf(commitment)
    steps = follow_path(leaf, index=index, size=checkpoint.size, proof=[_decode(each) for each in proof])
    return ReceiptPath(commitment, leaf, tuple(steps), checkpoint)
