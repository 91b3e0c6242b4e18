"""QR codes for pages."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import segno
from markupsafe import Markup

MAX_BYTES = 2_953
"""What the largest code holds. Source: ISO/IEC 18004, table 7 (version 40-L, bytes)."""
_LONG = 2_000  # characters; above it a code holds more with less redundancy
# A large code takes 0.2 s, and anybody may ask for one: no more than one core draws, and never the event loop.
_drawers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qr-code")


async def draw_qr_code(text: str, *, title: str) -> Markup:
    """Return a QR code as an inline SVG element, or nothing for a text that is longer than any code.

    Args:
        text: What the code says.
        title: For those who can't see it; escaped.
    """
    return await asyncio.get_running_loop().run_in_executor(_drawers, _draw, text, title)


async def draw_qr_picture(text: str) -> bytes | None:
    """Return a QR code as an SVG document of its own, black on white on pages of any colour; None if none holds it."""
    return await asyncio.get_running_loop().run_in_executor(_drawers, _draw_picture, text)


def _make(text: str) -> segno.QRCode | None:
    if len(text.encode()) > MAX_BYTES:
        return None
    try:
        return segno.make(text, error="m" if len(text) < _LONG else "l", micro=False)
    except segno.DataOverflowError:  # letters beyond Latin take more than their bytes
        return None


def _draw_picture(text: str) -> bytes | None:
    code = _make(text)
    if code is None:
        return None
    out = io.BytesIO()
    code.save(out, kind="svg", scale=4, light="white", omitsize=True, xmldecl=False)
    return out.getvalue()


def _draw(text: str, title: str) -> Markup:
    code = _make(text)
    if code is None:
        return Markup()
    return Markup(code.svg_inline(scale=4, title=title, omitsize=True))  # noqa: S704  # segno escapes the title and draws the rest
