"""A wallet without a screen: just the protocol messages, so that flows can be counted."""

import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from service.credentials.jose import b64url_decode, b64url_encode, sign_jws
from service.credentials.key_proof import KEY_PROOF_TYP
from service.credentials.presentation import KEY_BINDING_TYP
from service.credentials.sd_jwt import disclose
from service.keys import FileKeystore, PublicKey
from tests.bench.load import Connection


def _path(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _fill_form(text: str) -> str:
    """Escape JSON whose texts need no escape: byte by byte, as libraries do it, costs more than the signatures."""
    for character in '{}[]":,':
        text = text.replace(character, f"%{ord(character):02X}")
    return text


@dataclass(frozen=True)
class _Shown:
    """A credential with some of its disclosures, and what the holder signs of it."""

    sd_jwt: str
    sd_hash: str

    @classmethod
    def choose(cls, credential: str, names: Collection[str]) -> "_Shown":
        sd_jwt = disclose(credential, names)
        return cls(sd_jwt, b64url_encode(sha256(sd_jwt.encode()).digest()))


@dataclass
class BenchHolder:
    """One holder key and the credentials bound to it, by type.

    As a wallet of somebody who shows the same credentials often, it chooses disclosures once; each presentation and
    each proof is signed anew.
    """

    keystore: FileKeystore
    key: PublicKey
    credentials: dict[str, str] = field(default_factory=dict)
    _shown: dict[tuple[str, ...], _Shown] = field(default_factory=dict)

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
        name = content["credential_configuration_ids"][0]
        reply = await connection.send_json(
            "POST",
            f"{issuer}/credential",
            {
                "credential_configuration_id": name,
                "proofs": {"jwt": [self._prove(content["credential_issuer"], nonce)]},
            },
            {"Authorization": f"Bearer {token}"},
        )
        self.credentials[name] = reply.json()["credentials"][0]["credential"]
        self._shown.clear()

    def _prove(self, audience: str, nonce: str) -> str:
        header = {"typ": KEY_PROOF_TYP, "alg": self.key.alg, "jwk": self.key.jwk}
        return self._sign(header, {"aud": audience, "nonce": nonce})

    def _sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        return sign_jws(header, {"iat": int(time.time()), **claims}, self.keystore.signing_function(self.key.kid))

    def present(self, name: str, claims: Iterable[str], audience: str, nonce: str) -> str:
        """Make one presentation of those of the claims that the credential has."""
        asked = (name, *claims)
        if asked not in self._shown:
            self._shown[asked] = _Shown.choose(self.credentials[name], asked[1:])
        shown = self._shown[asked]
        header = {"alg": self.key.alg, "typ": KEY_BINDING_TYP}
        return shown.sd_jwt + self._sign(header, {"aud": audience, "nonce": nonce, "sd_hash": shown.sd_hash})

    async def answer(self, connection: Connection, request: dict[str, Any]) -> None:
        """Answer a presentation request: fetch the request object, send what it asks for."""
        uri = parse_qs(urlsplit(request["deep_link"]).query)["request_uri"][0]
        fetched = (await connection.request("GET", _path(uri))).body.decode()
        claims = json.loads(b64url_decode(fetched.split(".")[1]))
        token = {}
        for query in claims["dcql_query"]["credentials"]:
            name = query["meta"]["vct_values"][0].split(":")[3]
            names = [claim["path"][0] for claim in query["claims"]]
            token[query["id"]] = [self.present(name, names, claims["client_id"], claims["nonce"])]
        vp_token = _fill_form(json.dumps(token, separators=(",", ":")))
        form = f"state={quote(claims.get('state', ''))}&vp_token={vp_token}"
        reply = await connection.send_form(_path(claims["response_uri"]), form)
        if reply.status != 200:
            raise RuntimeError(f"presentation refused: {reply.body!r}")


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
