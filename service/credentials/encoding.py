"""Strict base64url and JSON: one byte sequence per value, and bounded work on hostile input."""

import json
import math
import re
import string
from binascii import a2b_base64, b2a_base64
from json.scanner import make_scanner
from typing import Any

from service.errors import MalformedError


class MalformedJoseError(MalformedError):
    """Text that is no well-formed base64url, JSON, JWK or compact JWS."""

    code = "malformed"


# Maps base64url to what the decoder of the standard library reads, and base64's own signs to one that it refuses.
_TO_BASE64URL = bytes.maketrans(b"+/", b"-_")
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/!!!")
# By length modulo 4: the characters whose surplus bits are 0. A remainder of 1 never gets past the decoder.
_BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_LAST_CHARACTERS = ("", "", _BASE64URL[::16], _BASE64URL[::4])
_PADDING = (b"", b"===", b"==", b"=")


def b64url_encode(data: bytes) -> str:
    """Encode ``data`` as base64url without padding.

    Source: RFC 7515, section 2.
    """
    return b2a_base64(data, newline=False).translate(_TO_BASE64URL).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Decode base64url, accepting only what :func:`b64url_encode` would have written.

    Raises:
        MalformedJoseError: Padding, white space, a foreign character, an impossible length, or tail bits that aren't 0.

    Source: RFC 7515, section 2; RFC 4648, sections 3.2, 3.3, 3.5 and 5.
    """
    surplus = len(text) % 4
    try:
        data = a2b_base64(text.encode("ascii").translate(_TO_BASE64) + _PADDING[surplus], strict_mode=True)
    except ValueError as error:
        raise MalformedJoseError("The text isn't unpadded base64url.") from error
    # The decoder drops the bits of the last character that make no whole byte; they must be 0.
    if surplus and text[-1] not in _LAST_CHARACTERS[surplus]:
        raise MalformedJoseError("The text isn't canonical base64url.")
    return data


def parse_json(data: bytes | str, *, max_bytes: int = 262_144, max_depth: int = 32) -> Any:
    """Parse JSON that has one meaning for every reader.

    Args:
        data: A UTF-8 encoded JSON text, or the decoded text.
        max_bytes: Largest size of the encoded text, in bytes.
        max_depth: How deep arrays and objects may nest; ``[]`` has depth 1.

    Raises:
        MalformedJoseError: Too long or too deep, not UTF-8, no JSON, a repeated member name, ``NaN`` or ``Infinity``,
            a number too large for a double, a surrogate without its pair, or U+0000, which PostgreSQL keeps in no text.

    Source: RFC 8259, sections 4, 6 and 8; RFC 7493 (I-JSON), section 2.
    """
    try:
        raw, text = (data, None) if isinstance(data, bytes) else (data.encode(), data)
        if len(raw) > max_bytes:
            raise MalformedJoseError(f"The JSON text is longer than {max_bytes} bytes.")
        if text is None:
            text = raw.decode()
        # The decoder recurses once per level, so depth is checked before it runs.
        if raw.count(b"{") + raw.count(b"[") > max_depth:
            _check_depth(text, max_depth)
        value = _decode(text)
        if "\\u" in text:
            if _ESCAPED_NUL.search(text):
                raise MalformedJoseError("The JSON text holds the character U+0000.")
            json.dumps(value, ensure_ascii=False).encode()  # fails on a surrogate that came in as an escape
    except ValueError as error:
        raise MalformedJoseError("The text isn't valid JSON.") from error
    return value


def write_json(value: Any) -> bytes:
    """Write compact UTF-8 JSON in the order of the members.

    Raises:
        ValueError: ``NaN`` or ``Infinity`` inside ``value``.
    """
    return _ENCODER.encode(value).encode()


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))  # dumps makes one per call


# An escape only if the backslash itself is not escaped.
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

# Possessive, and content to end without a closing quote: linear time on any text.
_STRING_OR_BRACKET = re.compile(r'(?s)"(?:[^"\\]++|\\.)*+"?|[\[\]{}]')


def _check_depth(text: str, max_depth: int) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        found = match[0]
        if found in "[{":
            depth += 1
            if depth > max_depth:
                raise MalformedJoseError(f"The JSON text nests deeper than {max_depth}.")
        elif found in "]}":
            depth -= 1


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedJoseError("A JSON object repeats a member name.")
    return members


def _parse_finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise MalformedJoseError("A JSON number is too large.")
    return number


def _refuse_constant(_: str) -> float:
    raise MalformedJoseError("NaN and Infinity aren't JSON.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members, parse_float=_parse_finite, parse_constant=_refuse_constant
)
_scan = make_scanner(_DECODER)  # type: ignore[arg-type]  # typeshed declares the class as its own argument


def _decode(text: str) -> Any:
    """Decode a whole text; without white space around it, the decoder's own search for that is left out."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return value if end == len(text) else _DECODER.decode(text)
