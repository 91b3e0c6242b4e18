"""Credentials of our types as JWT VCs of VCDM 1.1, before they are signed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.bitstring_status_list import build_status_entries
from service.credentials.credential import StatusReference
from service.credentials.credential_types import CredentialType
from service.credentials.did import did_jwk_from_jwk
from service.credentials.instants import write_instant
from service.credentials.w3c_document import CREDENTIAL, V1_CONTEXT

JWT_TYP = "JWT"


def build_jwt_vc_claims(
    kind: CredentialType,
    claims: Mapping[str, Any],
    *,
    issuer: str,
    holder_jwk: Mapping[str, Any],
    issued_at: datetime,
    expires_at: datetime,
    status: StatusReference,
) -> dict[str, Any]:
    """Write the claims of the JWT; what they say of the credential stands in it once more, for readers of either.

    Args:
        kind: The type.
        claims: What it states of its subject, all of it shown to whoever sees the credential.
        issuer: The issuer's DID.
        holder_jwk: The holder's key; its ``kid``, if it has one, is a DID URL of a did:key or did:jwk of that key.
        issued_at: As coarse as the issuer shows it; aware.
        expires_at: Aware.
        status: Its place in a status list of ours; written as the JWT's ``status`` for those who read Token Status
            Lists, and as ``credentialStatus`` for those who read Bitstring Status Lists.

    Source: VCDM 1.1, section 6.3.1; Token Status List draft, section 6.1; Bitstring Status List 1.0, section 2.1.
    """
    subject_id = name_holder(holder_jwk)
    seconds = int(issued_at.timestamp())
    return {
        "iss": issuer,
        "sub": subject_id,
        "iat": seconds,
        "nbf": seconds,
        "exp": int(expires_at.timestamp()),
        "status": {"status_list": {"idx": status.index, "uri": status.uri}},
        "vc": {
            "@context": [V1_CONTEXT],
            "type": [CREDENTIAL, kind.w3c_type],
            "issuer": issuer,
            "issuanceDate": write_instant(issued_at),
            "expirationDate": write_instant(expires_at),
            "credentialSubject": {"id": subject_id, **claims},
            "credentialStatus": build_status_entries(status),
        },
    }


def name_holder(jwk: Mapping[str, Any]) -> str:
    """Return the DID of a holder's key: the one by which it was proved, else its did:jwk."""
    kid: str = jwk.get("kid", "")
    return kid.partition("#")[0] or did_jwk_from_jwk(jwk)
