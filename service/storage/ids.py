"""Server-made identifiers: a prefix and a UUIDv7, so that they sort by time of creation."""

import uuid_utils


def new_id(prefix: str) -> str:
    """Return ``<prefix>_<32 hex digits of a UUIDv7>``, for example ``cred_0192...``."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
