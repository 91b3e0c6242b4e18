"""Sound compact JWSs of every algorithm, and the hand to build others from any bytes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.credentials.encoding import b64url_encode

CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}
HASHES: dict[str, hashes.HashAlgorithm] = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384()}
NAMES = {"ES256": "P-256", "ES384": "P-384"}


@dataclass(frozen=True)
class PrivateKey:
    """A key whose private half the test has."""

    alg: str
    private: ec.EllipticCurvePrivateKey | Ed25519PrivateKey

    @property
    def jwk(self) -> dict[str, str]:
        if isinstance(self.private, Ed25519PrivateKey):
            point = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(point)}
        numbers = self.private.public_key().public_numbers()
        size = (self.private.curve.key_size + 7) // 8
        x, y = (b64url_encode(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": NAMES[self.alg], "x": x, "y": y}

    def sign(self, signing_input: bytes) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(signing_input)
        size = (self.private.curve.key_size + 7) // 8
        r, s = decode_dss_signature(self.private.sign(signing_input, ec.ECDSA(HASHES[self.alg])))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def new_key(alg: str) -> PrivateKey:
    return PrivateKey(alg, Ed25519PrivateKey.generate() if alg == "EdDSA" else ec.generate_private_key(CURVES[alg]))


@dataclass(frozen=True)
class Sound:
    """A token that its reader would accept.

    Attributes:
        header: Protected header.
        claims: Payload.
        jwk: The public key that the reader will use.
        sign: Signs with its private half.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    jwk: Mapping[str, Any]
    sign: Callable[[bytes], bytes]

    def encode(self) -> str:
        return self.encode_bytes()

    def encode_bytes(self, *, header: bytes | None = None, payload: bytes | None = None) -> str:
        """Sign any bytes in place of the header or the payload."""
        signing_input = ".".join(
            b64url_encode(part)
            for part in (
                dump(self.header) if header is None else header,
                dump(self.claims) if payload is None else payload,
            )
        )
        return f"{signing_input}.{b64url_encode(self.sign(signing_input.encode()))}"

    def with_header(self, **changes: Any) -> str:
        """Sign another header; a change to ``...`` takes a member away."""
        changed = {name: value for name, value in {**self.header, **changes}.items() if value is not ...}
        return self.encode_bytes(header=dump(changed))

    def with_signature(self, signature: bytes) -> str:
        return f"{self.encode().rpartition('.')[0]}.{b64url_encode(signature)}"


@dataclass(frozen=True)
class Flaw:
    """One way to spoil a token.

    Attributes:
        name: What was done.
        kind: What a reader finds wrong: ``form``, ``alg``, ``typ``, ``kid`` or ``signature``.
        spoil: Makes the token from a sound one.
    """

    name: str
    kind: str
    spoil: Callable[[Sound], str]


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
