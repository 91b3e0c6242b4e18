"""Letters as a reader sees them: the text behind an embedded font, and the font that a machine has for Chinese."""

import re
import zlib
from pathlib import Path

from tests.requirements_support import require_or_skip

CHINESE_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
_STREAM = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)
_MAPPED = re.compile(rb"<([0-9A-F]{4})> <([0-9A-F]+)>")
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\) Tj", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def find_chinese_font() -> Path:
    """Return the file of Debian's smallest Chinese font, or end the test."""
    if not CHINESE_FONT.exists():
        require_or_skip("fonts-wqy-microhei", f"no file {CHINESE_FONT}")
    return CHINESE_FONT


def read_mapped_text(pdf: bytes) -> str:
    """Return what a letter with an embedded font shows, without the ends of lines.

    Source: ISO 32000-2, 7.3.4.2 (strings) and 9.10.3 (ToUnicode).
    """
    streams = [zlib.decompress(each) if each.startswith(b"x") else each for each in _STREAM.findall(pdf)]
    [mapping] = [each for each in streams if b"beginbfchar" in each]
    letters = {bytes.fromhex(code.decode()): _read(to) for code, to in _MAPPED.findall(mapping)}
    shown = [each for stream in streams if stream.startswith(b"2 J") for each in _SHOWN.findall(stream)]
    codes = b"".join(_ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), each) for each in shown)
    return "".join(letters[codes[at : at + 2]] for at in range(0, len(codes), 2))


def _read(text: bytes) -> str:
    return bytes.fromhex(text.decode()).decode("utf-16-be")
