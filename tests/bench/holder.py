"""A wallet without a screen: just the protocol messages, so that flows can be counted."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from service.credentials.jose import b64url_decode, parse_json, parse_jws
from service.credentials.key_proof import build_key_proof
from service.credentials.presentation import present_sd_jwt
from service.keys import FileKeystore, PublicKey
from tests.bench.load import Connection


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


@dataclass
class BenchHolder:
    """One holder key and the credentials bound to it, by type."""

    keystore: FileKeystore
    key: PublicKey
    credentials: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, keystore: FileKeystore) -> "BenchHolder":
        return cls(keystore, keystore.create_key("ES256"))

    async def receive(self, connection: Connection, issuer: str, offer: dict[str, Any]) -> None:
        """Redeem an offer: offer, token, nonce, credential. Metadata is taken as known."""
        uri = parse_qs(urlsplit(offer["deep_link"]).query)["credential_offer_uri"][0]
        content = (await connection.request("GET", _path(uri))).json()
        grant = next(iter(content["grants"].values()))
        grant_type = quote("urn:ietf:params:oauth:grant-type:pre-authorized_code", safe="")
        form = f"grant_type={grant_type}&pre-authorized_code={quote(grant['pre-authorized_code'])}"
        token = (await connection.send_form(f"{issuer}/token", form)).json()["access_token"]
        nonce = (await connection.request("POST", f"{issuer}/nonce")).json()["c_nonce"]
        audience = content["credential_issuer"]
        sign = self.keystore.signing_function(self.key.kid)
        proof = build_key_proof(self.key.jwk, audience=audience, nonce=nonce, issued_at=datetime.now(UTC), sign=sign)
        name = content["credential_configuration_ids"][0]
        reply = await connection.send_json(
            "POST",
            f"{issuer}/credential",
            {"credential_configuration_id": name, "proofs": {"jwt": [proof]}},
            {"Authorization": f"Bearer {token}"},
        )
        self.credentials[name] = reply.json()["credentials"][0]["credential"]

    def present(self, name: str, claims: list[str], audience: str, nonce: str) -> str:
        """Make one presentation."""
        return present_sd_jwt(
            self.credentials[name],
            names=claims,
            audience=audience,
            nonce=nonce,
            issued_at=datetime.now(UTC),
            sign=self.keystore.signing_function(self.key.kid),
        )

    async def answer(self, connection: Connection, request: dict[str, Any]) -> None:
        """Answer a presentation request: fetch the request object, send what it asks for."""
        uri = parse_qs(urlsplit(request["deep_link"]).query)["request_uri"][0]
        claims = parse_json(parse_jws((await connection.request("GET", _path(uri))).body.decode()).payload)
        token = {}
        for query in claims["dcql_query"]["credentials"]:
            name = query["meta"]["vct_values"][0].split(":")[3]
            names = [claim["path"][0] for claim in query["claims"]]
            held = [n for n in names if n in _claims_of(self.credentials[name])]
            token[query["id"]] = [self.present(name, held, claims["client_id"], claims["nonce"])]
        form = f"state={quote(claims.get('state', ''))}&vp_token={quote(json.dumps(token))}"
        reply = await connection.send_form(_path(claims["response_uri"]), form)
        if reply.status != 200:
            raise RuntimeError(f"presentation refused: {reply.body!r}")


def _claims_of(credential: str) -> set[str]:
    return {json.loads(b64url_decode(part))[1] for part in credential.split("~")[1:] if part}


def accreditation_claims() -> dict[str, Any]:
    """Claims of an accredited investor."""
    today = datetime.now(UTC).date()
    return {
        "jurisdiction": "US",
        "category": "us.ai.income",
        "method": "third_party",
        "steps_completed_on": (today - timedelta(days=14)).isoformat(),
        "joint": False,
        "valid_until": (today + timedelta(days=70)).isoformat(),
    }
