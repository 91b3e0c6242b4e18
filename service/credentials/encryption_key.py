"""Public keys that messages are encrypted to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.credentials.encoding import MalformedJoseError
from service.credentials.jwk import load_key

ALGORITHM = "ECDH-ES"
_CURVE = "P-256"
_ABOUT_USE = frozenset({"alg", "use", "key_ops"})


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A P-256 point for ECDH-ES; ``kid`` is what its owner calls it, if anything."""

    kid: str | None
    jwk: Mapping[str, Any]


def load_encryption_key(jwk: Mapping[str, Any]) -> EncryptionKey:
    """Load a public JWK that names ECDH-ES as its algorithm.

    Raises:
        MalformedJoseError: Not a point of P-256, a private member, another or no ``alg``, ``use`` other than ``enc``,
            or ``key_ops`` that derive nothing.

    Source: OpenID4VCI 1.0, section 10; RFC 7517, section 4.
    """
    key = load_key({name: value for name, value in jwk.items() if name not in _ABOUT_USE})
    if key.jwk["crv"] != _CURVE or jwk.get("alg") != ALGORITHM:
        raise MalformedJoseError("The JWK isn't a P-256 key for ECDH-ES.")
    operations = jwk.get("key_ops", ["deriveBits"])
    derives = isinstance(operations, list) and ("deriveBits" in operations or "deriveKey" in operations)
    if jwk.get("use", "enc") != "enc" or not derives:
        raise MalformedJoseError("The JWK isn't for encryption.")
    return EncryptionKey(key.kid, key.jwk)
