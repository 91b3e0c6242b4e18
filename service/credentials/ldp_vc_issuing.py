"""Credentials of our types as linked data, before they are signed: in version 2.0 of the data model, and in 1.1."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.bitstring_status_list import build_status_entries
from service.credentials.credential import StatusReference
from service.credentials.credential_types import CredentialType
from service.credentials.instants import write_instant
from service.credentials.jwt_vc_issuing import name_holder
from service.credentials.ldp_vc import CLAIMS_CONTEXT, CLAIMS_CONTEXT_1, SUBJECT_PREFIX
from service.credentials.w3c_document import CREDENTIAL, V1_CONTEXT, V2_CONTEXT

CRYPTOSUITE = "ecdsa-rdfc-2019"
CONTEXTS = (V2_CONTEXT, CLAIMS_CONTEXT)
PROOF_TYPE_1 = "JsonWebSignature2020"
"""The suite of version 1.1's time in which a P-256 key signs, so that its keys may be kept in hardware too."""
JWS_CONTEXT = "https://w3id.org/security/suites/jws-2020/v1"
CONTEXTS_1 = (V1_CONTEXT, CLAIMS_CONTEXT_1, JWS_CONTEXT)


def build_ldp_vc(
    kind: CredentialType,
    claims: Mapping[str, Any],
    *,
    issuer: str,
    holder_jwk: Mapping[str, Any],
    issued_at: datetime,
    expires_at: datetime,
    status: StatusReference,
) -> dict[str, Any]:
    """Write a credential without its proof; arguments as ``build_jwt_vc_claims``.

    Source: VCDM 2.0, sections 4.3 to 4.10; Bitstring Status List 1.0, section 2.1.
    """
    subject = {"id": name_holder(holder_jwk), **claims}
    if "sub" in subject:
        subject["sub"] = SUBJECT_PREFIX + subject["sub"]
    return {
        "@context": list(CONTEXTS),
        "type": [CREDENTIAL, kind.w3c_type],
        "issuer": issuer,
        "validFrom": write_instant(issued_at),
        "validUntil": write_instant(expires_at),
        "credentialSubject": subject,
        "credentialStatus": build_status_entries(status),
    }


def build_ldp_vc_1(
    kind: CredentialType,
    claims: Mapping[str, Any],
    *,
    issuer: str,
    holder_jwk: Mapping[str, Any],
    issued_at: datetime,
    expires_at: datetime,
    status: StatusReference,
) -> dict[str, Any]:
    """Write a credential of version 1.1 without its proof; arguments as ``build_jwt_vc_claims``.

    Software of that time reads one status entry and refuses a list of them.

    Source: VCDM 1.1, sections 4.1 to 4.9.
    """
    return {
        "@context": list(CONTEXTS_1),
        "type": [CREDENTIAL, kind.w3c_type],
        "issuer": issuer,
        "issuanceDate": write_instant(issued_at),
        "expirationDate": write_instant(expires_at),
        "credentialSubject": {"id": name_holder(holder_jwk), **claims},
        "credentialStatus": build_status_entries(status, ("suspension",))[0],
    }


def build_proof_options(algorithm: str, method: str, issued_at: datetime) -> dict[str, Any]:
    """Write what the issuer's proof says of itself.

    Args:
        algorithm: ``CRYPTOSUITE`` or ``PROOF_TYPE_1``.
        method: DID URL of the issuer's key.
        issued_at: As coarse as the issuer shows it; aware.

    Source: VC DI ECDSA 1.0, section 3.2.1; JSON Web Signature 2020, section 3.2.
    """
    return {
        "type" if algorithm == PROOF_TYPE_1 else "cryptosuite": algorithm,
        "created": write_instant(issued_at),
        "verificationMethod": method,
        "proofPurpose": "assertionMethod",
    }
