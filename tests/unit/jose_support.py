"""Key pairs of every algorithm, and tokens made by PyJWT, which shares no parsing code with ours."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.credentials.jose import VerificationKey, load_key, sign_jws, write_json


@dataclass(frozen=True)
class Signer:
    """A private key with its public JWK."""

    alg: str
    private: ec.EllipticCurvePrivateKey | Ed25519PrivateKey
    jwk: dict[str, Any]

    @property
    def key(self) -> VerificationKey:
        return load_key(self.jwk)

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        algorithm = jwt.get_algorithm_by_name(self.alg)
        return lambda signing_input: algorithm.sign(signing_input, self.private)

    def encode(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode(claims, self.private, self.alg, headers=header)


def new_signer(alg: str) -> Signer:
    private: Any = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": Ed25519PrivateKey.generate,
    }[alg]()
    jwk = jwt.get_algorithm_by_name(alg).to_jwk(private.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return Signer(alg, private, jwk)


SIGNERS = {alg: new_signer(alg) for alg in ("ES256", "ES384", "EdDSA")}


def sign_as_secret(signer: Signer, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Sign with HMAC under the public key, which everybody knows."""
    secret = write_json(signer.jwk)
    return sign_jws(header | {"alg": "HS256"}, claims, lambda text: hmac.digest(secret, text, "sha256"))
