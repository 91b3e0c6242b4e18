"""The few SVG elements that the plots are made of, in colours that can be told apart in light and in dark."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

_STYLE = """
text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:13px}.quiet{fill:#57606a}
.grid{stroke:#d0d7de;stroke-width:1}.axis{stroke:#57606a;stroke-width:1}
.aim{stroke:#57606a;stroke-width:1.5;stroke-dasharray:5 4}
.s0{stroke:#0969da;fill:#0969da}.s1{stroke:#bc4c00;fill:#bc4c00}.s2{stroke:#1a7f37;fill:#1a7f37}
.s3{stroke:#8250df;fill:#8250df}.line{fill:none;stroke-width:2}.dot{stroke:none}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.grid{stroke:#3d444d}
.axis,.aim{stroke:#9198a1}.s0{stroke:#58a6ff;fill:#58a6ff}.s1{stroke:#f0883e;fill:#f0883e}
.s2{stroke:#3fb950;fill:#3fb950}.s3{stroke:#bc8cff;fill:#bc8cff}.line{fill:none}.dot{stroke:none}}
"""
STYLES = 4
_MARK = 4.5
_STEPS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0))


class LogScale:
    """Maps a positive value to a place between two pixels.

    Args:
        low: Positive; maps to ``start``.
        high: Above ``low``; maps to ``end``.
    """

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        if not 0 < low < high:
            raise ValueError("a log scale needs 0 < low < high")
        self.low, self.high = low, high
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        """Return the pixel."""
        part = log10(value / self.low) / log10(self.high / self.low)
        return self._start + part * (self._end - self._start)


def log_ticks(low: float, high: float) -> list[float]:
    """Return round values of a range: decades, or as many between them as it takes to have three."""
    decades = [10.0**each for each in range(floor(log10(low)), ceil(log10(high)) + 1)]
    found: list[float] = []
    for steps in _STEPS:
        found = [each * step for each in decades for step in steps if low <= each * step <= high]
        if len(found) > 2:
            break
    return found


def write_value(value: float) -> str:
    """Return a short text: ``0.05``, ``1.25``, ``10``, ``250``, ``10^3``, ``20,000``."""
    if value >= 1000 and log10(value).is_integer():
        return f"10^{int(log10(value))}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.3g}"


def text(x: float, y: float, content: str, *, anchor: str = "start", style: str = "") -> str:
    """Return a text; ``anchor`` is ``start``, ``middle`` or ``end``."""
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(content)}</text>'


def upright(x: float, y: float, content: str) -> str:
    """Return the title of a vertical axis."""
    turned = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" class="quiet" {turned}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def path(points: Sequence[tuple[float, float]], number: int) -> str:
    """Return a line through points, in the style of a series."""
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" class="s{number % STYLES} line"/>'


def mark(x: float, y: float, number: int) -> str:
    """Return the mark of a series: each has its own shape too, for those who cannot tell the colours apart."""
    shape, style = number % STYLES, f"s{number % STYLES} dot"
    if shape == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_MARK}" class="{style}"/>'
    corners = {
        1: ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        2: ((0, -1.2), (1.2, 1), (-1.2, 1)),
        3: ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
    }[shape]
    places = " ".join(f"{x + dx * _MARK:.1f},{y + dy * _MARK:.1f}" for dx, dy in corners)
    return f'<polygon points="{places}" class="{style}"/>'


def document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """Return the whole picture; ``title`` is what a screen reader says."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    style = _STYLE.strip().replace("\n", "")
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{style}</style>", *parts, "</svg>", ""])
