"""What the log shows of a record: a salted hash, which says nothing without the nonce that its owner keeps.

A commitment is SHA-256 over a nonce of 32 bytes and then the record as canonical JSON. With the nonce destroyed
nobody can tell what the record was, and every proof about the log still holds.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import rfc8785

from service.credentials.canonical import canonicalize
from service.errors import VerificationError

NONCE_SIZE = 32
RECORD_VERSION = 1


class CommitmentError(VerificationError):
    """The record or its nonce is not what was committed to."""

    code = "commitment_invalid"
    check = "commitment"


def build_log_record(
    *, org_id: str, entry_id: str, kind: str, subject_id: str, recorded_at: datetime, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the whole record that is committed to.

    Args:
        recorded_at: Aware; written in UTC with microseconds, which is what databases keep.
        record: What happened, JSON values only.
    """
    return {
        "version": RECORD_VERSION,
        "org_id": org_id,
        "id": entry_id,
        "kind": kind,
        "subject_id": subject_id,
        "recorded_at": recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "record": dict(record),
    }


def commit_to_record(nonce: bytes, record: Mapping[str, Any]) -> bytes:
    """Return the commitment, 32 bytes.

    Args:
        nonce: 32 random bytes, of this record alone. Its fixed length keeps nonce and record apart.
        record: From ``build_log_record``.

    Raises:
        CommitmentError: A nonce of another length, or a record without a canonical form.

    Source: RFC 8785 for the canonical form.
    """
    if len(nonce) != NONCE_SIZE:
        raise CommitmentError("The nonce has another length.")
    try:
        canonical = canonicalize(dict(record))
    except rfc8785.CanonicalizationError:
        raise CommitmentError("The record has no canonical form.") from None
    return hashlib.sha256(nonce + canonical).digest()


def verify_commitment(nonce: bytes, record: Mapping[str, Any], *, expected_commitment: bytes) -> None:
    """Check that a record and a nonce open a commitment.

    Raises:
        CommitmentError: They do not.
    """
    if not hmac.compare_digest(commit_to_record(nonce, record), expected_commitment):
        raise CommitmentError("The record is not what was committed to.")
