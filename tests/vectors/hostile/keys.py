"""JSON Web Keys that nobody may verify with: off their curve, of small order, of another kind or use, or misspelled."""

from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.credentials.encoding import b64url_decode, b64url_encode
from tests.vectors.hostile.signatures import P25519, PRIMES
from tests.vectors.hostile.tokens import PrivateKey, new_key

ORDER_8_Y = int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little")


def list_bad_jwks(key: PrivateKey) -> dict[str, dict[str, Any]]:
    """Return spoiled public keys by name; ``key`` is the sound P-256 key that most are made from."""
    jwk = key.jwk
    changed = {name: {**jwk, **changes} for name, changes in _MEMBERS.items()}
    for name in ("kty", "crv", "x", "y"):
        changed[f"no {name}"] = {member: value for member, value in jwk.items() if member != name}
        for wrong in (None, 7, ["P-256"], {"x": 1}):
            changed[f"{name} is {wrong!r}"] = {**jwk, name: wrong}
    return {
        **changed,
        **dict(_spoil_point(jwk)),
        **dict(_spoil_text(jwk)),
        **dict(_edwards_points()),
        **dict(_other_kinds()),
        "the key of another algorithm": {**new_key("ES384").jwk, "alg": "ES256"},
        "P-384 coordinates as P-256": {**new_key("ES384").jwk, "crv": "P-256"},
        "P-256 coordinates as P-384": {**jwk, "crv": "P-384"},
    }


_MEMBERS: dict[str, Mapping[str, Any]] = {
    "private member d": {"d": "AQ"},
    "private member p": {"p": "AQ"},
    "private member k": {"k": "AQ"},
    "for encryption": {"use": "enc"},
    "of no use": {"use": None},
    "of an unknown use": {"use": "SIG"},
    "to derive with": {"key_ops": ["deriveKey"]},
    "to sign with": {"key_ops": ["sign"]},
    "for no operation": {"key_ops": []},
    "operations in a text": {"key_ops": "verify"},
    "operations in an object": {"key_ops": {"verify": 1}},
    "for ECDH": {"alg": "ECDH-ES"},
    "for ES384": {"alg": "ES384"},
    "for EdDSA": {"alg": "EdDSA"},
    "for HS256": {"alg": "HS256"},
    "for none": {"alg": "none"},
    "for a list of algorithms": {"alg": ["ES256"]},
    "kty in lower case": {"kty": "ec"},
    "kty OKP": {"kty": "OKP"},
    "kty RSA": {"kty": "RSA"},
    "kty oct": {"kty": "oct"},
    "curve in lower case": {"crv": "p-256"},
    "curve by another name": {"crv": "secp256r1"},
    "curve P-521": {"crv": "P-521"},
    "curve secp256k1": {"crv": "secp256k1"},
    "curve Ed25519": {"crv": "Ed25519"},
    "curve BP-256": {"crv": "BP-256"},
}


def _spoil_point(jwk: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    p = PRIMES["P-256"]
    x, y = (int.from_bytes(b64url_decode(jwk[name])) for name in ("x", "y"))
    for name, point in {
        "(0, 0)": (0, 0),
        "(1, 1)": (1, 1),
        "x + 1": (x + 1, y),
        "y + 1": (x, y ^ 1),
        "y of the twist": (x, (y * 2) % p),
        "coordinates swapped": (y, x),
        "x = p": (p, y),
        "y = p": (x, p),
        "all ones": (2**256 - 1, 2**256 - 1),
        "-y not reduced": (x, 2**256 - y),
    }.items():
        yield f"the point {name}", {**jwk, "x": _coordinate(point[0]), "y": _coordinate(point[1])}


def _spoil_text(jwk: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    x = b64url_decode(jwk["x"])
    for name, text in {
        "empty": "",
        "31 bytes": b64url_encode(x[1:]),
        "33 bytes": b64url_encode(b"\0" + x),
        "a compressed point": b64url_encode(b"\x02" + x),
        "an uncompressed point": b64url_encode(b"\x04" + x + b64url_decode(jwk["y"])),
        "padded": jwk["x"] + "=",
        "with a line feed": jwk["x"] + "\n",
        "with other tail bits": jwk["x"][:-1] + chr(ord(jwk["x"][-1]) + 1),
        "in base64": "+/" + jwk["x"][2:],
        "in hexadecimal": x.hex(),
        "full width": "\uff21" + jwk["x"][1:],
        "15 kB": "A" * 15_000,
    }.items():
        yield f"x {name}", {**jwk, "x": text}


def _edwards_points() -> Iterator[tuple[str, dict[str, Any]]]:
    # The eight points whose order divides 8, in every spelling that 32 bytes have for them, and what is no point.
    small = {0, 1, P25519 - 1, ORDER_8_Y % 2**255, P25519 - ORDER_8_Y % 2**255, P25519, P25519 + 1}
    for y in small:
        for sign in (0, 2**255):
            point = (y | sign).to_bytes(32, "little")
            yield f"the Edwards point {y % 2**16:x} of small order, sign {sign >> 255}", _okp("Ed25519", point)
    yield "an Edwards point of 31 bytes", _okp("Ed25519", bytes(30) + b"\x01")
    yield "an Edwards point of 33 bytes", _okp("Ed25519", bytes(32) + b"\x01")
    yield "an Edwards point not reduced", _okp("Ed25519", (P25519 + 3).to_bytes(32, "little"))
    yield "an Edwards point of all ones", _okp("Ed25519", b"\xff" * 32)


def _other_kinds() -> Iterator[tuple[str, dict[str, Any]]]:
    raw = (Encoding.Raw, PublicFormat.Raw)
    yield "an X25519 key", _okp("X25519", X25519PrivateKey.generate().public_key().public_bytes(*raw))
    yield "an X25519 key as Ed25519 with y", {**_okp("X25519", b"\x09" + bytes(31)), "y": "AA"}
    yield "an Ed448 key", _okp("Ed448", Ed448PrivateKey.generate().public_key().public_bytes(*raw))
    numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
    modulus = b64url_encode(numbers.n.to_bytes(256, "big"))
    yield "an RSA key", {"kty": "RSA", "n": modulus, "e": "AQAB"}
    yield "an RSA key with the exponent 1", {"kty": "RSA", "n": modulus, "e": "AQ"}
    yield "an RSA key of 512 bits", {"kty": "RSA", "n": b64url_encode(b"\xff" * 64), "e": "AQAB"}
    yield "a symmetric key", {"kty": "oct", "k": b64url_encode(b"secret" * 8)}
    yield "an empty symmetric key", {"kty": "oct", "k": ""}
    yield "a key pair of a post-quantum algorithm", {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}
    p521 = ec.generate_private_key(ec.SECP521R1()).public_key().public_numbers()
    coordinates = {name: b64url_encode(value.to_bytes(66, "big")) for name, value in (("x", p521.x), ("y", p521.y))}
    yield "a P-521 key", {"kty": "EC", "crv": "P-521", **coordinates}
    yield "an empty object", {}
    yield "a set of keys", {"keys": [new_key("ES256").jwk]}


def _okp(curve: str, point: bytes) -> dict[str, Any]:
    return {"kty": "OKP", "crv": curve, "x": b64url_encode(point)}


def _coordinate(value: int) -> str:
    return b64url_encode((value % 2**256).to_bytes(32, "big"))
