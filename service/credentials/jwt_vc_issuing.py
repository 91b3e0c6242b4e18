"""Credentials of our types as JWT VCs of VCDM 1.1, before they are signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.credentials.bitstring_status_list import build_status_entries
from service.credentials.credential import StatusReference
from service.credentials.credential_types import CredentialType
from service.credentials.did import did_jwk_from_jwk
from service.credentials.instants import write_instant
from service.credentials.w3c_document import CREDENTIAL, V1_CONTEXT

JWT_TYP = "JWT"


@dataclass(frozen=True, slots=True)
class CredentialTerms:
    """What a credential of the W3C data model says, in whichever of its formats.

    Attributes:
        kind: The type.
        claims: What it states of its subject, all of it shown to whoever sees the credential.
        issuer: The issuer's DID.
        holder_jwk: The holder's key; its ``kid``, if it has one, is a DID URL of a did:key or did:jwk of that key.
        issued_at: As coarse as the issuer shows it; aware.
        expires_at: Aware.
        status: Its place in a status list of ours; written as the JWT's ``status`` for those who read Token Status
            Lists, and as ``credentialStatus`` for those who read Bitstring Status Lists.
    """

    kind: CredentialType
    claims: Mapping[str, Any]
    issuer: str
    holder_jwk: Mapping[str, Any]
    issued_at: datetime
    expires_at: datetime
    status: StatusReference


def build_jwt_vc_claims(terms: CredentialTerms) -> dict[str, Any]:
    """Write the claims of the JWT; what they say of the credential stands in it once more, for readers of either.

    Source: VCDM 1.1, section 6.3.1; Token Status List draft, section 6.1; Bitstring Status List 1.0, section 2.1.
    """
    subject_id = name_holder(terms.holder_jwk)
    seconds = int(terms.issued_at.timestamp())
    return {
        "iss": terms.issuer,
        "sub": subject_id,
        "iat": seconds,
        "nbf": seconds,
        "exp": int(terms.expires_at.timestamp()),
        "status": {"status_list": {"idx": terms.status.index, "uri": terms.status.uri}},
        "vc": {
            "@context": [V1_CONTEXT],
            "type": [CREDENTIAL, terms.kind.w3c_type],
            "issuer": terms.issuer,
            "issuanceDate": write_instant(terms.issued_at),
            "expirationDate": write_instant(terms.expires_at),
            "credentialSubject": {"id": subject_id, **terms.claims},
            "credentialStatus": build_status_entries(terms.status),
        },
    }


def name_holder(jwk: Mapping[str, Any]) -> str:
    """Return the DID of a holder's key: the one by which it was proved, else its did:jwk."""
    kid: str = jwk.get("kid", "")
    return kid.partition("#")[0] or did_jwk_from_jwk(jwk)
