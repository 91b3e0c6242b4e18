"""The JSON Canonicalization Scheme. Source: RFC 8785.

The reference implementation is in Python and would take half of the time of a decision. The interpreter's own encoder
writes the same bytes wherever all is ASCII and no number is a fraction or very large, which is checked here; anything
else goes the slow way.
"""

import json
from typing import Any

import rfc8785

_LARGEST_EXACT = 2**53 - 1
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


class _NeedsCareError(ValueError):
    """A number whose canonical form is another."""


def _refuse(_text: str) -> None:
    raise _NeedsCareError


def _check_integer(text: str) -> None:
    if abs(int(text)) > _LARGEST_EXACT:
        raise _NeedsCareError


_read = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse, parse_int=_check_integer).decode


def canonicalize(value: Any) -> bytes:
    """Return the canonical form of a JSON value whose objects have text as names.

    Raises:
        rfc8785.CanonicalizationError: It has none.
    """
    try:
        text = _encode(value)
        if text.isascii():
            _read(text)
            return text.encode()
    except (TypeError, ValueError):
        pass  # the slow way says what is wrong
    canonical: bytes = rfc8785.dumps(value)
    return canonical
