"""Public keys as JSON Web Keys: loading them strictly, and their thumbprint."""

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service.credentials.encoding import MalformedJoseError, b64url_decode, b64url_encode

PublicKey = ec.EllipticCurvePublicKey | Ed25519PublicKey

EC_CURVES: Mapping[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "secp256k1": ec.SECP256K1(),  # read in did:key documents; verifies nothing here
}

# By kty and crv: the names that a record may give the curve's one algorithm, ours first.
_ALGORITHM_NAMES = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
}
# Every member that RFC 7518 section 6 calls private, and AKP's seed.
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}


class VerificationKey(NamedTuple):
    """A public key that was checked once and may verify signatures of one algorithm.

    Attributes:
        alg: ``ES256``, ``ES384`` or ``EdDSA``; what a token's header says never overrides it.
        kid: Key identifier in the namespace of the key's owner.
        jwk: ``kty``, ``crv``, ``x`` and, for EC, ``y``; nothing else.
        key: The same key, loaded.
    """

    alg: str
    kid: str | None
    jwk: Mapping[str, Any]
    key: PublicKey


def check_public(jwk: Mapping[str, Any]) -> None:
    """Refuse a JWK that gives its private key away, so that anybody may hold it; raises MalformedJoseError."""
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise MalformedJoseError("The JWK holds private members.")


def load_key(jwk: Mapping[str, Any], *, alg: str | None = None, kid: str | None = None) -> VerificationKey:
    """Load a public JWK for the verification of signatures.

    Args:
        jwk: The key; members that aren't about verification are ignored.
        alg: The algorithm that the key's record names, if it names one.
        kid: The identifier that the key's record names; goes before the one in ``jwk``.

    Raises:
        MalformedJoseError: Not a P-256, P-384 or Ed25519 key, a private member, ``use`` other than ``sig``,
            ``key_ops`` without ``verify``, an algorithm of another curve, or coordinates that are no safe point.

    Source: RFC 7517, section 4; RFC 7518, section 6.2; RFC 8037, section 2; RFC 9864, section 2.2.
    """
    check_public(jwk)
    kty, crv = _text(jwk, "kty"), _text(jwk, "crv")
    names = _ALGORITHM_NAMES.get((kty, crv))
    if names is None:
        raise MalformedJoseError("The JWK isn't a P-256, P-384 or Ed25519 key.")
    _check_purpose(jwk)
    for named in (alg, jwk.get("alg")):
        if named is not None and named not in names:
            raise MalformedJoseError("The JWK's algorithm doesn't fit its curve.")
    if kid is None:
        kid = jwk.get("kid")
    if not isinstance(kid, str | None):
        raise MalformedJoseError("The JWK's kid isn't a string.")
    public = {"kty": kty, "crv": crv, "x": _text(jwk, "x")}
    if kty == "EC":
        public["y"] = _text(jwk, "y")
    return VerificationKey(names[0], kid, public, _load_point(crv, public["x"], public.get("y")))


def check_key_period(jwk: Mapping[str, Any], *, now: datetime) -> None:
    """Check that a published JWK may be used now, where it says from when or until when.

    Raises:
        MalformedJoseError: Before ``nbf``, at or after ``exp``, revoked, or a time that is no number.

    Source: OpenID Federation 1.0, section 8.7.2 (the registered JWK parameters ``nbf``, ``exp``, ``revoked``).
    """
    for name in ("nbf", "exp"):
        if name in jwk and (isinstance(jwk[name], bool) or not isinstance(jwk[name], int | float)):
            raise MalformedJoseError(f"The JWK's {name} isn't a time.")
    if "revoked" in jwk or not jwk.get("nbf", 0) <= now.timestamp() < jwk.get("exp", math.inf):
        raise MalformedJoseError("The JWK is revoked, or isn't within its period.")


def jwk_thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the SHA-256 thumbprint of a public JWK as base64url.

    Raises:
        MalformedJoseError: An unknown ``kty`` or a missing member.

    Source: RFC 7638, section 3; RFC 8037, section 2.
    """
    members = _THUMBPRINT_MEMBERS.get(_text(jwk, "kty"))
    if members is None:
        raise MalformedJoseError("The JWK's kty isn't supported.")
    canonical = ",".join([f'"{name}":{encode_basestring(_text(jwk, name))}' for name in members])
    return b64url_encode(hashlib.sha256(f"{{{canonical}}}".encode("ascii")).digest())


def _text(jwk: Mapping[str, Any], name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str) or not value.isascii():
        raise MalformedJoseError(f"The JWK's {name} is missing or isn't ASCII text.")
    return value


def _check_purpose(jwk: Mapping[str, Any]) -> None:
    if jwk.get("use", "sig") != "sig":
        raise MalformedJoseError("The JWK isn't for signatures.")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise MalformedJoseError("The JWK isn't for verifying signatures.")


# OpenSSL prepares a key at its first use, which takes a third as long as verifying; issuers and holders come back.
@lru_cache(maxsize=1024)
def _load_point(crv: str, *coordinates: str | None) -> PublicKey:
    decoded = [b64url_decode(coordinate) for coordinate in coordinates if coordinate is not None]
    if crv == "Ed25519":
        return load_ed25519_point(decoded[0])
    curve = EC_CURVES[crv]
    size = (curve.key_size + 7) // 8
    if any(len(coordinate) != size for coordinate in decoded):
        raise MalformedJoseError(f"An EC coordinate isn't {size} bytes long.")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + b"".join(decoded))
    except ValueError as error:
        raise MalformedJoseError("The EC point isn't on its curve.") from error


_P25519 = 2**255 - 19
_D25519 = -121665 * pow(121666, -1, _P25519)
# y of the eight points whose order divides 8: under such a key one signature fits many messages.
_ORDER_8_Y = int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")
_SMALL_ORDER_Y = frozenset({0, 1, _P25519 - 1, _ORDER_8_Y % 2**255, _P25519 - _ORDER_8_Y % 2**255})


@lru_cache(maxsize=1024)
def _is_on_ed25519(y: int) -> bool:
    """Tell whether there is a point with this ``y``. Source: RFC 8032, section 5.1.3."""
    # u/v must be a square, and is one exactly if u·v is.
    u, v = y * y - 1, _D25519 * y * y + 1
    return pow(u * v, (_P25519 - 1) // 2, _P25519) == 1


def load_ed25519_point(point: bytes) -> Ed25519PublicKey:
    """Load an Ed25519 public key.

    Raises:
        MalformedJoseError: Not 32 bytes, ``y`` not reduced, no point of the curve, or one of small order.

    Source: RFC 8032, sections 5.1.2 and 5.1.3.
    """
    y = int.from_bytes(point, "little") & (2**255 - 1)
    if len(point) != 32 or y >= _P25519 or y in _SMALL_ORDER_Y or not _is_on_ed25519(y):
        raise MalformedJoseError("The Ed25519 key isn't a safe 32-byte point.")
    return Ed25519PublicKey.from_public_bytes(point)
