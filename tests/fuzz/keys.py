"""Fixed keys and a fixed time, so that one input does the same in every run."""

import json
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey

from service.errors import MalformedError
from tests.unit.sd_jwt_support import NOW, KeyPair

__all__ = ["HOLDER", "ISSUER", "NOW", "RECIPIENT", "seal"]


@dataclass(frozen=True)
class FixedKey(KeyPair):
    """A key pair whose public half is at hand as JSON."""

    @cached_property
    def json(self) -> bytes:
        return json.dumps(self.jwk).encode()


def _derive(scalar: int) -> FixedKey:
    return FixedKey(ec.derive_private_key(scalar, ec.SECP256R1()))


ISSUER, HOLDER, RECIPIENT = _derive(0xA1), _derive(0xB2), _derive(0xC3)
_REGISTRY = JWERegistry(algorithms=["ECDH-ES", "A128GCM", "A256GCM", "DEF"])


def seal(header: bytes, plaintext: bytes) -> str:
    """Encrypt to RECIPIENT under a header that the input chose, where the library can."""
    try:
        named = json.loads(header)
        return jwe.encrypt_compact(named, plaintext, ECKey.import_key(dict(RECIPIENT.jwk)), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise MalformedError("the input is no header") from None
