"""QR codes of offers and requests, for terminals and for pages."""

import io

import segno
from rich.console import Console
from rich.text import Text


def print_qr(console: Console, content: str) -> None:
    """Print a QR code in half blocks."""
    drawn = io.StringIO()
    segno.make(content, error="l").terminal(out=drawn, compact=True, border=2)
    console.print(Text.from_ansi(drawn.getvalue()), soft_wrap=True)


def qr_svg(content: str) -> str:
    """Return a QR code as an inline SVG element."""
    return str(segno.make(content, error="m").svg_inline(scale=3, border=2))
