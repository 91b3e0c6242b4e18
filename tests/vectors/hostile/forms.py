"""Texts that are no compact JWS, or whose parts are no strict JSON, though the signature may be good."""

import json
from collections.abc import Callable

from service.credentials.encoding import b64url_encode
from tests.vectors.hostile.tokens import Flaw, Sound, dump

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def list_form_flaws() -> list[Flaw]:
    """Return texts that every reader refuses before it looks for a key."""
    flaws = [Flaw(name, "form", _respell(change)) for name, change in _SPELLINGS.items()]
    flaws += [Flaw(f"header: {name}", "form", _respell_header(change)) for name, change in _JSON_TEXTS.items()]
    flaws += [Flaw(f"payload: {name}", "form", _respell_payload(change)) for name, change in _JSON_TEXTS.items()]
    return flaws


def _respell(change: Callable[[str], str]) -> Callable[[Sound], str]:
    return lambda sound: change(sound.encode())


def _respell_header(change: Callable[[bytes], bytes]) -> Callable[[Sound], str]:
    return lambda sound: sound.encode_bytes(header=change(dump(sound.header)))


def _respell_payload(change: Callable[[bytes], bytes]) -> Callable[[Sound], str]:
    return lambda sound: sound.encode_bytes(payload=change(dump(sound.claims)))


def _part(at: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def respell(token: str) -> str:
        parts = token.split(".")
        parts[at] = change(parts[at])
        return ".".join(parts)

    return respell


def _raise_tail(part: str) -> str:
    # A last character that decodes to the same bytes: surplus bits set. Parts of whole triples get a new character.
    if len(part) % 4 == 0:
        return part + "A"
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) | 1]


def _to_json_serialization(token: str) -> str:
    header, payload, signature = token.split(".")
    return json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})


_SPELLINGS: dict[str, Callable[[str], str]] = {
    "no signature and no separator": lambda token: token.rpartition(".")[0],
    "no payload": _part(1, lambda _: ""),
    "no payload and no separator": lambda token: ".".join(token.split(".")[::2]),
    "no header": _part(0, lambda _: ""),
    "no header and no separator": lambda token: token.partition(".")[2],
    "payload alone": lambda token: token.split(".")[1],
    "two separators": lambda _: "..",
    "an empty part more": lambda token: token + ".",
    "an empty part before": lambda token: "." + token,
    "a part more": lambda token: token + ".AAAA",
    "five parts": lambda token: token + ".AAAA.AAAA",
    "JSON serialization": _to_json_serialization,
    "white space before": lambda token: " " + token,
    "white space behind": lambda token: token + " ",
    "a line feed behind": lambda token: token + "\n",
    "a line feed within": _part(1, lambda part: part[:8] + "\n" + part[8:]),
    "a byte order mark": lambda token: "\ufeff" + token,
    "a joiner within": _part(1, lambda part: part[:8] + "\u200d" + part[8:]),
    "U+0000 behind": lambda token: token + "\0",
    "full-width letters": _part(0, lambda part: part.replace("e", "\uff45")),
    "a full-width full stop": lambda token: token.replace(".", "\uff0e", 1),
    "padding on the header": _part(0, lambda part: part + "=" * (-len(part) % 4 or 4)),
    "padding on the signature": _part(2, lambda part: part + "="),
    "other tail bits in the header": _part(0, _raise_tail),
    "other tail bits in the payload": _part(1, _raise_tail),
    "other tail bits in the signature": _part(2, _raise_tail),
    "signs of base64": _part(2, lambda part: "+/" + part[2:]),
    "quoted": lambda token: f'"{token}"',
    "Bearer": lambda token: f"Bearer {token}",
    "70 kB": lambda token: token + "A" * 70_000,
    "10,000 dots": lambda token: token + "." * 10_000,
}


def _first_member(text: bytes) -> bytes:
    return dump(dict([next(iter(json.loads(text).items()))]))[1:-1]


def _add(member: bytes) -> Callable[[bytes], bytes]:
    return lambda text: text[:-1] + b"," + member + b"}"


_JSON_TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "an array": lambda text: b"[" + text + b"]",
    "a text": lambda text: dump(b64url_encode(text)),
    "null": lambda _: b"null",
    "a member twice": lambda text: text[:-1] + b"," + _first_member(text) + b"}",
    "a member twice, once escaped": lambda text: (
        text[:-1]
        + b","
        + _first_member(text)
        .replace(b'"', b'"\\u00', 1)
        .replace(_first_member(text)[1:2], b"%02x" % _first_member(text)[1], 1)
        + b"}"
    ),
    "a member twice, deep": _add(b'"more":{"a":[{"b":1,"b":1}]}'),
    "NaN": _add(b'"more":NaN'),
    "Infinity": _add(b'"more":-Infinity'),
    "1e999": _add(b'"more":1e999'),
    "a number of 5,000 digits": _add(b'"more":' + b"9" * 5000),
    "a lone surrogate": _add(b'"more":"\\ud800"'),
    "surrogates in the wrong order": _add(b'"more":"\\udc00\\ud800"'),
    "a lone surrogate as a name": _add(b'"\\ud800":1'),
    "U+0000": _add(b'"more":"\\u0000"'),
    "a control character": _add(b'"more":"\x01"'),
    "100 levels": _add(b'"more":' + b"[" * 100 + b"]" * 100),
    "10,000 levels": _add(b'"more":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "10,000 levels, open": _add(b'"more":' + b"[" * 10_000),
    "not UTF-8": _add(b'"more":"\xff"'),
    "UTF-8 too long": _add(b'"more":"\xc0\xaf"'),
    "a surrogate in UTF-8": _add(b'"more":"\xed\xa0\x80"'),
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "a comma too many": lambda text: text[:-1] + b",}",
    "a comment": lambda text: text + b"/**/",
    "single quotes": lambda text: text.replace(b'"', b"'"),
    "two texts": lambda text: text + text,
    "cut off": lambda text: text[:-1],
}
