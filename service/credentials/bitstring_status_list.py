"""Status lists of the W3C: one bit for each credential and purpose, compressed.

A bit of a list becomes what the Token Status List would say in its place, so that all that keeps and reads lists need
not tell the two apart. A reference to such a list names its purpose behind ``#``.

Source: Bitstring Status List 1.0; StatusList2021 (W3C CCG, 2023).
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from service.credentials.credential import StatusReference
from service.credentials.jose import MalformedJoseError, b64url_decode, b64url_encode
from service.credentials.jwt_claims import MAX_URI_CHARACTERS
from service.credentials.sd_jwt_errors import StatusReferenceError
from service.credentials.status_list import INVALID, MAX_PACKED_BYTES, SUSPENDED, inflate

PACKED_BITS = 2
PURPOSES = {"revocation": INVALID, "suspension": SUSPENDED, "message": 3}
"""What a set bit means; that there is a message says nothing that we could take for "valid"."""
PUBLISHED_PURPOSES = ("revocation", "suspension")
"""What our own lists are published for, each at an address of its own."""
ENTRY_TYPES = ("BitstringStatusListEntry", "StatusList2021Entry")
MIN_BITSTRING_BYTES = 16_384
MAX_BITSTRING_BYTES = MAX_PACKED_BYTES // PACKED_BITS
MAX_ENTRIES = 8
_HARMLESS = "refresh"
# What is revoked stays suspended: who reads a fresh list of suspensions beside an older one of revocations must not
# find neither.
_SETTING = {"revocation": (INVALID,), "suspension": (INVALID, SUSPENDED)}
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")
_GZIP_BITS = 16 + zlib.MAX_WBITS


def read_status_entries(document: Mapping[str, Any]) -> tuple[StatusReference, ...]:
    """Return where the status of a credential is published, purpose by purpose; none without ``credentialStatus``.

    The purpose ``refresh`` invalidates nothing, so it is left out once it is well-formed.

    Raises:
        StatusReferenceError: An entry of a type or purpose that we do not know, which would be a status that we never
            see; of another size than one bit; without an index in plain decimals or the address of a list.

    Source: Bitstring Status List 1.0, sections 1.2 (entries of one bit are enough) and 2.1.
    """
    if "credentialStatus" not in document:
        return ()
    value = document["credentialStatus"]
    entries = value if isinstance(value, list) else [value]
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise StatusReferenceError(f"credentialStatus does not hold between 1 and {MAX_ENTRIES} entries.")
    references = [_read_entry(entry) for entry in entries]
    return tuple(dict.fromkeys(each for each in references if not each.uri.endswith(f"#{_HARMLESS}")))


def split_reference(uri: str) -> tuple[str, str | None]:
    """Return the address of a list and the purpose that a reference names; None for a Token Status List."""
    address, _, purpose = uri.partition("#")
    return (address, purpose) if purpose in PURPOSES else (uri, None)


def address_bitstring(list_uri: str, purpose: str) -> str:
    """Return where a Token Status List of ours is published for one purpose."""
    return f"{list_uri}/{purpose}"


def build_status_entries(
    reference: StatusReference, purposes: Sequence[str] = PUBLISHED_PURPOSES
) -> list[dict[str, Any]]:
    """Write a place in a Token Status List of ours as ``credentialStatus``.

    Args:
        reference: The place.
        purposes: Out of ``PUBLISHED_PURPOSES``. ``suspension`` alone says enough, as it is set for what is revoked too.

    Source: Bitstring Status List 1.0, section 2.1; VCDM 1.1, section 4.9, wants an ``id``.
    """
    addresses = {purpose: address_bitstring(reference.uri, purpose) for purpose in purposes}
    return [
        {
            "id": f"{address}#{reference.index}",
            "type": ENTRY_TYPES[0],
            "statusPurpose": purpose,
            "statusListIndex": str(reference.index),
            "statusListCredential": address,
        }
        for purpose, address in addresses.items()
    ]


def merge_references(references: Iterable[StatusReference], own_prefix: str) -> tuple[StatusReference, ...]:
    """Return the entries to read: of ours, the place that all purposes are derived from, once.

    Args:
        references: Of one credential.
        own_prefix: What the addresses of our own lists begin with.
    """
    return tuple(dict.fromkeys(_find_place(each) if each.uri.startswith(own_prefix) else each for each in references))


def extract_bitstring(packed: bytes | bytearray, purpose: str) -> bytes:
    """Return what a Token Status List of ``PACKED_BITS`` says for one purpose, never too short to hide anybody in.

    Args:
        packed: Statuses, lowest bits of the first byte first.
        purpose: One of ``PUBLISHED_PURPOSES``.

    Source: Bitstring Status List 1.0, sections 3.3 and 6.1.
    """
    padded = bytes(packed).ljust(MIN_BITSTRING_BYTES * PACKED_BITS, b"\0")
    nibbles = [_gather(byte, _SETTING[purpose]) for byte in range(256)]
    high = padded[0::2].translate(bytes(nibble << 4 for nibble in nibbles))
    low = padded[1::2].translate(bytes(nibbles)).ljust(len(high), b"\0")
    return (int.from_bytes(high) | int.from_bytes(low)).to_bytes(len(high))


def encode_bitstring(bitstring: bytes | bytearray) -> str:
    """Compress bits, the first of them the highest of the first byte, into ``encodedList``.

    Source: Bitstring Status List 1.0, section 3.3.
    """
    return "u" + b64url_encode(zlib.compress(bitstring, level=9, wbits=_GZIP_BITS))


def decode_bitstring(encoded: Any, purpose: str, *, multibase: bool) -> bytes:
    """Inflate an ``encodedList`` of unknown origin, never past ``MAX_BITSTRING_BYTES``.

    Args:
        encoded: Untrusted.
        purpose: One of ``PURPOSES``.
        multibase: Whether ``u`` stands before the base64url; in StatusList2021 it does not.

    Returns:
        Statuses of ``PACKED_BITS`` bits as a Token Status List packs them.

    Raises:
        MalformedJoseError: Not that, not exactly one complete gzip member, too long, or shorter than 131,072 entries.

    Source: Bitstring Status List 1.0, sections 2.2 and 3.4; StatusList2021, section 4.2.
    """
    if not isinstance(encoded, str) or (multibase and not encoded.startswith("u")):
        raise MalformedJoseError("The status list's encodedList isn't multibase base64url.")
    data = b64url_decode(encoded.removeprefix("u") if multibase else encoded)
    bitstring = inflate(data, wbits=_GZIP_BITS, max_bytes=MAX_BITSTRING_BYTES)
    if len(bitstring) < MIN_BITSTRING_BYTES:
        raise MalformedJoseError("The status list is too short to hide anybody in.")
    return _pack(bitstring, PURPOSES[purpose])


def _read_entry(entry: Any) -> StatusReference:
    match entry:
        case {
            "type": str() as kind,
            "statusPurpose": str() as purpose,
            "statusListIndex": str() as index,
            "statusListCredential": str() as uri,
        } if kind in ENTRY_TYPES and (purpose in PURPOSES or purpose == _HARMLESS):
            size = entry.get("statusSize", 1)
            if type(size) is not int or size != 1 or len(_read_messages(entry)) != 2:
                raise StatusReferenceError("The status entry is not of one bit.")
            if _INDEX.fullmatch(index) and 0 < len(uri) <= MAX_URI_CHARACTERS and "#" not in uri:
                return StatusReference(f"{uri}#{purpose}", int(index))
    raise StatusReferenceError("The credential's credentialStatus is of no kind that can be read.")


def _read_messages(entry: Mapping[str, Any]) -> list[Any]:
    messages = entry.get("statusMessage", ["unset", "set"])
    return messages if isinstance(messages, list) else []


def _pack(bitstring: bytes, value: int) -> bytes:
    """Write ``value`` for each set bit, the highest bits first in, the lowest first out."""
    packed = bytearray(len(bitstring) * PACKED_BITS)
    packed[0::2] = bitstring.translate(bytes(_spread(byte >> 4, value) for byte in range(256)))
    packed[1::2] = bitstring.translate(bytes(_spread(byte & 15, value) for byte in range(256)))
    return bytes(packed)


def _spread(nibble: int, value: int) -> int:
    return sum(value << PACKED_BITS * place for place in range(4) if nibble >> (3 - place) & 1)


def _gather(byte: int, values: tuple[int, ...]) -> int:
    """Return four bits, the first status highest, each set where it has one of ``values``."""
    return sum(8 >> place for place in range(4) if (byte >> PACKED_BITS * place & 3) in values)


def _find_place(reference: StatusReference) -> StatusReference:
    address, purpose = split_reference(reference.uri)
    if purpose not in PUBLISHED_PURPOSES or not address.endswith(f"/{purpose}"):
        return reference
    return StatusReference(address.removesuffix(f"/{purpose}"), reference.index)
