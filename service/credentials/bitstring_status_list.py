"""Status lists of the W3C: one bit or more for each credential and purpose, compressed.

What a list says becomes what the Token Status List would say in its place, so that all that keeps and reads lists need
not tell the two apart. A reference to such a list names behind ``#`` its purpose and, of several bits, how many.

Source: Bitstring Status List 1.0; StatusList2021 (W3C CCG, 2023).
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from service.credentials.credential import StatusReference
from service.credentials.jose import MalformedJoseError, b64url_decode, b64url_encode
from service.credentials.jwt_claims import MAX_URI_CHARACTERS
from service.credentials.sd_jwt_errors import StatusReferenceError
from service.credentials.status_list import INVALID, MAX_PACKED_BYTES, SUSPENDED, inflate
from service.credentials.vc_data_model import is_url

PACKED_BITS = 2
MESSAGE = "message"
_LEAST_MESSAGE = 3
PURPOSES = {"revocation": INVALID, "suspension": SUSPENDED, MESSAGE: _LEAST_MESSAGE}
"""What a set bit means; that there is a message says nothing that we could take for "valid"."""
PUBLISHED_PURPOSES = ("revocation", "suspension")
"""What our own lists are published for, each at an address of its own."""
ENTRY_TYPES = ("BitstringStatusListEntry", "StatusList2021Entry")
MIN_BITSTRING_BYTES = 16_384
MAX_BITSTRING_BYTES = MAX_PACKED_BYTES // PACKED_BITS
MAX_SIZED_BYTES = 512 * 1024
"""Of entries of several bits, each of which becomes a byte."""
MAX_SIZE = 7
"""Most bits of an entry: with what tells a message from a withdrawal, they fit into a byte."""
MAX_ENTRIES = 8
_HARMLESS = "refresh"
# What is revoked stays suspended: who reads a fresh list of suspensions beside an older one of revocations must not
# find neither.
_SETTING = {"revocation": (INVALID,), "suspension": (INVALID, SUSPENDED)}
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")
_GZIP_BITS = 16 + zlib.MAX_WBITS
_REFERENCE = re.compile(rf"([^#]*)#({'|'.join(PURPOSES)})(?::([2-{MAX_SIZE}]))?", re.DOTALL)
_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]{1,4}")
_BINARY = bytes(byte == ord("1") for byte in range(256))
_DEFAULT_MESSAGES = ("unset", "set")


class ListName(NamedTuple):
    """What a reference says of a list.

    Attributes:
        address: Where it is.
        purpose: None for a Token Status List.
        size: Bits of one entry.
    """

    address: str
    purpose: str | None
    size: int

    @property
    def packed_bits(self) -> int:
        """Bits of what becomes of one entry."""
        return PACKED_BITS if self.size == 1 else 8


def read_status_entries(document: Mapping[str, Any]) -> tuple[StatusReference, ...]:
    """Return where the status of a credential is published, purpose by purpose; none without ``credentialStatus``.

    The purpose ``refresh`` invalidates nothing, so it is left out once it is well-formed.

    Raises:
        StatusReferenceError: An entry of a type or purpose that we do not know, which would be a status that we never
            see; of more than ``MAX_SIZE`` bits, or without a message for each value of several; without an index in
            plain decimals or the address of a list.

    Source: Bitstring Status List 1.0, section 2.1.
    """
    references = [_read_entry(entry) for entry in _list_entries(document)]
    return tuple(dict.fromkeys(each for each in references if f"#{_HARMLESS}" not in each.uri))


def find_message(document: Mapping[str, Any], reference: StatusReference, value: int) -> tuple[str, str] | None:
    """Return what an entry says, and what its issuer calls that; None if it is none of the purpose ``message``.

    Args:
        document: A credential whose entries ``read_status_entries`` could read.
        reference: Where its status is, perhaps one of these.
        value: What the list says, as ``decode_bitstring`` writes it.

    Returns:
        The value in hexadecimal digits behind ``0x``, and the message, which is for developers only.

    Source: Bitstring Status List 1.0, sections 2.1 and 3.2.
    """
    named = [each for each in _list_entries(document) if _read_entry(each) == reference]
    if not named or named[0]["statusPurpose"] != MESSAGE:
        return None
    said = value and value - _LEAST_MESSAGE + 1
    return f"0x{said:x}", _read_messages(named[0], split_reference(reference.uri).size)[said]


def split_reference(uri: str) -> ListName:
    """Return what a reference says of a list."""
    found = _REFERENCE.fullmatch(uri)
    return ListName(found[1], found[2], int(found[3] or 1)) if found else ListName(uri, None, 1)


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


def write_bitstring(values: Mapping[int, int], size: int) -> bytes:
    """Write entries of several bits, at least 131,072 of them, the highest bit of each first.

    Args:
        values: By index below 131,072; what is left out is 0.
        size: Bits of one entry.

    Source: Bitstring Status List 1.0, section 3.3.
    """
    length = MIN_BITSTRING_BYTES * size
    bits = sum(value << length * 8 - (index + 1) * size for index, value in values.items())
    return bits.to_bytes(length)


def decode_bitstring(encoded: Any, purpose: str, *, multibase: bool, size: int = 1) -> bytes:
    """Inflate an ``encodedList`` of unknown origin, never past ``MAX_BITSTRING_BYTES`` or ``MAX_SIZED_BYTES``.

    Args:
        encoded: Untrusted.
        purpose: One of ``PURPOSES``.
        multibase: Whether ``u`` stands before the base64url; in StatusList2021 it does not.
        size: Bits of one entry, 1 to ``MAX_SIZE``.

    Returns:
        Statuses of ``ListName.packed_bits`` bits as a Token Status List packs them.

    Raises:
        MalformedJoseError: Not that, not exactly one complete gzip member, too long, or shorter than 131,072 entries.

    Source: Bitstring Status List 1.0, sections 2.2, 3.2 and 3.4; StatusList2021, section 4.2.
    """
    if not isinstance(encoded, str) or (multibase and not encoded.startswith("u")):
        raise MalformedJoseError("The status list's encodedList isn't multibase base64url.")
    data = b64url_decode(encoded.removeprefix("u") if multibase else encoded)
    bitstring = inflate(data, wbits=_GZIP_BITS, max_bytes=MAX_BITSTRING_BYTES if size == 1 else MAX_SIZED_BYTES)
    if len(bitstring) < MIN_BITSTRING_BYTES * size:
        raise MalformedJoseError("The status list is too short to hide anybody in.")
    return _pack(bitstring, PURPOSES[purpose]) if size == 1 else _spread_entries(bitstring, purpose, size)


def _list_entries(document: Mapping[str, Any]) -> list[Any]:
    if "credentialStatus" not in document:
        return []
    value = document["credentialStatus"]
    entries = value if isinstance(value, list) else [value]
    if not 0 < len(entries) <= MAX_ENTRIES:
        raise StatusReferenceError(f"credentialStatus does not hold between 1 and {MAX_ENTRIES} entries.")
    return entries


def _read_entry(entry: Any) -> StatusReference:
    match entry:
        case {
            "type": str() as kind,
            "statusPurpose": str() as purpose,
            "statusListIndex": str() as index,
            "statusListCredential": str() as uri,
        } if kind in ENTRY_TYPES and (purpose in PURPOSES or purpose == _HARMLESS):
            size = _read_size(entry)
            _check_material(entry)
            if _INDEX.fullmatch(index) and 0 < len(uri) <= MAX_URI_CHARACTERS and "#" not in uri:
                return StatusReference(f"{uri}#{purpose}" + (f":{size}" if size > 1 else ""), int(index))
    raise StatusReferenceError("The credential's credentialStatus is of no kind that can be read.")


def _read_size(entry: Mapping[str, Any]) -> int:
    """Return how many bits an entry has, once there is a message for each value that they can have."""
    size = entry.get("statusSize", 1)
    if type(size) is not int or not 0 < size <= (MAX_SIZE if entry["type"] == ENTRY_TYPES[0] else 1):
        raise StatusReferenceError(f"The status entry is not of 1 to {MAX_SIZE} bits.")
    _read_messages(entry, size)
    return size


def _read_messages(entry: Mapping[str, Any], size: int) -> dict[int, str]:
    if size == 1 and "statusMessage" not in entry:
        return dict(enumerate(_DEFAULT_MESSAGES))
    found = {}
    messages = entry.get("statusMessage")
    for each in messages if isinstance(messages, list) else []:
        match each:
            case {"status": str() as status, "message": str() as message} if _HEXADECIMAL.fullmatch(status):
                found[int(status, 16)] = message
    if found.keys() != set(range(2**size)) or len(entry["statusMessage"]) != len(found):
        raise StatusReferenceError("The status entry does not have one message for each value.")
    return found


def _check_material(entry: Mapping[str, Any]) -> None:
    """Refuse an entry that names its list as itself, or material about the status that has no address."""
    if "id" in entry and entry["id"] == entry["statusListCredential"]:
        raise StatusReferenceError("The status entry's id is that of its list.")
    if "statusReference" not in entry:
        return
    named = entry["statusReference"]
    addresses = named if isinstance(named, list) else [named]
    if not addresses or not all(is_url(each) for each in addresses):
        raise StatusReferenceError("The status entry's statusReference is no URL, or list of them.")


def _pack(bitstring: bytes, value: int) -> bytes:
    """Write ``value`` for each set bit, the highest bits first in, the lowest first out."""
    packed = bytearray(len(bitstring) * PACKED_BITS)
    packed[0::2] = bitstring.translate(bytes(_spread(byte >> 4, value) for byte in range(256)))
    packed[1::2] = bitstring.translate(bytes(_spread(byte & 15, value) for byte in range(256)))
    return bytes(packed)


def _spread_entries(bitstring: bytes, purpose: str, size: int) -> bytes:
    """Return a byte for each entry of several bits."""
    digits = f"{int.from_bytes(bitstring):0{len(bitstring) * 8}b}".encode()
    count = len(digits) // size
    values = 0
    for place in range(size):
        weight = 1 << size - 1 - place
        plane = digits[place : count * size : size].translate(bytes(byte and weight for byte in _BINARY))
        values |= int.from_bytes(plane)
    said = bytes([0, *(_name_value(purpose, value) for value in range(1, 256))])
    return values.to_bytes(count).translate(said)


def _name_value(purpose: str, value: int) -> int:
    return min(value - 1 + _LEAST_MESSAGE, 255) if purpose == MESSAGE else PURPOSES[purpose]


def _spread(nibble: int, value: int) -> int:
    return sum(value << PACKED_BITS * place for place in range(4) if nibble >> (3 - place) & 1)


def _gather(byte: int, values: tuple[int, ...]) -> int:
    """Return four bits, the first status highest, each set where it has one of ``values``."""
    return sum(8 >> place for place in range(4) if (byte >> PACKED_BITS * place & 3) in values)


def _find_place(reference: StatusReference) -> StatusReference:
    address, purpose, size = split_reference(reference.uri)
    if size != 1 or purpose not in PUBLISHED_PURPOSES or not address.endswith(f"/{purpose}"):
        return reference
    return StatusReference(address.removesuffix(f"/{purpose}"), reference.index)
