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
from service.issuer.evidence_pdf_links import check_links

MAX_UNPACKED_BYTES = 64 << 20

_HEADER = re.compile(rb"%PDF-[12]\.[0-9]")
_SPACE = rb"\x00\t\n\f\r "
_NAME = re.compile(rb"/([^" + _SPACE + rb"()<>\[\]{}/%]+)")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_END_OF_LINE = re.compile(rb"\r\n|\n|\r")
_HIDDEN = re.compile(rb"(?:[0-9][" + _SPACE + rb"]+|[\r\n])obj[" + _SPACE + rb"<\[(/%]|trailer")
_NUMBERS_FIRST = re.compile(rb"[" + _SPACE + rb"]*[-+.0-9%]")  # as an object stream begins
_ACTIVE = frozenset(
    {b"JavaScript", b"JS", b"Launch", b"EmbeddedFile", b"EmbeddedFiles", b"EF", b"RichMedia", b"XFA"}
    | {b"SubmitForm", b"ImportData", b"Rendition", b"GoToE", b"OnInstantiate"}
    | {b"AA"}  # what is done when a page is shown or a field is touched
    | {b"GoToR"}  # opened by itself, a file on another machine gives that one the reader's name and password digest
)
_END = b"%%EOF"
_END_WITHIN = 2048
_STREAM, _NEAR, _BLANKS = b"stream", 256, b"\0\t\n\f\r "
_DAMAGED = "The PDF is damaged or ends too early; print it to a new PDF."
_UNUSUAL = "The PDF is packed in an unusual way; print it to a new PDF."


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
    room, searched = MAX_UNPACKED_BYTES, []
    for text, data in _split(content):
        names = _list_names(text)
        _check_names(names)
        if _HIDDEN.search(data):
            raise EvidenceAmbiguousError("The PDF hides an object in the data of another.")
        unpacked = _unpack(data, room, is_packed=b"Filter" in names)
        room -= len(unpacked)
        searched += [_undo_escapes(text), _undo_escapes(unpacked)]
        if unpacked:
            _check_names(_list_names(unpacked))
        elif b"ObjStm" in names or {b"First", b"N"} <= names:
            raise EvidenceUnreadableError(_UNUSUAL)
    check_links(searched)


def _check_end(content: bytes) -> None:
    end = content.rfind(_END)
    if end < 0:
        raise EvidenceUnreadableError(_DAMAGED)
    if content[end + len(_END) :].strip(b"\0\t\n\f\r ") or len(content) - end > _END_WITHIN:
        raise EvidenceAmbiguousError("Something is appended to the PDF.")


def _split(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield what stands before each stream, and the stream's data; last the rest, with no data."""
    place = found = 0
    while (found := content.find(_STREAM, found)) >= 0:
        if not _begins_stream(content, found):
            found += len(_STREAM)
            continue
        first = _END_OF_LINE.search(content, found)
        end = -1 if first is None else content.find(b"endstream", first.end())
        if first is None or end < 0:
            raise EvidenceUnreadableError(_DAMAGED)
        yield content[place:found], content[first.end() : end]
        place, found = end, end + len(b"endstream")
    yield content[place:], b""


def _begins_stream(content: bytes, place: int) -> bool:
    """Tell whether the word follows a dictionary. Each byte is looked at once, whatever stands in the file.

    Raises:
        EvidenceUnreadableError: A comment or much blank space stands between the two, as nobody writes it.
    """
    near = content[max(0, place - _NEAR) : place]
    before = near.rstrip(_BLANKS)
    if before.endswith(b">>"):
        return True
    if not before:
        raise EvidenceUnreadableError(_UNUSUAL)
    end = place - len(near) + len(before)
    if not _END_OF_LINE.search(near, len(before)):
        return False
    line = max(content.rfind(b"\r", 0, end), content.rfind(b"\n", 0, end))
    if content.find(b"%", line + 1, end) >= 0:
        raise EvidenceUnreadableError(_UNUSUAL)
    return False


def _list_names(text: bytes) -> frozenset[bytes]:
    """Return every name, its escapes undone: ``/J#53`` is ``/JS``."""
    names = {found[1] for found in _NAME.finditer(text)}  # name by name, so that other threads have their turn between
    return frozenset(_undo(name) if b"#" in name else name for name in names)


def _undo_escapes(text: bytes) -> bytes:
    return _NAME.sub(lambda found: _undo(found[0]), text) if b"#" in text else text


def _undo(name: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), name)


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
    if room <= 0:  # which the library takes for no limit
        raise EvidenceUnreadableError(_DAMAGED)
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
