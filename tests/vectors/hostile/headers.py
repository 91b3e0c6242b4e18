"""Headers that are wrong though the signature over them is good: algorithms, types, key names, extensions."""

import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.credentials.encoding import b64url_decode, b64url_encode
from service.credentials.jose import load_key
from tests.vectors.hostile.tokens import Flaw, Sound, new_key

UNSIGNED = ["none", "None", "NONE", "nOnE"]
OTHER_ALGORITHMS = ["es256", "ES256 ", "ES256K", "ES512", "HS256", "RS256", "PS256", "dir", "A128GCM", "", "ECDH-ES"]
NO_ALGORITHMS = [None, 7, True, ["ES256"], {"alg": "ES256"}, ...]
# U+212A lowers to k, U+017F raises to S; full-width letters fold under NFKC.
LOOK_ALIKES = {"kelvin sign": str.maketrans("k", "\u212a"), "full width": str.maketrans("jwt", "\uff4a\uff57\uff54")}
NO_TEXTS = [7, None, True, ["x"], {"x": 1}]
OTHER_KIDS = [
    "../passphrase",
    "' OR 1=1 --",
    "",
    "\u0131ssuer",
    "k" * 2000,
    "%2e%2e%2f",
    "${jndi:ldap://x}",
    "\U0001f511",
]


def list_header_flaws() -> list[Flaw]:
    """Return header flaws that every reader refuses."""
    flaws = [_header(f"alg {alg!r}", "form", alg=alg) for alg in (*UNSIGNED, *NO_ALGORITHMS)]
    flaws += [_header(f"alg {alg!r}", "alg", alg=alg) for alg in OTHER_ALGORITHMS]
    flaws += [
        Flaw(f"alg none in {form}", "form", _unsign(alg)) for alg, form in (("none", "lower case"), ("NoNe", "mixed"))
    ]
    flaws += [Flaw(f"HS256 under the {name}", "alg", _hmac_with(read)) for name, read in _SECRETS.items()]
    flaws += [Flaw("a key in the header, which signed", "signature", _bring_key)]
    flaws += [_header(f"crit {crit!r}", "form", crit=crit) for crit in (["x"], ["b64"], ["exp"], [], "x", None, 1)]
    flaws += [_header(f"b64 {b64!r}", "form", b64=b64, crit=["b64"]) for b64 in (False, True)]
    flaws += [_header(f"b64 {b64!r} alone", "form", b64=b64) for b64 in (False, True, None)]
    flaws += [_header(f"typ {typ!r}", "form", typ=typ) for typ in NO_TEXTS]
    flaws += [_header(f"kid {kid!r}", "form", kid=kid) for kid in NO_TEXTS]
    flaws += [_header(f"typ {typ!r}", "typ", typ=typ) for typ in ("JWT", "jwt", "at+jwt ", "", "application/json", ...)]
    flaws += [Flaw(f"typ in {name}", "typ", _translate_typ(table)) for name, table in LOOK_ALIKES.items()]
    flaws += [Flaw("typ twice application/", "typ", _prefix_typ)]
    return flaws


def list_kid_flaws() -> list[Flaw]:
    """Return names of no key; only for readers that look a key up by its name."""
    flaws = [_header(f"kid {kid[:20]!r}", "kid", kid=kid) for kid in OTHER_KIDS]
    flaws += [_header("no kid", "kid", kid=...)]
    flaws += [Flaw(f"kid {name}", "kid", _change_kid(change)) for name, change in _KID_CHANGES.items()]
    return flaws


def _header(name: str, kind: str, **changes: Any) -> Flaw:
    return Flaw(name, kind, lambda sound: sound.with_header(**changes))


def _unsign(alg: str) -> Callable[[Sound], str]:
    return lambda sound: sound.with_header(alg=alg).rpartition(".")[0] + "."


def _hmac_with(read_secret: Callable[[Sound], bytes]) -> Callable[[Sound], str]:
    def spoil(sound: Sound) -> str:
        head = sound.with_header(alg="HS256").rpartition(".")[0]
        return f"{head}.{b64url_encode(hmac.digest(read_secret(sound), head.encode(), 'sha256'))}"

    return spoil


def _encode_key(encoding: Encoding, form: PublicFormat) -> Callable[[Sound], bytes]:
    return lambda sound: load_key(sound.jwk).key.public_bytes(encoding, form)


_SECRETS: dict[str, Callable[[Sound], bytes]] = {
    "key in PEM": _encode_key(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "key in DER": _encode_key(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "JWK": lambda sound: json.dumps(sound.jwk).encode(),
    "x coordinate": lambda sound: b64url_decode(sound.jwk["x"]),
    "empty secret": lambda _: b"",
}


def _bring_key(sound: Sound) -> str:
    other = new_key("ES256")
    brought = {"jwk": other.jwk, "jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x5u", "alg": "ES256"}
    return Sound({**sound.header, **brought}, sound.claims, other.jwk, other.sign).encode()


def _translate_typ(table: dict[int, int]) -> Callable[[Sound], str]:
    def spoil(sound: Sound) -> str:
        typ = sound.header["typ"]
        changed = typ.translate(table)
        return sound.with_header(typ=changed if changed != typ else typ + "\u200b")

    return spoil


def _prefix_typ(sound: Sound) -> str:
    return sound.with_header(typ=f"application/application/{sound.header['typ']}")


def _change_kid(change: Callable[[str], str]) -> Callable[[Sound], str]:
    return lambda sound: sound.with_header(kid=change(sound.header["kid"]))


_KID_CHANGES: dict[str, Callable[[str], str]] = {
    "in the other case": str.swapcase,
    "with a space": lambda kid: kid + " ",
    "with a slash": lambda kid: kid + "/",
    "cut off": lambda kid: kid[:-1],
    "with a joiner": lambda kid: kid + "\u200d",
    "as a wildcard": lambda kid: kid[:-1] + "%",
}
