"""Purposes as DCQL queries, and as a test of what has been shown. What each purpose needs is in the rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.credentials.credential_types import CredentialType, type_named
from service.credentials.dcql_query import JWT_VC_FORMAT, LDP_VC_FORMAT, SD_JWT_VC_FORMAT
from service.errors import InvalidInputError
from service.rules.needs import CredentialNeed
from service.rules.purposes import PURPOSES, Purpose

FORMATS = (SD_JWT_VC_FORMAT, JWT_VC_FORMAT, LDP_VC_FORMAT)
"""What can be asked for."""

# Ids that people read in vp_token and in checks.
_SHORT_IDS = {"aml-screening": "aml"}
_ENDINGS = {SD_JWT_VC_FORMAT: "", JWT_VC_FORMAT: "_jwt", LDP_VC_FORMAT: "_di"}


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


def build_query(purpose: Purpose, formats: Sequence[str] = FORMATS[:1]) -> dict[str, Any]:
    """Return what a purpose needs as a query: one credential of each type, its alternatives as claim sets.

    Args:
        purpose: The purpose.
        formats: Formats out of ``FORMATS`` that will do for each of its credentials, preferred first.

    Source: OpenID4VP 1.0, sections 6.1, 6.2 and 6.4.
    """
    query: dict[str, Any] = {
        "credentials": [_build_credential_query(need, each) for need in purpose.needs for each in formats]
    }
    required = [need for need in purpose.needs if need.required]
    optional = [need for need in purpose.needs if not need.required]
    if len(formats) > 1:
        sets = [{"options": _list_options(need, formats)} for need in required]
    else:
        sets = [{"options": [[_name_query(need, formats[0]) for need in required]]}]
    if optional or len(formats) > 1:
        more = [{"options": _list_options(need, formats), "required": False} for need in optional]
        query["credential_sets"] = [*sets, *more]
    return query


def _list_options(need: CredentialNeed, formats: Sequence[str]) -> list[list[str]]:
    return [[_name_query(need, each)] for each in formats]


def _name_query(need: CredentialNeed, credential_format: str) -> str:
    name = _SHORT_IDS.get(need.credential_type, need.credential_type.replace("-", "_"))
    return name + _ENDINGS[credential_format]


def _build_credential_query(need: CredentialNeed, credential_format: str) -> dict[str, Any]:
    is_sd_jwt = credential_format == SD_JWT_VC_FORMAT
    prefix = [] if is_sd_jwt else ["credentialSubject"]
    return {
        "id": _name_query(need, credential_format),
        "format": credential_format,
        "meta": _build_meta(type_named(need.credential_type), credential_format),
        "claims": [{"id": name, "path": [*prefix, name]} for name in need.claims],
        "claim_sets": [list(names) for names in need.alternatives],
    }


def _build_meta(kind: CredentialType, credential_format: str) -> dict[str, Any]:
    """Name a type; in linked data by its IRI. Source: OpenID4VP 1.0, appendices B.1.1 and B.3.5."""
    if credential_format == SD_JWT_VC_FORMAT:
        return {"vct_values": [kind.vct]}
    return {"type_values": [[kind.vct if credential_format == LDP_VC_FORMAT else kind.w3c_type]]}


def list_missing_claims(need: CredentialNeed, claims: Mapping[str, Any]) -> Sequence[str]:
    """Return what the alternative that comes closest still lacks; empty if one is complete."""
    return min(([name for name in names if name not in claims] for names in need.alternatives), key=len)
