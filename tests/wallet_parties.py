"""An issuer and a verifier that a wallet can meet; each test bends the one thing that it is about."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from service.credentials.did import DidKey, build_did_document, did_web_from_url
from service.credentials.jose import sign_jws
from service.credentials.key_proof import verify_key_proof
from service.credentials.sd_jwt import issue_sd_jwt
from service.keys import FileKeystore, PublicKey
from tests.loopback import Party, Received

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
KYC_VCT = "urn:goodstanding:vct:kyc:1"
KYC_CLAIMS = {"given_name": "Ada", "family_name": "Lee", "country": "US", "age_over_18": True, "id_number": "X-1"}


class FakeIssuer(Party):
    """Issues what ``claims`` says, to whoever redeems ``code``; times are ``now``."""

    def __init__(self, base_url: str, signer: FileKeystore, now: datetime = NOW) -> None:
        super().__init__()
        self.identifier = f"{base_url}/issuers/kyc"
        self.now = now
        self.signer = signer
        self.key = signer.create_key("ES256")
        self.claims: dict[str, Any] = dict(KYC_CLAIMS)
        self.plain: dict[str, Any] = {"vct": KYC_VCT, "exp": int((now + timedelta(days=30)).timestamp())}
        self.tx_code: str | None = None
        self.client_id: str | None = None
        self.nonces: list[str] = []
        self.metadata = self._build_metadata()
        self.token: dict[str, Any] = {"access_token": "token", "token_type": "Bearer"}
        self.bind: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda jwk: jwk
        self.sign: Callable[[bytes], bytes] = signer.signing_function(self.key.kid)
        path = "/issuers/kyc"
        self.routes = {
            f"/.well-known/openid-credential-issuer{path}": lambda _: self.metadata,
            f"/.well-known/oauth-authorization-server{path}": {
                "issuer": self.identifier,
                "token_endpoint": f"{self.identifier}/token",
            },
            f"/.well-known/jwt-vc-issuer{path}": {"issuer": self.identifier, "jwks": {"keys": [public(self.key)]}},
            f"{path}/offer": lambda _: self.offer(),
            f"{path}/token": self._give_token,
            f"{path}/nonce": self._give_nonce,
            f"{path}/credential": self.give_credentials,
            f"{path}/notification": Response(status_code=204),
        }

    def offer(self) -> dict[str, Any]:
        grant: dict[str, Any] = {"pre-authorized_code": "code"}
        if self.tx_code is not None:
            grant["tx_code"] = {}
        return {
            "credential_issuer": self.identifier,
            "credential_configuration_ids": ["kyc"],
            "grants": {"urn:ietf:params:oauth:grant-type:pre-authorized_code": grant},
            "some_extension": 1,
        }

    def deep_link(self) -> str:
        return "openid-credential-offer://?" + urlencode({"credential_offer_uri": f"{self.identifier}/offer"})

    def events(self) -> list[str]:
        return [request.json["event"] for request in self.requests_to("/issuers/kyc/notification")]

    def give_credentials(self, request: Received) -> Any:
        proofs = request.json["proofs"]["jwt"]
        nonce = self.nonces.pop()
        expected: dict[str, Any] = {"audience": self.identifier, "client_id": self.client_id, "nonce": nonce}
        keys = [verify_key_proof(proof, now=self.now, **expected).jwk for proof in proofs]
        return {"credentials": [{"credential": self.issue(key)} for key in keys], "notification_id": "n1"}

    def issue(self, jwk: Mapping[str, Any]) -> str:
        plain = {"iss": self.identifier, "iat": int(self.now.timestamp()), **self.plain}
        return issue_sd_jwt(
            {**plain, "cnf": {"jwk": self.bind(jwk)}, **self.claims},
            disclosable=self.claims,
            header={"alg": "ES256", "kid": self.key.kid},
            sign=self.sign,
            new_salt=lambda: secrets.token_urlsafe(16),
        )

    def _build_metadata(self) -> dict[str, Any]:
        return {
            "credential_issuer": self.identifier,
            "credential_endpoint": f"{self.identifier}/credential",
            "nonce_endpoint": f"{self.identifier}/nonce",
            "notification_endpoint": f"{self.identifier}/notification",
            "batch_credential_issuance": {"batch_size": 3},
            "display": [{"name": "Careful Checks", "locale": "en"}],
            "credential_configurations_supported": {
                "kyc": {
                    "format": "dc+sd-jwt",
                    "vct": KYC_VCT,
                    "cryptographic_binding_methods_supported": ["jwk"],
                    "proof_types_supported": {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}},
                }
            },
        }

    def _give_token(self, request: Received) -> Any:
        if request.form.get("tx_code") != self.tx_code or request.form["pre-authorized_code"] != "code":
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        return self.token

    def _give_nonce(self, _: Received) -> Any:
        self.nonces.append(secrets.token_urlsafe(16))
        return {"c_nonce": self.nonces[-1]}


class FakeVerifier(Party):
    """Asks for ``parameters``; keeps what is posted to it."""

    def __init__(self, base_url: str, signer: FileKeystore, now: datetime = NOW) -> None:
        super().__init__()
        self.base_url = f"{base_url}/verifiers/v"
        self.did = did_web_from_url(self.base_url)
        self.client_id = f"decentralized_identifier:{self.did}"
        self.signer = signer
        self.key = signer.create_key("ES256")
        self.sign: Callable[[bytes], bytes] = signer.signing_function(self.key.kid)
        self.header: dict[str, Any] = {
            "typ": "oauth-authz-req+jwt",
            "alg": "ES256",
            "kid": f"{self.did}#{self.key.kid}",
        }
        self.parameters: dict[str, Any] = {
            "client_id": self.client_id,
            "aud": "https://self-issued.me/v2",
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=10)).timestamp()),
            "response_type": "vp_token",
            "response_mode": "direct_post",
            "response_uri": f"{self.base_url}/response",
            "nonce": "n" * 43,
            "state": "s" * 43,
            "dcql_query": ask("kyc", KYC_VCT, "country", "age_over_18"),
            "client_metadata": {"client_name": "Example Market"},
            "some_extension": 1,
        }
        methods = [DidKey(self.key.kid, self.key.jwk, ("authentication",))]
        self.routes = {
            "/verifiers/v/did.json": build_did_document(self.did, methods),
            "/verifiers/v/request": self._give_request,
            "/verifiers/v/response": {"redirect_uri": "https://market.example/done"},
        }

    def request_object(self) -> str:
        return sign_jws(self.header, self.parameters, self.sign)

    def link(self, **more: str) -> str:
        return "openid4vp://?" + urlencode(
            {"client_id": self.client_id, "request_uri": f"{self.base_url}/request", **more}
        )

    def answers(self) -> list[dict[str, str]]:
        return [request.form for request in self.requests_to("/verifiers/v/response")]

    def _give_request(self, request: Received) -> Any:
        parameters = dict(self.parameters)
        if "wallet_nonce" in request.form:
            parameters = {"wallet_nonce": request.form["wallet_nonce"], **parameters}
        return Response(sign_jws(self.header, parameters, self.sign), media_type="application/oauth-authz-req+jwt")


def ask(query_id: str, vct: str, *claims: str) -> dict[str, Any]:
    """Return a DCQL query for one credential."""
    wanted = {"claims": [{"path": [name]} for name in claims]} if claims else {}
    return {"credentials": [{"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, **wanted}]}


def public(key: PublicKey) -> dict[str, Any]:
    """Return a key as a set of keys holds it."""
    return {**key.jwk, "kid": key.kid, "alg": key.alg, "use": "sig"}


def read_vp_token(form: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the presentations of a plain answer."""
    token: dict[str, list[str]] = json.loads(form["vp_token"])
    return token
