"""What a granted credential says, kept sealed for the person: letters and renewals are made of it."""

import json
from collections.abc import Mapping
from typing import Any

from service.credentials.jose import write_json
from service.storage.subject_keys import DataKey
from service.storage.tables import Credential


def seal_grant_claims(key: DataKey, org_id: str, credential_id: str, claims: Mapping[str, Any]) -> bytes:
    """Seal the claims of one grant."""
    return key.seal(write_json(claims), context=_context(org_id, credential_id))


def open_grant_claims(key: DataKey, row: Credential) -> dict[str, Any] | None:
    """Return the claims of a grant; None if it is from before they were kept.

    Raises:
        KeystoreError: Altered, or another grant's.
    """
    if row.sealed_claims is None:
        return None
    claims: dict[str, Any] = json.loads(key.unseal(row.sealed_claims, context=_context(row.org_id, row.id)))
    return claims


def _context(org_id: str, credential_id: str) -> str:
    return f"grant-claims {org_id} {credential_id}"
