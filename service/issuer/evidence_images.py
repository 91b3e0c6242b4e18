"""Whether a picture is whole and ends where its file ends. No pixel is decoded."""

import re
import zlib

from service.issuer.evidence_errors import EvidenceAmbiguousError, EvidenceUnreadableError

_PNG_SIGNATURE_BYTES = 8
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RSTn: markers without a segment
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_ZEROS = re.compile(rb"\0*")
_DAMAGED = "The picture is damaged or ends too early; send it again."
_SURPLUS = "Something is appended to the picture."


def check_png(content: bytes) -> None:
    """Walk through the chunks, whose check sums must hold.

    Raises:
        EvidenceUnreadableError, EvidenceAmbiguousError: See there.

    Source: PNG (third edition), sections 5.3 and 5.6.
    """
    place, kind = _PNG_SIGNATURE_BYTES, b""
    while kind != b"IEND":
        length = int.from_bytes(content[place : place + 4], "big")
        end = place + 12 + length
        first, kind = kind, content[place + 4 : place + 8]
        if end > len(content) or (not first and kind != b"IHDR"):
            raise EvidenceUnreadableError(_DAMAGED)
        if zlib.crc32(content[place + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise EvidenceUnreadableError(_DAMAGED)
        place = end
    if place != len(content):
        raise EvidenceAmbiguousError(_SURPLUS)


def check_jpeg(content: bytes) -> None:
    """Walk through the segments; cameras append further pictures, such as a preview, and zeros between them.

    Raises:
        EvidenceUnreadableError, EvidenceAmbiguousError: See there.

    Source: ITU-T T.81, annex B; CIPA DC-007 for further pictures.
    """
    place = _skip_picture(content, 0)
    while place < len(content):
        place = _ZEROS.match(content, place).end()  # type: ignore[union-attr]  # matches anywhere
        if place == len(content):
            return
        if not content.startswith(b"\xff\xd8\xff", place):
            raise EvidenceAmbiguousError(_SURPLUS)
        place = _skip_picture(content, place)


def _skip_picture(content: bytes, start: int) -> int:
    """Return where the picture that starts here ends."""
    place, has_scan = start + 2, False
    while True:
        marker, place = _read_marker(content, place)
        if marker == _EOI and has_scan:
            return place
        if marker in _NO_LENGTH:
            continue
        length = int.from_bytes(content[place : place + 2], "big")
        if marker in (_SOI, _EOI) or length < 2 or place + length > len(content):
            raise EvidenceUnreadableError(_DAMAGED)
        place += length
        if marker == _SOS:
            has_scan, place = True, _skip_entropy_coded(content, place)


def _read_marker(content: bytes, place: int) -> tuple[int, int]:
    if content[place : place + 1] != b"\xff":
        raise EvidenceUnreadableError(_DAMAGED)
    while content[place : place + 1] == b"\xff":  # any number of fill bytes may come before the code
        place += 1
    if place >= len(content) or content[place] == 0:
        raise EvidenceUnreadableError(_DAMAGED)
    return content[place], place + 1


def _skip_entropy_coded(content: bytes, place: int) -> int:
    """Return where the next marker is that is no part of the scan."""
    while True:
        place = content.find(b"\xff", place)
        if place < 0 or place + 1 >= len(content):
            raise EvidenceUnreadableError(_DAMAGED)
        if content[place + 1] != 0 and content[place + 1] not in _NO_LENGTH:
            return place
        place += 2
