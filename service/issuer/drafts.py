"""Copies of a credential, complete but for their signatures, in the format of their configuration."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.credentials.configurations import CredentialConfiguration
from service.credentials.credential import StatusReference
from service.credentials.disclosures import conceal_claims
from service.credentials.jose import b64url_encode
from service.credentials.jwt_vc import JWT_VC_JSON
from service.credentials.jwt_vc_issuing import JWT_TYP, CredentialTerms, build_jwt_vc_claims
from service.credentials.ldp_vc import LDP_VC
from service.credentials.ldp_vc_issuing import (
    CRYPTOSUITE,
    PROOF_TYPE_1,
    build_ldp_vc,
    build_ldp_vc_1,
    build_proof_options,
)
from service.credentials.sd_jwt import SD_JWT_VC_TYP
from service.issuer.identity import Issuer
from service.web.signing import ActiveKey, Header, build_header

SALT_BYTES = 16
_BUILDERS: Mapping[tuple[str, str], Callable[..., dict[str, Any]]] = {
    (JWT_VC_JSON, "ES256"): build_jwt_vc_claims,
    (LDP_VC, CRYPTOSUITE): build_ldp_vc,
    (LDP_VC, PROOF_TYPE_1): build_ldp_vc_1,
}


@dataclass(frozen=True, slots=True)
class Draft:
    """One copy; ``disclosures`` is None in a format that hides nothing."""

    number: int
    payload: Mapping[str, Any]
    disclosures: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What all copies say; times are as coarse as they are shown."""

    configuration: CredentialConfiguration
    issuer: Issuer
    claims: Mapping[str, Any]
    issued_at: datetime
    expires_at: datetime

    def draft(self, number: int, holder_jwk: Mapping[str, Any], status: StatusReference) -> Draft:
        """Draft the copy for one holder key and status entry."""
        build = _BUILDERS.get((self.configuration.format, self.configuration.signing_algorithm))
        if build is None:
            return self._draft_sd_jwt(number, holder_jwk, status)
        terms = CredentialTerms(
            self.configuration.kind,
            self.claims,
            issuer=self.issuer.did,
            holder_jwk=holder_jwk,
            issued_at=self.issued_at,
            expires_at=self.expires_at,
            status=status,
        )
        return Draft(number, build(terms), None)

    def build_header(self, key: ActiveKey, now: datetime) -> Header:
        """Build what all copies say of their signature: the protected header, or the options of the proof."""
        method = f"{self.issuer.did}#{key.kid}"
        if self.configuration.format == LDP_VC:
            return build_proof_options(self.configuration.signing_algorithm, method, self.issued_at)
        if self.configuration.format == JWT_VC_JSON:
            return build_header(key, typ=JWT_TYP, kid=method, certified_at=now)
        return build_header(key, typ=SD_JWT_VC_TYP, certified_at=now)

    def _draft_sd_jwt(self, number: int, holder_jwk: Mapping[str, Any], status: StatusReference) -> Draft:
        kind = self.configuration.kind
        claims = {
            "iss": self.issuer.identifier,
            "vct": kind.vct,
            "iat": int(self.issued_at.timestamp()),
            "exp": int(self.expires_at.timestamp()),
            **self.claims,
            "cnf": {"jwk": {name: value for name, value in holder_jwk.items() if name != "kid"}},
            "status": {"status_list": {"idx": status.index, "uri": status.uri}},
        }
        payload, disclosures = conceal_claims(claims, disclosable=kind.disclosable, new_salt=_new_salt)
        return Draft(number, payload, tuple(disclosures))


def _new_salt() -> str:
    return b64url_encode(secrets.token_bytes(SALT_BYTES))
