"""JWEs that must not open: altered, for another algorithm, compressed, or under a key that is no point."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash

from service.credentials.encoding import b64url_decode, b64url_encode
from tests.vectors.hostile.keys import list_bad_jwks
from tests.vectors.hostile.tokens import PrivateKey, dump, new_key

IV = bytes(12)


@dataclass(frozen=True)
class Recipient:
    """Whom to encrypt for: a P-256 key, made into compact JWEs by hand so that every part can be another."""

    jwk: Mapping[str, Any]
    plaintext: bytes

    def encrypt(
        self,
        *,
        plaintext: bytes | None = None,
        encrypted_key: bytes = b"",
        rewrite: Callable[[bytes], bytes] = lambda header: header,
        **members: Any,
    ) -> str:
        """Encrypt with ECDH-ES and A128GCM; ``members`` change the header, whatever the key is derived for."""
        ephemeral = new_key("ES256")
        named = {"alg": "ECDH-ES", "enc": "A128GCM", "kid": self.jwk.get("kid"), "epk": ephemeral.jwk, **members}
        named = {name: value for name, value in named.items() if value is not ...}
        encoded = b64url_encode(rewrite(dump(named)))
        sealed = AESGCM(self._derive(ephemeral)).encrypt(IV, plaintext or self.plaintext, encoded.encode())
        parts = (encrypted_key, IV, sealed[:-16], sealed[-16:])
        return ".".join([encoded, *map(b64url_encode, parts)])

    def _derive(self, ephemeral: PrivateKey) -> bytes:
        assert isinstance(ephemeral.private, ec.EllipticCurvePrivateKey)
        x, y = (int.from_bytes(b64url_decode(self.jwk[name])) for name in ("x", "y"))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        shared = ephemeral.private.exchange(ec.ECDH(), public)
        other_info = b"".join((_sized(b"A128GCM"), _sized(b""), _sized(b""), (128).to_bytes(4, "big")))
        return ConcatKDFHash(SHA256(), 16, other_info).derive(shared)


def _sized(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def list_bad_jwes(recipient: Recipient) -> dict[str, str]:
    """Return JWEs by name; nothing may come of any."""
    good = recipient.encrypt()
    headers: dict[str, dict[str, Any]] = {
        **{f"alg {alg!r}": {"alg": alg} for alg in _ALGORITHMS},
        **{f"enc {enc!r}": {"enc": enc} for enc in _METHODS},
        **{
            f"epk {epk!r}": {"epk": epk}
            for epk in (..., None, 7, "x", [], {}, {"kty": "EC"}, {"kty": "oct", "k": "AA"})
        },
        **{f"apu {apu!r}": {"apu": apu} for apu in ("!", 7, None, "A")},
        **{f"crit {crit!r}": {"crit": crit} for crit in (["x"], ["exp"], "x", [])},
        **{f"zip {zip_!r}": {"zip": zip_} for zip_ in ("DEF", "GZ", "", None, 1)},
        **{f"epk with {name}": {"epk": jwk} for name, jwk in list_bad_jwks(new_key("ES256")).items() if _is_off(name)},
    }
    return {
        **{name: respell(good) for name, respell in _SPELLINGS.items()},
        **{name: recipient.encrypt(**changes) for name, changes in headers.items()},
        **{f"header {text[:20]!r}": recipient.encrypt(rewrite=lambda _, text=text: text) for text in _HEADERS},
        "a member twice": recipient.encrypt(rewrite=lambda header: b'{"enc":"A256GCM",' + header[1:]),
        "a name escaped": recipient.encrypt(rewrite=lambda header: header[:-1] + rb',"\u0065nc":"A128GCM"}'),
        "an encrypted key with ECDH-ES": recipient.encrypt(encrypted_key=bytes(16)),
        "a bomb": recipient.encrypt(zip="DEF", plaintext=deflate(bytes(10_000_000))),
        "a bomb in a bomb": recipient.encrypt(zip="DEF", plaintext=deflate(deflate(bytes(10_000_000)))),
    }


def deflate(data: bytes) -> bytes:
    """Compress as JWE's ``DEF`` does."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _is_off(name: str) -> bool:
    return not name.startswith(("private", "for ", "of ", "to ", "operations", "coordinates"))


_ALGORITHMS = [
    *("none", "dir", "RSA1_5", "RSA-OAEP", "A128KW", "A128GCMKW", "PBES2-HS256+A128KW", "ECDH-ES+A128KW", "ecdh-es"),
    *("ECDH-1PU", "", None, 7, ["ECDH-ES"], ...),
]
_METHODS = ["A128CBC-HS256", "A256CBC-HS512", "A192GCM", "none", "a128gcm", "", None, 7, ["A128GCM"], ...]
_HEADERS = [b"", b"{}", b"[]", b"null", b"7", b'"x"', b"{", b"\xff", b'{"alg":"ECDH-ES"}', b"[" * 10_000]


def _part(at: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def respell(token: str) -> str:
        parts = token.split(".")
        parts[at] = change(parts[at])
        return ".".join(parts)

    return respell


def _flip(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


_SPELLINGS: dict[str, Callable[[str], str]] = {
    **{
        f"{name} altered": _part(at, _flip)
        for at, name in ((0, "header"), (2, "initialization vector"), (3, "ciphertext"), (4, "tag"))
    },
    **{
        f"{name} empty": _part(at, lambda _: "")
        for at, name in ((0, "header"), (2, "initialization vector"), (3, "ciphertext"), (4, "tag"))
    },
    **{
        f"tag cut to {size} bytes": _part(4, lambda tag, size=size: b64url_encode(b64url_decode(tag)[:size]))
        for size in (1, 4, 8, 12, 15)
    },
    "tag of 17 bytes": _part(4, lambda tag: b64url_encode(b64url_decode(tag) + b"\0")),
    "tag of zeros": _part(4, lambda _: b64url_encode(bytes(16))),
    "vector of 8 bytes": _part(2, lambda _: b64url_encode(bytes(8))),
    "vector of 16 bytes": _part(2, lambda _: b64url_encode(bytes(16))),
    "vector padded": _part(2, lambda part: part + "="),
    "three parts": lambda token: ".".join(token.split(".")[:3]),
    "four parts": lambda token: token.rpartition(".")[0],
    "six parts": lambda token: token + ".AAAA",
    "no text": lambda _: "",
    "dots": lambda _: "....",
    "JSON serialization": lambda token: dump({"protected": token.split(".")[0], "ciphertext": token}).decode(),
    "full-width letters": _part(0, lambda part: part.replace("e", "\uff45")),
    "a lone surrogate's bytes": _part(3, lambda part: part + "%ED%A0%80"),
}
