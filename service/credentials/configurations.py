"""Credential configurations: each type in each format that it is issued in."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from service.credentials.credential_types import CREDENTIAL_TYPES, CredentialType
from service.credentials.jwt_vc import JWT_VC_JSON
from service.credentials.ldp_vc import LDP_VC
from service.credentials.ldp_vc_issuing import CRYPTOSUITE, PROOF_TYPE_1
from service.credentials.sd_jwt import SD_JWT_VC_TYP

_FORMS = (
    ("", SD_JWT_VC_TYP, "ES256"),
    ("-jwt", JWT_VC_JSON, "ES256"),
    ("-di", LDP_VC, CRYPTOSUITE),
    ("-ldp", LDP_VC, PROOF_TYPE_1),
)


@dataclass(frozen=True, slots=True)
class CredentialConfiguration:
    """What a wallet may ask an issuer for.

    Attributes:
        id: Its name in metadata, offers and requests, and its scope: ``kyc``, ``kyc-jwt``, ``kyc-di`` or
            ``kyc-ldp``.
        kind: Type of the credential.
        format: Credential format identifier.
        signing_algorithm: As the format names it: of a JWS, the cryptosuite, or the type of the proof.
    """

    id: str
    kind: CredentialType
    format: str
    signing_algorithm: str


CONFIGURATIONS: Mapping[str, CredentialConfiguration] = MappingProxyType(
    {
        f"{name}{ending}": CredentialConfiguration(f"{name}{ending}", kind, credential_format, algorithm)
        for ending, credential_format, algorithm in _FORMS
        for name, kind in CREDENTIAL_TYPES.items()
    }
)
"""Id to configuration."""
