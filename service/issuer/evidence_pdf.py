"""Whether a PDF only shows something. It is taken apart as far as names go, and never rendered.

Readers find objects by offset, and rebuild a broken file by searching it. So nothing is skipped because a length or
a table says so: whatever is not the data of a stream is searched for names, object streams are unpacked and searched,
and data that hides the head of an object is refused. What cannot be looked into is refused too.

Source: ISO 32000-2, sections 7.2 to 7.5, 12.6 and 12.7.
"""

import re
import zlib
from collections.abc import Iterator

from service.issuer.evidence_errors import EvidenceActiveError, EvidenceAmbiguousError, EvidenceUnreadableError

MAX_UNPACKED_BYTES = 64 << 20

_HEADER = re.compile(rb"%PDF-[12]\.[0-9]")
_SPACE = rb"\x00\t\n\f\r "
_NAME = re.compile(rb"/([^" + _SPACE + rb"()<>\[\]{}/%]+)")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb">>(?:[" + _SPACE + rb"]|%[^\r\n]*[\r\n])*stream[^\r\n]*(?:\r\n|\n|\r)")
_HIDDEN = re.compile(rb"(?:[0-9][" + _SPACE + rb"]+|[\r\n])obj[" + _SPACE + rb"<\[(/%]|trailer")
_NUMBERS_FIRST = re.compile(rb"[" + _SPACE + rb"]*[-+.0-9%]")  # as an object stream begins
_ACTIVE = frozenset(
    {b"JavaScript", b"JS", b"Launch", b"EmbeddedFile", b"EmbeddedFiles", b"EF", b"RichMedia", b"XFA"}
    | {b"SubmitForm", b"ImportData", b"Rendition", b"GoToE", b"OnInstantiate"}
    | {b"GoToR"}  # opened by itself, a file on another machine gives that one the reader's name and password digest
)
_END = b"%%EOF"
_END_WITHIN = 2048
_DAMAGED = "The PDF is damaged or ends too early; print it to a new PDF."


def check_pdf(content: bytes) -> None:
    """Check that a PDF is whole, open to inspection and inactive.

    Raises:
        EvidenceUnreadableError: Truncated, damaged, encrypted, or packed in a way that is not looked into.
        EvidenceActiveError: It can run, start, send or carry something.
        EvidenceAmbiguousError: There is something behind its end, or an object within the data of another.
    """
    if not _HEADER.match(content):
        raise EvidenceUnreadableError(_DAMAGED)
    _check_end(content)
    room = MAX_UNPACKED_BYTES
    for text, data in _split(content):
        names = _list_names(text)
        _check_names(names)
        if _HIDDEN.search(data):
            raise EvidenceAmbiguousError("The PDF hides an object in the data of another.")
        unpacked = _unpack(data, room, is_packed=b"Filter" in names)
        room -= len(unpacked)
        if unpacked:
            _check_names(_list_names(unpacked))
        elif b"ObjStm" in names or {b"First", b"N"} <= names:
            raise EvidenceUnreadableError("The PDF is packed in an unusual way; print it to a new PDF.")


def _check_end(content: bytes) -> None:
    end = content.rfind(_END)
    if end < 0:
        raise EvidenceUnreadableError(_DAMAGED)
    if content[end + len(_END) :].strip(b"\0\t\n\f\r ") or len(content) - end > _END_WITHIN:
        raise EvidenceAmbiguousError("Something is appended to the PDF.")


def _split(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield what stands before each stream, and the stream's data; last the rest, with no data."""
    place = 0
    while found := _STREAM.search(content, place):
        end = content.find(b"endstream", found.end())
        if end < 0:
            raise EvidenceUnreadableError(_DAMAGED)
        yield content[place : found.start()], content[found.end() : end]
        place = end
    yield content[place:], b""


def _list_names(text: bytes) -> frozenset[bytes]:
    """Return every name, its escapes undone: ``/J#53`` is ``/JS``."""
    return frozenset(
        _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), name) if b"#" in name else name
        for name in set(_NAME.findall(text))
    )


def _check_names(names: frozenset[bytes]) -> None:
    if b"Encrypt" in names:
        raise EvidenceUnreadableError("The PDF is protected by a password; print it to a new PDF without one.")
    if names & _ACTIVE:
        raise EvidenceActiveError("The PDF holds a script, a form that sends, or another file; print it to a new PDF.")


def _unpack(data: bytes, room: int, *, is_packed: bool) -> bytes:
    """Return the text of what may be an object stream; nothing for any other data.

    Raises:
        EvidenceUnreadableError: Larger than ``room``, or its packing breaks off.
    """
    if not is_packed and _NUMBERS_FIRST.match(data):
        return data
    unpacker = zlib.decompressobj()
    try:
        if not _NUMBERS_FIRST.match(unpacker.decompress(data, 256)):
            return b""
        unpacker = zlib.decompressobj()
        unpacked = unpacker.decompress(data, room)
    except zlib.error:
        return b""
    if not unpacker.eof:
        raise EvidenceUnreadableError(_DAMAGED)
    return unpacked
