"""The JSON Canonicalization Scheme. Source: RFC 8785.

The reference implementation is in Python and would take half of the time of a decision. orjson writes the same bytes
wherever all is ASCII and no number is a fraction or very large, which is checked here; anything else goes the slow way.
"""

from collections.abc import Collection, Mapping
from typing import Any

import orjson
import rfc8785

_AS_THEY_ARE = frozenset((str, bool, int, type(None)))
_CONTAINERS = frozenset((dict, list, tuple))
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def canonicalize(value: Any) -> bytes:
    """Return the canonical form of a JSON value whose objects have text as names.

    Raises:
        rfc8785.CanonicalizationError: It has none.
    """
    return write_canonical(value).encode()


def write_canonical(value: Any) -> str:
    """Return the canonical form as text; arguments and errors as ``canonicalize``."""
    if _are_simple((value,)):
        try:
            encoded = orjson.dumps(value, option=_OPTIONS)
        except orjson.JSONEncodeError:
            pass  # the slow way says what is wrong
        else:
            if encoded.isascii():
                return encoded.decode()
    canonical: bytes = rfc8785.dumps(value)
    return canonical.decode()


def join_members(members: Mapping[str, str]) -> str:
    """Return the canonical form of an object from the canonical forms of its members, so that each is written once.

    Args:
        members: Canonical texts by name; names are ASCII letters, digits and signs that JSON does not escape.
    """
    return "{" + ",".join([f'"{name}":{members[name]}' for name in sorted(members)]) + "}"


def _are_simple(values: Collection[Any]) -> bool:
    """Tell whether orjson writes all in here as it is written canonically; of large numbers it tells itself."""
    if _AS_THEY_ARE.issuperset(map(type, values)):
        return True
    for each in values:
        kind = type(each)
        if kind in _AS_THEY_ARE:
            continue
        if kind not in _CONTAINERS or not _are_simple(each.values() if kind is dict else each):
            return False
    return True
