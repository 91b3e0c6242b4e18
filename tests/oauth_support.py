"""Wallets and API clients that sign, for tests."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from service.credentials.dpop import build_dpop_proof
from service.credentials.jose import sign_jws
from service.keys import PublicKey
from tests.deployment import BASE_URL, Deployment

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Party:
    """Somebody with a key of their own; every token can be told to misbehave."""

    deployment: Deployment
    key: PublicKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.deployment.context.signer.create_key("ES256")

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [dict(self.key.jwk)]}

    def at(self, **parts: float) -> int:
        return int((self.deployment.clock() + timedelta(**parts)).timestamp())

    def sign(self, typ: str, claims: dict[str, Any], **header: Any) -> str:
        stated = {name: value for name, value in claims.items() if value is not None}
        sign = self.deployment.context.signer.signing_function(self.key.kid)
        return sign_jws({"alg": "ES256", "typ": typ} | header, stated, sign)

    def assertion(self, client_id: str, audience: str, **changes: Any) -> dict[str, str]:
        """Return the form fields of ``private_key_jwt``."""
        claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": secrets.token_hex(8)}
        claims |= {"iat": self.at(), "exp": self.at(minutes=1)} | changes
        token = self.sign("client-authentication+jwt", claims)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}

    def attest(self, client_id: str, instance: "Party", **changes: Any) -> str:
        claims = {"sub": client_id, "iat": self.at(), "exp": self.at(days=1), "cnf": {"jwk": dict(instance.key.jwk)}}
        return self.sign("oauth-client-attestation+jwt", claims | changes)

    def attest_with(self, client_id: str, instance: "Party", **header: Any) -> str:
        """Attest under another header."""
        claims = {"sub": client_id, "exp": self.at(days=1), "cnf": {"jwk": dict(instance.key.jwk)}}
        return self.sign("oauth-client-attestation+jwt", claims, **header)

    def attestation_pop(self, audience: str, **changes: Any) -> str:
        claims = {"aud": audience, "iat": self.at(), "jti": secrets.token_hex(8)}
        return self.sign("oauth-client-attestation-pop+jwt", claims | changes)

    def dpop(self, method: str, path: str, **more: Any) -> str:
        return build_dpop_proof(
            self.key.jwk,
            method=method,
            url=BASE_URL + path,
            jti=secrets.token_hex(8),
            issued_at=self.deployment.clock(),
            sign=self.deployment.context.signer.signing_function(self.key.kid),
            **more,
        )
