"""Credentials of our types as linked data, before they are signed: in version 2.0 of the data model, and in 1.1."""

from datetime import datetime
from typing import Any

from service.credentials.bitstring_status_list import build_status_entries
from service.credentials.instants import write_instant
from service.credentials.jwt_vc_issuing import CredentialTerms, name_holder
from service.credentials.ldp_vc import CLAIMS_CONTEXT, CLAIMS_CONTEXT_1
from service.credentials.w3c_document import CREDENTIAL, SUBJECT_PREFIX, V1_CONTEXT, V2_CONTEXT

CRYPTOSUITE = "ecdsa-rdfc-2019"
CONTEXTS = (V2_CONTEXT, CLAIMS_CONTEXT)
PROOF_TYPE_1 = "JsonWebSignature2020"
"""The suite of version 1.1's time in which a P-256 key signs, so that its keys may be kept in hardware too."""
JWS_CONTEXT = "https://w3id.org/security/suites/jws-2020/v1"
CONTEXTS_1 = (V1_CONTEXT, CLAIMS_CONTEXT_1, JWS_CONTEXT)


def build_ldp_vc(terms: CredentialTerms) -> dict[str, Any]:
    """Write a credential without its proof.

    Source: VCDM 2.0, sections 4.3 to 4.10; Bitstring Status List 1.0, section 2.1.
    """
    subject = {"id": name_holder(terms.holder_jwk), **terms.claims}
    if "sub" in subject:
        subject["sub"] = SUBJECT_PREFIX + subject["sub"]
    return {
        "@context": list(CONTEXTS),
        "type": [CREDENTIAL, terms.kind.w3c_type],
        "issuer": terms.issuer,
        "validFrom": write_instant(terms.issued_at),
        "validUntil": write_instant(terms.expires_at),
        "credentialSubject": subject,
        "credentialStatus": build_status_entries(terms.status),
    }


def build_ldp_vc_1(terms: CredentialTerms) -> dict[str, Any]:
    """Write a credential of version 1.1 without its proof.

    Software of that time reads one status entry and refuses a list of them.

    Source: VCDM 1.1, sections 4.1 to 4.9.
    """
    return {
        "@context": list(CONTEXTS_1),
        "type": [CREDENTIAL, terms.kind.w3c_type],
        "issuer": terms.issuer,
        "issuanceDate": write_instant(terms.issued_at),
        "expirationDate": write_instant(terms.expires_at),
        "credentialSubject": {"id": name_holder(terms.holder_jwk), **terms.claims},
        "credentialStatus": build_status_entries(terms.status, ("suspension",))[0],
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
