"""Credential configurations: each type in each format that it is issued in."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from service.credentials.credential_types import CREDENTIAL_TYPES, CredentialType
from service.credentials.jwt_vc import JWT_VC_JSON
from service.credentials.ldp_vc import LDP_VC
from service.credentials.sd_jwt import SD_JWT_VC_TYP

_ENDINGS = {SD_JWT_VC_TYP: "", JWT_VC_JSON: "-jwt", LDP_VC: "-di"}


@dataclass(frozen=True, slots=True)
class CredentialConfiguration:
    """What a wallet may ask an issuer for.

    Attributes:
        id: Its name in metadata, offers and requests, and its scope: ``kyc``, ``kyc-jwt`` or ``kyc-di``.
        kind: Type of the credential.
        format: Credential format identifier.
    """

    id: str
    kind: CredentialType
    format: str


CONFIGURATIONS: Mapping[str, CredentialConfiguration] = MappingProxyType(
    {
        f"{name}{ending}": CredentialConfiguration(f"{name}{ending}", kind, credential_format)
        for credential_format, ending in _ENDINGS.items()
        for name, kind in CREDENTIAL_TYPES.items()
    }
)
"""Id to configuration."""
