"""IETF Token Status List: statuses of one to eight bits, packed, compressed and signed.

Source: draft-ietf-oauth-status-list-20.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from service.credentials.jose import (
    InvalidClaimsError,
    MalformedJoseError,
    VerificationKey,
    b64url_decode,
    b64url_encode,
    check_times,
    parse_json,
    parse_jws,
    read_numeric_date,
    verify_jws,
)
from service.errors import VerificationError

VALID, INVALID, SUSPENDED = 0, 1, 2

TYP = "statuslist+jwt"
MAX_PACKED_BYTES = 8 * 1024 * 1024
"""Largest list after inflation: 67 million one-bit statuses. zlib needs twice that while it joins its blocks."""
MAX_TOKEN_BYTES = 2 * 1024 * 1024
"""Largest Status List Token: a million incompressible statuses of one byte, with room for base64url twice."""
MAX_AGGREGATED = 64
"""Most lists that are taken from one aggregation."""

_BITS = (1, 2, 4, 8)
_COMPARED_BYTES = 4096
_LEEWAY = timedelta(seconds=60)


class StatusIndexError(VerificationError):
    """The status list has no such index."""

    code = "status_index_out_of_range"
    check = "status"


def get_status(packed: bytes | bytearray, bits: int, index: int) -> int:
    """Return the status at ``index``.

    Args:
        packed: Statuses, lowest bits of the first byte first.
        bits: Bits per status: 1, 2, 4 or 8.
        index: An integer from 0; a boolean isn't one.

    Raises:
        StatusIndexError: ``index`` isn't an integer, or the list doesn't reach it.

    Source: draft-ietf-oauth-status-list-20, sections 4.1 and 8.3.
    """
    byte, shift = _locate(packed, bits, index)
    return packed[byte] >> shift & (1 << bits) - 1


def set_status(packed: bytearray, bits: int, index: int, value: int) -> None:
    """Set the status at ``index`` in place; see :func:`get_status` for the arguments.

    Raises:
        StatusIndexError: As for :func:`get_status`.
        ValueError: ``value`` doesn't fit into ``bits``.
    """
    mask = (1 << bits) - 1
    if not 0 <= value <= mask:
        raise ValueError(f"status {value} doesn't fit into {bits} bits")
    byte, shift = _locate(packed, bits, index)
    packed[byte] = packed[byte] & ~(mask << shift) & 0xFF | value << shift


def encode_status_list(packed: bytes | bytearray, bits: int) -> dict[str, Any]:
    """Compress packed statuses into the ``status_list`` claim.

    Returns:
        ``{"bits": 1 | 2 | 4 | 8, "lst": base64url of zlib data}``.

    Source: draft-ietf-oauth-status-list-20, sections 4.1 and 4.2.
    """
    if bits not in _BITS:
        raise ValueError(f"bits must be one of {_BITS}")
    return {"bits": bits, "lst": b64url_encode(zlib.compress(packed, level=9))}


def decode_status_list(status_list: Any) -> tuple[int, bytes]:
    """Inflate a ``status_list`` claim of unknown origin, never past ``MAX_PACKED_BYTES``.

    Returns:
        Bits per status, and the packed statuses.

    Raises:
        MalformedJoseError: Not an object, ``bits`` not one of 1, 2, 4 and 8, or ``lst`` not base64url of exactly one
            complete zlib stream that stays within the limit.

    Source: draft-ietf-oauth-status-list-20, sections 4.1, 4.2 and 11.1.
    """
    if not isinstance(status_list, dict):
        raise MalformedJoseError("The status list isn't a JSON object.")
    bits, lst = status_list.get("bits"), status_list.get("lst")
    if type(bits) is not int or bits not in _BITS or not isinstance(lst, str):
        raise MalformedJoseError("The status list's bits or lst is missing or of the wrong type.")
    return bits, inflate(b64url_decode(lst))


def inflate(data: bytes, *, wbits: int = zlib.MAX_WBITS, max_bytes: int = MAX_PACKED_BYTES) -> bytes:
    """Inflate a status list of unknown origin, never past ``max_bytes``; ``wbits`` names its form as in ``zlib``.

    Raises:
        MalformedJoseError: Not exactly one complete stream of that form that stays within the limit.
    """
    decompressor = zlib.decompressobj(wbits)
    try:
        packed = decompressor.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise MalformedJoseError("The status list isn't compressed as it has to be.") from error
    if not decompressor.eof or decompressor.unused_data or len(packed) > max_bytes:
        raise MalformedJoseError("The status list is cut off, goes on after its end, or is too large.")
    return packed


def build_status_list_claims(
    *,
    uri: str,
    bits: int,
    packed: bytes | bytearray,
    issued_at: datetime,
    expires_at: datetime,
    ttl: timedelta,
) -> dict[str, Any]:
    """Build the claims of a Status List Token; its header carries ``typ`` = ``TYP``.

    Args:
        uri: Where the token is served; what credentials name in ``status.status_list.uri``.
        bits: Bits per status.
        packed: Statuses as :func:`set_status` left them.
        issued_at: Timezone-aware; written in whole seconds.
        expires_at: Timezone-aware; written in whole seconds.
        ttl: How long a verifier may go without asking again; at least a second.

    Source: draft-ietf-oauth-status-list-20, section 5.1.
    """
    return {
        "sub": uri,
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
        "ttl": int(ttl.total_seconds()),
        "status_list": encode_status_list(packed, bits),
    }


class Packed(NamedTuple):
    """Statuses of so many bits each, lowest bits of the first byte first."""

    bits: int
    packed: bytes

    def status_at(self, index: int) -> int:
        """Return the status at ``index``; see :func:`get_status`."""
        return get_status(self.packed, self.bits, index)


def list_changed_entries(before: Packed, after: Packed) -> list[int]:
    """Return the indices at which two copies of a list differ, as far as both reach."""
    if before.bits != after.bits:
        reach = min(len(each.packed) * 8 // each.bits for each in (before, after))
        return [n for n in range(reach) if before.status_at(n) != after.status_at(n)]
    changed, per_byte = list[int](), 8 // after.bits
    for start in range(0, min(len(before.packed), len(after.packed)), _COMPARED_BYTES):
        old, new = (each.packed[start : start + _COMPARED_BYTES] for each in (before, after))
        if old == new:
            continue
        for offset, (first, second) in enumerate(zip(old, new, strict=False)):
            if first != second:
                indices = range((start + offset) * per_byte, (start + offset + 1) * per_byte)
                changed += (n for n in indices if before.status_at(n) != after.status_at(n))
    return changed


@dataclass(frozen=True, slots=True)
class StatusList:
    """A verified Status List Token.

    Attributes:
        uri: Its ``sub``.
        bits: Bits per status.
        packed: Statuses, lowest bits of the first byte first.
        issued_at: Timezone-aware UTC.
        expires_at: Timezone-aware UTC; past it the list says nothing.
        ttl: How long the issuer lets a copy go without asking again.
        aggregation_uri: Where the issuer's other lists are named, or None.
    """

    uri: str
    bits: int
    packed: bytes
    issued_at: datetime
    expires_at: datetime | None
    ttl: timedelta | None
    aggregation_uri: str | None = None

    def status_at(self, index: int) -> int:
        """Return the status at ``index``; see :func:`get_status`."""
        return get_status(self.packed, self.bits, index)


def verify_status_list_token(token: str, key: VerificationKey, *, expected_uri: str, now: datetime) -> StatusList:
    """Verify a Status List Token in JWT form.

    Pure: whether ``key`` may speak for the credential's issuer, and whether a newer list was seen, is the caller's.

    Args:
        token: Compact JWS.
        key: Key of the issuer or of its status provider.
        expected_uri: The ``uri`` of the credential's ``status_list`` reference.
        now: Timezone-aware.

    Raises:
        MalformedJoseError: Not a compact JWS, or a ``status_list`` that :func:`decode_status_list` refuses.
        InvalidSignatureError: Not signed by ``key``.
        InvalidClaimsError: Another ``typ``, ``sub`` other than ``expected_uri``, no ``iat``, expired, issued more than
            60 s ahead, or ``ttl`` not a positive integer.

    Source: draft-ietf-oauth-status-list-20, sections 5.1 and 8.3.
    """
    claims = verify_jws(parse_jws(token, max_bytes=MAX_TOKEN_BYTES), key, expected_typ=(TYP,))
    if claims.get("sub") != expected_uri:
        raise InvalidClaimsError("The status list token is about another list.")
    check_times(claims, now=now, leeway=_LEEWAY, require_exp=False)
    issued_at, expires_at = _read_instant(claims, "iat"), _read_instant(claims, "exp")
    if issued_at is None:
        raise InvalidClaimsError("The status list token has no iat.")
    bits, packed = decode_status_list(claims.get("status_list"))
    aggregation_uri = _read_aggregation_uri(claims["status_list"])
    return StatusList(expected_uri, bits, packed, issued_at, expires_at, _read_ttl(claims), aggregation_uri)


def parse_aggregation(body: bytes) -> list[str]:
    """Read a Status List Aggregation of unknown origin; what it names is to be fetched and verified like any list.

    Returns:
        Addresses in their order, each once, at most ``MAX_AGGREGATED``; further ones are left out.

    Raises:
        MalformedJoseError: No JSON object with ``status_lists``, an array of texts.

    Source: draft-ietf-oauth-status-list-20, section 9.3.
    """
    document = parse_json(body)
    uris = document.get("status_lists") if isinstance(document, dict) else None
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise MalformedJoseError("The status list aggregation has no array of status_lists.")
    return list(dict.fromkeys(uris))[:MAX_AGGREGATED]


def _locate(packed: bytes | bytearray, bits: int, index: int) -> tuple[int, int]:
    if type(index) is not int or not 0 <= index < len(packed) * 8 // bits:
        raise StatusIndexError("The status list has no such index.")
    byte, position = divmod(index, 8 // bits)
    return byte, position * bits


def _read_instant(claims: Mapping[str, Any], name: str) -> datetime | None:
    seconds = read_numeric_date(claims, name)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _read_aggregation_uri(status_list: Mapping[str, Any]) -> str | None:
    uri = status_list.get("aggregation_uri")
    if uri is not None and not isinstance(uri, str):
        raise MalformedJoseError("The status list's aggregation_uri isn't a text.")
    return uri


def _read_ttl(claims: Mapping[str, Any]) -> timedelta | None:
    if "ttl" not in claims:
        return None
    ttl = read_numeric_date(claims, "ttl")
    if not ttl:
        raise InvalidClaimsError("The status list token's ttl isn't positive.")
    return timedelta(seconds=ttl)
