"""QR codes for pages."""

import asyncio
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
    if len(text.encode()) > MAX_BYTES:
        return Markup()
    return await asyncio.get_running_loop().run_in_executor(_drawers, _draw, text, title)


def _draw(text: str, title: str) -> Markup:
    try:
        code = segno.make(text, error="m" if len(text) < _LONG else "l", micro=False)
    except segno.DataOverflowError:  # letters beyond Latin take more than their bytes
        return Markup()
    return Markup(code.svg_inline(scale=4, title=title, omitsize=True))  # noqa: S704  # segno escapes the title and draws the rest
