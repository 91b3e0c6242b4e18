"""Requests that are small to send and would be dear to answer, by what they would cost."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from service.credentials.did import did_jwk_from_jwk
from service.credentials.encoding import b64url_encode
from service.credentials.jose import sign_jws
from tests.unit.sd_jwt_support import KeyPair, digest_of, make_disclosure, new_key_pair
from tests.vectors.hostile.encrypted import Recipient, deflate

MEGABYTE = 1_000_000
ZEROS = deflate(bytes(50 * MEGABYTE))


@dataclass(frozen=True)
class Bomb:
    """One request, and the answers that are right."""

    name: str
    path: str
    content: bytes
    statuses: tuple[int, ...]
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass(frozen=True)
class SelfIssuer:
    """An issuer that is its own key: whoever presents decides what is signed, so nothing is cut short."""

    keys: KeyPair
    now: int

    def issue(self, payload: dict[str, Any], disclosures: list[str]) -> str:
        claims = {"iss": did_jwk_from_jwk(self.keys.jwk), "vct": "urn:x", "exp": self.now + 600, **payload}
        token = sign_jws({"alg": "ES256", "typ": "dc+sd-jwt"}, claims, self.keys.sign)
        return "~".join([token, *disclosures, ""])


def list_credential_bombs(now: int) -> dict[str, str]:
    """Return authentic credentials that are dear to take apart."""
    issuer = SelfIssuer(new_key_pair(), now)
    many = [make_disclosure("s", f"claim-{number}", number) for number in range(500)]
    chained = _chain(60)
    return {
        "500 disclosures": issuer.issue({"_sd": [digest_of(item) for item in many]}, many),
        "decoys": issuer.issue({"_sd": [digest_of(str(number)) for number in range(900)]}, []),
        "one digest, many times": issuer.issue({"_sd": [digest_of("x")] * 900}, []),
        "disclosures in disclosures": issuer.issue({"_sd": [digest_of(chained[0])]}, chained),
        "many arrays": issuer.issue({"a": [[[]] * 50] * 150}, []),
        "many members": issuer.issue({f"m{number}": number for number in range(3_000)}, []),
        "no disclosures but separators": "~" * 200_000,
        "dots": "." * 200_000 + "~",
    }


def _chain(depth: int) -> list[str]:
    """Return disclosures of which each holds the digest of the next."""
    disclosures = [make_disclosure("s", "end", 1)]
    for number in range(depth):
        disclosures.insert(0, make_disclosure("s", f"c{number}", {"_sd": [digest_of(disclosures[0])]}))
    return disclosures


def list_body_bombs(now: int) -> Iterator[Bomb]:
    """Return requests to /v1 and to the endpoints that anybody may call."""
    for name, credential in list_credential_bombs(now).items():
        yield Bomb(name, "/v1/verify", _json({"credential": credential}), (200,))
    for name, content, statuses in (
        ("10 MB", b'{"credential": "' + b"a" * 10 * MEGABYTE + b'"}', (413,)),
        ("100,000 levels", b"[" * 100_000, (400,)),
        ("levels, closed", b'{"credential": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", (400,)),
        ("a long number", b'{"credential": ' + b"9" * 200_000 + b"}", (400,)),
        ("20,000 members", _json({str(number): 1 for number in range(15_000)}), (422,)),
    ):
        yield Bomb(name, "/v1/verify", content, statuses)
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    bomb = gzip.compress(bytes(50 * MEGABYTE), 9)
    yield Bomb("gzip", "/v1/verify", bomb, (400, 415), packed)
    yield Bomb("gzip in gzip", "/v1/verify", gzip.compress(bomb), (400, 415), packed)
    yield Bomb("a query of everything", "/v1/presentation-requests", _json({"dcql_query": _everything()}), (201, 422))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    fields = b"&".join(b"a%d=" % number for number in range(30_000))
    yield Bomb("30,000 fields", "/oauth/token", fields, (400, 401), form)
    yield Bomb("percent signs", "/oauth/token", b"a=" + b"%" * 200_000, (400, 401), form)


def _everything() -> dict[str, Any]:
    ids = [f"c{number}" for number in range(100)]
    credentials = [{"id": name, "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:x"]}} for name in ids]
    return {"credentials": credentials, "credential_sets": [{"options": [ids] * 3} for _ in range(100)]}


def list_jwe_bombs(recipient: dict[str, Any]) -> Iterator[bytes]:
    """Return forms for an encrypted answer: compressed, twice compressed, and long without any sense."""
    target = Recipient(recipient, b"{}")
    for token in (
        target.encrypt(zip="DEF", plaintext=ZEROS),
        target.encrypt(zip="DEF", plaintext=deflate(ZEROS)),
        "A" * 200_000,
        "." * 200_000,
        "A" * 50_000 + ".AAAA" * 4,
    ):
        yield b"response=" + token.encode()


def make_list_bomb(megabytes: int) -> dict[str, Any]:
    """Return the ``status_list`` of a token that is small and would be large."""
    return {"bits": 1, "lst": b64url_encode(zlib.compress(bytes(megabytes * MEGABYTE), 9))}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
