"""Where the links of a PDF lead, and whether a reader would follow one without being asked. Pure.

A link that a person clicks is as harmless as one in a letter, if it leads to the web. One that is followed when the
document is opened tells its sender that, when and where a file is looked at. Every pattern is bounded, so that the
time is in proportion to the size whatever a file holds.

Source: ISO 32000-2, sections 7.3.4 (strings), 7.7.2 (OpenAction) and 12.6.4.8 (URI actions).
"""

import re
from collections.abc import Sequence

from service.issuer.evidence_errors import EvidenceActiveError, EvidenceUnreadableError

_BLANKS = rb"[\x00\t\n\f\r ]{0,64}+"
_NEXT = rb"(?![^\x00\t\n\f\r ()<>\[\]{}/%])" + _BLANKS
_ADDRESS = re.compile(rb"/(?:URI|Base)" + _NEXT + rb"(\(|<(?!<)|[^/<>\])])")
_ACTION = re.compile(rb"/URI" + _NEXT)
_OPENED = re.compile(rb"/OpenAction" + _NEXT + rb"(?!\[|null)")
_STRING_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(\r\n|[\r\n])|(.))", re.DOTALL)
_SCHEME = re.compile(rb"([a-z][a-z0-9+.-]*):")
_TAKEN = frozenset({b"http", b"https", b"mailto", b"tel", b"ftp"})
_READ_BYTES, _MOST_ADDRESSES = 256, 10_000
_ENOUGH = 24  # characters in which a scheme would have ended
_UNUSUAL = "The PDF is packed in an unusual way; print it to a new PDF."


def check_links(texts: Sequence[bytes]) -> None:
    """Check every address, and that none is opened with the document.

    Args:
        texts: What is not the data of a stream, and what object streams hold; escapes in names undone.

    Raises:
        EvidenceActiveError: An address of another kind than ``http``, ``mailto`` and such, or one that may be opened
            by itself. Which action it is that comes first is not followed up: links and such an action exclude
            each other.
        EvidenceUnreadableError: An address that stands elsewhere than where it is named, or ten thousand of them.
    """
    addresses = ((text, found) for text in texts for found in _ADDRESS.finditer(text))
    for number, (text, found) in enumerate(addresses):
        if number == _MOST_ADDRESSES:
            raise EvidenceUnreadableError(_UNUSUAL)
        _check_address(text, found)
    if any(_OPENED.search(text) for text in texts) and any(_ACTION.search(text) for text in texts):
        raise EvidenceActiveError("The PDF may open an address by itself; print it to a new PDF.")


def _check_address(text: bytes, found: re.Match[bytes]) -> None:
    raw = text[found.end() : found.end() + _READ_BYTES]
    if found[1] not in (b"(", b"<"):
        raise EvidenceUnreadableError(_UNUSUAL)
    address = _read_literal(raw) if found[1] == b"(" else _read_hex(raw)
    has_end = (b")" if found[1] == b"(" else b">") in raw
    if not has_end and len(address) < _ENOUGH:
        raise EvidenceUnreadableError(_UNUSUAL)
    scheme = _SCHEME.match(address)
    if address.startswith(b"\\") or (scheme is not None and scheme[1] not in _TAKEN):
        raise EvidenceActiveError("A link in the PDF leads elsewhere than to the web; print it to a new PDF.")


def _read_literal(raw: bytes) -> bytes:
    def replace(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes([int(found[1], 8) & 0xFF])
        return b"" if found[2] or found[3] in b"nrtbf" else found[3]

    return _normalize(_STRING_ESCAPE.sub(replace, raw))


def _read_hex(raw: bytes) -> bytes:
    digits = re.sub(rb"[^0-9A-Fa-f]", b"", raw.partition(b">")[0])
    return _normalize(bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode()))


def _normalize(address: bytes) -> bytes:
    """Leave out what readers and browsers leave out: byte order marks, the halves of UTF-16, blanks and controls."""
    return bytes(each for each in address if 0x20 < each < 0x7F).lower()
