"""Read a form with one file: ``multipart/form-data``, in memory, and no further than its limits.

The framework's own reader puts larger files on disk, where what belongs to a person would lie in plain.
"""

import asyncio
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedError, UnavailableError
from service.web.body_limit import MAX_FILE_BYTES, BodyTooLargeError

MAX_FIELD_BYTES = 4096
MAX_FIELDS = 8
IDLE_S = 30.0  # a sender that says nothing for so long has gone
AT_ONCE = 16  # files that one process holds in memory
_HEADER_BYTES = 4096
_NAME_CHARACTERS = 120
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class NotMultipartError(MalformedError):
    """The body is not declared to be ``multipart/form-data`` with a boundary."""

    code = "not_multipart"


class UploadInvalidError(MalformedError):
    """The form cannot be read: broken, cut off, with a field twice, or without the file."""

    code = "upload_invalid"


class UploadsBusyError(UnavailableError):
    """As many files as this process holds at once are on their way."""

    code = "uploads_busy"


@dataclass(frozen=True, slots=True)
class UploadForm:
    """A form that was read.

    Attributes:
        fields: Name to text; each name once.
        file_name: The last part of what the sender calls the file, with nothing that hides or turns text.
        content: Bytes of the one file.
    """

    fields: dict[str, str]
    file_name: str
    content: bytes


@dataclass(slots=True)
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    file_name: str | None = None
    data: bytearray = field(default_factory=bytearray)


class _Reader:
    """Takes what the parser finds; counts before it keeps."""

    def __init__(self, boundary: bytes, max_file_bytes: int) -> None:
        self._max_file_bytes = max_file_bytes
        self._part = _Part()
        self._header = [b"", b""]
        self.parts: list[_Part] = []
        self.is_complete = False
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_part_data": self._add_data,
                "on_part_end": self._end_part,
                "on_header_field": lambda data, start, end: self._add_header(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add_header(1, data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_end": self._end,
            },
        )

    def _begin_part(self) -> None:
        if len(self.parts) == MAX_FIELDS:
            raise UploadInvalidError("The form has too many fields.")
        self._part = _Part()

    def _add_header(self, place: int, data: bytes) -> None:
        self._header[place] += data
        if len(self._header[0]) + len(self._header[1]) > _HEADER_BYTES:
            raise UploadInvalidError("A header of the form is too long.")

    def _end_header(self) -> None:
        name, value = self._header
        self._part.headers[name.lower()] = value
        self._header = [b"", b""]

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            self._part.file_name = options[b"filename"].decode("utf-8", "replace")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        part, added = self._part, end - start
        if part.file_name is None and len(part.data) + added > MAX_FIELD_BYTES:
            raise UploadInvalidError("A field of the form is too long.")
        if len(part.data) + added > self._max_file_bytes:
            raise BodyTooLargeError(f"The file is over {self._max_file_bytes >> 20} MiB.")
        part.data += data[start:end]

    def _end_part(self) -> None:
        self.parts.append(self._part)

    def _end(self) -> None:
        self.is_complete = True


_running = 0


@contextmanager
def _count_upload() -> Iterator[None]:
    global _running
    if _running >= AT_ONCE:
        raise UploadsBusyError("Too many files are on their way; try again in a moment.")
    _running += 1
    try:
        yield
    finally:
        _running -= 1


async def read_upload(request: Request, *, max_file_bytes: int = MAX_FILE_BYTES, idle_s: float = IDLE_S) -> UploadForm:
    """Read a form whose field ``file`` is the one file in it.

    Raises:
        NotMultipartError, UploadInvalidError, UploadsBusyError: See there.
        BodyTooLargeError: The file is over the limit; no more of it is read.

    Source: RFC 7578.
    """
    media_type, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise NotMultipartError("The body must be multipart/form-data.")
    with _count_upload():
        reader = _Reader(boundary, max_file_bytes)
        await _feed(reader, request, idle_s)
    return _build_form(reader)


async def _feed(reader: _Reader, request: Request, idle_s: float) -> None:
    stream = aiter(request.stream())
    try:
        while True:
            async with asyncio.timeout(idle_s):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            reader.parser.write(chunk)
    except TimeoutError:
        raise UploadInvalidError("The file stopped coming; send it again.") from None
    except MultipartParseError as error:
        raise UploadInvalidError("The form is broken.") from error


def _build_form(reader: _Reader) -> UploadForm:
    if not reader.is_complete:
        raise UploadInvalidError("The form is cut off; send it again.")
    names = [part.name for part in reader.parts]
    files = [part for part in reader.parts if part.file_name is not None]
    if len(set(names)) < len(names):
        raise UploadInvalidError("A field of the form comes twice.")
    if [part.name for part in files] != ["file"]:
        raise UploadInvalidError("The form needs one file, in its field file.")
    try:
        fields = {part.name: part.data.decode() for part in reader.parts if part.file_name is None}
    except UnicodeDecodeError:
        raise UploadInvalidError("A field of the form is no UTF-8.") from None
    return UploadForm(fields, clean_file_name(files[0].file_name or ""), bytes(files[0].data))


def clean_file_name(name: str) -> str:
    """Return the last part of a path, with characters left out that hide, control or turn text; never empty."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(each for each in last if unicodedata.category(each) not in _HIDDEN_CATEGORIES)
    return shown.strip(" .")[:_NAME_CHARACTERS] or "file"
