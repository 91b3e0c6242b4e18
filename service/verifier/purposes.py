"""Purposes as DCQL queries, and as a test of what has been shown. What each purpose needs is in the rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.credentials.credential_types import vct_of
from service.errors import InvalidInputError
from service.rules.needs import CredentialNeed
from service.rules.purposes import PURPOSES, Purpose

# Ids that people read in vp_token and in checks.
_SHORT_IDS = {"aml-screening": "aml"}


class PurposeUnknownError(InvalidInputError):
    """No such purpose; ``GET /v1/purposes`` lists them."""

    code = "purpose_unknown"


def find_purpose(purpose_id: str) -> Purpose:
    """Return a purpose.

    Raises:
        PurposeUnknownError: No such purpose.
    """
    try:
        return PURPOSES[purpose_id]
    except KeyError:
        raise PurposeUnknownError("There is no such purpose; GET /v1/purposes lists them.") from None


def build_query(purpose: Purpose) -> dict[str, Any]:
    """Return what a purpose needs as a query: one credential of each type, its alternatives as claim sets.

    Source: OpenID4VP 1.0, sections 6.1, 6.2 and 6.4.
    """
    query: dict[str, Any] = {"credentials": [_build_credential_query(need) for need in purpose.needs]}
    required = [_name_query(need) for need in purpose.needs if need.required]
    optional = [_name_query(need) for need in purpose.needs if not need.required]
    if optional:
        query["credential_sets"] = [
            {"options": [required]},
            *({"options": [[query_id]], "required": False} for query_id in optional),
        ]
    return query


def _name_query(need: CredentialNeed) -> str:
    return _SHORT_IDS.get(need.credential_type, need.credential_type.replace("-", "_"))


def _build_credential_query(need: CredentialNeed) -> dict[str, Any]:
    return {
        "id": _name_query(need),
        "format": "dc+sd-jwt",
        "meta": {"vct_values": [vct_of(need.credential_type)]},
        "claims": [{"id": name, "path": [name]} for name in need.claims],
        "claim_sets": [list(names) for names in need.alternatives],
    }


def list_missing_claims(need: CredentialNeed, claims: Mapping[str, Any]) -> Sequence[str]:
    """Return what the alternative that comes closest still lacks; empty if one is complete."""
    return min(([name for name in names if name not in claims] for names in need.alternatives), key=len)
