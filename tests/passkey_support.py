"""A passkey in software: real keys and signatures, and every field of its answers can be made wrong."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from service.credentials.encoding import b64url_decode, b64url_encode
from tests.deployment import BASE_URL

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class SoftPasskey:
    """Answers as a browser would; what is wrong on purpose is given by name."""

    user_handle: bytes = b""
    sign_count: int = 0
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: str, **wrong: Any) -> str:
        """Answer ``navigator.credentials.create``."""
        asked = json.loads(options)
        self.user_handle = b64url_decode(asked["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(public)
        data = self._describe(ATTESTED, **wrong) + attested
        statement = {"fmt": "none", "attStmt": {}, "authData": data}
        response = {
            "clientDataJSON": b64url_encode(_client_data("webauthn.create", asked["challenge"], **wrong)),
            "attestationObject": b64url_encode(cbor2.dumps(statement)),
        }
        return self._answer(response)

    def get(self, options: str, **wrong: Any) -> str:
        """Answer ``navigator.credentials.get``."""
        client_data = _client_data("webauthn.get", json.loads(options)["challenge"], **wrong)
        data = self._describe(0, **wrong)
        signed = data + hashlib.sha256(client_data).digest()
        signature = self.key.sign(signed, ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": b64url_encode(client_data),
            "authenticatorData": b64url_encode(data),
            "signature": b64url_encode(wrong.get("signature", signature)),
            "userHandle": b64url_encode(wrong.get("user_handle", self.user_handle)),
        }
        return self._answer(response)

    def _describe(
        self, more: int, *, rp_id: str = "localhost", flags: int = PRESENT | VERIFIED, **_others: Any
    ) -> bytes:
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags | more]) + self.sign_count.to_bytes(4, "big")

    def _answer(self, response: dict[str, str]) -> str:
        credential_id = b64url_encode(self.credential_id)
        return json.dumps({"id": credential_id, "rawId": credential_id, "type": "public-key", "response": response})


def _client_data(
    kind: str, challenge: str, *, origin: str = BASE_URL, kind_instead: str | None = None, **_others: Any
) -> bytes:
    return json.dumps({"type": kind_instead or kind, "challenge": challenge, "origin": origin}).encode()
