"""What a decision and its bundle are called and hashed by; apart, so that a replay loads no database.

Source: gate.md section 4; RFC 8785.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from service.credentials.canonical import canonicalize

FIRST_FORMAT = "goodstanding-decision-bundle/1"  # with everything in plain
BUNDLE_FORMAT = "goodstanding-decision-bundle/2"
DECISION_TYP = "transfer-decision+jwt"


def hash_canonical(members: Mapping[str, Any]) -> str:
    """Return ``sha256:`` and the hex digest over the RFC 8785 form."""
    return hash_bytes(canonicalize(dict(members)))


def hash_bytes(canonical: bytes) -> str:
    """Return ``sha256:`` and the hex digest."""
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"
