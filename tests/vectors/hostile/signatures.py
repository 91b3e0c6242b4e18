"""Signatures that are not the key's, by the flaw classes that Wycheproof has for ECDSA (P1363 and DER) and EdDSA."""

from collections.abc import Callable
from hashlib import sha512
from itertools import product

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import Hash
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from service.credentials.encoding import b64url_decode, b64url_encode
from tests.vectors.hostile.tokens import HASHES, Flaw, PrivateKey, Sound

ORDERS = {
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "P-384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}
PRIMES = {"P-256": 2**256 - 2**224 + 2**192 + 2**96 - 1, "P-384": 2**384 - 2**128 - 2**96 + 2**32 - 1}
SIZES = {"P-256": 32, "P-384": 48}
L = 2**252 + 27742317777372353535851937790883648493
P25519 = 2**255 - 19

Spoil = Callable[[bytes], bytes]


def list_ecdsa_flaws(curve: str) -> list[Flaw]:
    """Return ECDSA signatures over ``curve`` that are out of range, of another form, or of other numbers."""
    spoils = {**_special_values(curve), **_out_of_range(curve), **_other_forms(curve), **_bent(SIZES[curve])}
    return [_flaw(name, spoil) for name, spoil in spoils.items()]


def list_eddsa_flaws() -> list[Flaw]:
    """Return Ed25519 signatures with another R, with S out of range, or of another form."""
    spoils: dict[str, Spoil] = {
        f"S + {name}": lambda signature, more=more: signature[:32] + _little(_read_s(signature) + more)
        for name, more in (
            ("L", L),
            ("2 L", 2 * L),
            ("4 L", 4 * L),
            ("8 L", 8 * L),
            ("2^253", 2**253),
            ("2^254", 2**254),
            ("2^255", 2**255),
            ("p", P25519),
        )
    }
    for name, s in (("0", 0), ("1", 1), ("L - 1", L - 1), ("L", L), ("L + 1", L + 1), ("2^256 - 1", 2**256 - 1)):
        spoils[f"S = {name}"] = lambda signature, s=s: signature[:32] + _little(s)
    for name, y in (("0", 0), ("1", 1), ("p - 1", P25519 - 1), ("p", P25519), ("p + 1", P25519 + 1)):
        spoils[f"R = {name}"] = lambda signature, y=y: _little(y) + signature[32:]
        spoils[f"R = {name}, S = 0"] = lambda _, y=y: _little(y) + bytes(32)
        spoils[f"R = {name} with the sign of x, S = 0"] = lambda _, y=y: _little(y | 2**255) + bytes(32)
    spoils["R with the other sign"] = lambda signature: signature[:31] + bytes([signature[31] ^ 0x80]) + signature[32:]
    spoils["R with all bits flipped"] = lambda signature: bytes(b ^ 255 for b in signature[:32]) + signature[32:]
    spoils["R that is no point"] = lambda signature: _little(2) + signature[32:]
    spoils["S big-endian"] = lambda signature: signature[:32] + signature[:31:-1]
    spoils["an ECDSA signature in DER"] = lambda signature: encode_dss_signature(_read_s(signature), _read_s(signature))
    return [_flaw(name, spoil) for name, spoil in {**spoils, **_bent(32)}.items()]


def list_flaws_with_the_private_key(key: PrivateKey) -> list[Flaw]:
    """Return signatures that take the private key to make: what is wrong with them shows in the last step only."""
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return [Flaw("the sum of both points is infinite", "signature", lambda sound: _sum_to_infinity(sound, key))]
    return [
        Flaw("R is zero, spelled p + 1", "signature", lambda sound: _sign_with_r(sound, key, P25519 + 1)),
        Flaw("R is zero, with the sign of x", "signature", lambda sound: _sign_with_r(sound, key, 1 + 2**255)),
    ]


def _flaw(name: str, change: Spoil) -> Flaw:
    def spoil(sound: Sound) -> str:
        head, _, signature = sound.encode().rpartition(".")
        return f"{head}.{b64url_encode(change(b64url_decode(signature)))}"

    return Flaw(name, "signature", spoil)


def _special_values(curve: str) -> dict[str, Spoil]:
    n, p, size = ORDERS[curve], PRIMES[curve], SIZES[curve]
    special = {"0": 0, "1": 1, "n - 1": n - 1, "n": n, "n + 1": n + 1, "p": p, "p + 1": p + 1}
    return {
        f"r = {r}, s = {s}": lambda _, r=r, s=s: _pair(special[r], special[s], size)
        for r, s in product(special, repeat=2)
    }


def _out_of_range(curve: str) -> dict[str, Spoil]:
    n, bits = ORDERS[curve], 8 * SIZES[curve]
    spoils: dict[str, Spoil] = {"r replaced by n - r": lambda signature: _change(signature, lambda r, s: (n - r, s))}
    for name, more in (("n", n), ("256 n", 256 * n), (f"2^{bits}", 2**bits), (f"2^{bits + 64}", 2 ** (bits + 64))):
        spoils[f"r + {name}"] = lambda signature, more=more: _change(signature, lambda r, s: (r + more, s))
        spoils[f"s + {name}"] = lambda signature, more=more: _change(signature, lambda r, s: (r, s + more))
    spoils["-r in two's complement"] = lambda signature: _change(signature, lambda r, s: (2**bits - r, s))
    return spoils


def _other_forms(curve: str) -> dict[str, Spoil]:
    size = SIZES[curve]

    def der(signature: bytes) -> bytes:
        return encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))

    return {
        "DER": der,
        "DER with a long length": lambda signature: b"\x30\x81" + der(signature)[1:],
        "DER of indefinite length": lambda signature: b"\x30\x80" + der(signature)[2:] + b"\0\0",
        "DER with a leading zero too many": lambda signature: der(signature).replace(b"\x02", b"\x02\0", 1),
        "s before r": lambda signature: signature[size:] + signature[:size],
        "little-endian": lambda signature: signature[size - 1 :: -1] + signature[: size - 1 : -1],
        "a zero before r": lambda signature: b"\0" + signature,
        "a zero before each": lambda signature: b"\0" + signature[:size] + b"\0" + signature[size:],
        "r without its first byte": lambda signature: signature[1:],
        "s without its last byte": lambda signature: signature[:-1],
        "r alone": lambda signature: signature[:size],
        "with the recovery byte of Ethereum": lambda signature: signature + b"\x1b",
        "the size of the other curve": lambda signature: (
            _pair(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]), 80 - size)
            if size < 40
            else signature[16:48] + signature[64:]
        ),
    }


def _bent(half: int) -> dict[str, Spoil]:
    flipped = {
        f"bit {bit} of byte {at} flipped": lambda signature, at=at, bit=bit: (
            signature[:at] + bytes([signature[at] ^ 1 << bit]) + signature[at + 1 :]
        )
        for at, bit in product((0, half - 1, half, 2 * half - 1), (0, 7))
    }
    return flipped | {
        "empty": lambda _: b"",
        "one byte": lambda _: b"\0",
        "all zero": lambda signature: bytes(len(signature)),
        "all ones": lambda signature: b"\xff" * len(signature),
        "twice": lambda signature: signature * 2,
        "a byte more": lambda signature: signature + b"\0",
        "4 kB": lambda signature: signature.ljust(4096, b"\0"),
    }


def _pair(r: int, s: int, size: int) -> bytes:
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _change(signature: bytes, change: Callable[[int, int], tuple[int, int]]) -> bytes:
    half = len(signature) // 2
    r, s = change(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    return _pair(r, s, max(half, (max(r, s).bit_length() + 7) // 8))


def _little(value: int) -> bytes:
    return value.to_bytes(33 if value >= 2**256 else 32, "little")


def _read_s(signature: bytes) -> int:
    return int.from_bytes(signature[32:], "little")


def _sum_to_infinity(sound: Sound, key: PrivateKey) -> str:
    # u1 G + u2 Q = (e + r d) / s G, which is no point for r = -e / d.
    assert isinstance(key.private, ec.EllipticCurvePrivateKey)
    curve = key.jwk["crv"]
    n, size = ORDERS[curve], SIZES[curve]
    digest = Hash(HASHES[key.alg])
    digest.update(sound.encode().rpartition(".")[0].encode())
    e = int.from_bytes(digest.finalize())
    r = -e * pow(key.private.private_numbers().private_value, -1, n) % n
    return sound.with_signature(_pair(r, 1, size))


def _sign_with_r(sound: Sound, key: PrivateKey, y: int) -> str:
    # 0 B = R + h A - h A: right by arithmetic for R = 0, whose one spelling is y = 1 (RFC 8032, section 5.1.3).
    assert isinstance(key.private, Ed25519PrivateKey)
    seed = key.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    scalar = int.from_bytes(sha512(seed).digest()[:32], "little") & (2**254 - 8) | 2**254
    message = sound.encode().rpartition(".")[0].encode()
    r, a = _little(y), b64url_decode(key.jwk["x"])
    h = int.from_bytes(sha512(r + a + message).digest(), "little")
    return sound.with_signature(r + _little(h * scalar % L))
