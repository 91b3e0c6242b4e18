"""Holder counts against the issuer's caps as bars of an SVG, drawn here so that no script has to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WIDTH = 600


@dataclass(frozen=True, slots=True)
class Bar:
    """One category; widths are in units of the drawing, ``WIDTH`` of which are the whole.

    Attributes:
        cap: None if the issuer set none; the bar then shows only what is reserved beside what is held.
        full: Nobody more fits in.
    """

    category: str
    held: int
    reserved: int
    cap: int | None
    held_width: int
    reserved_width: int

    @property
    def full(self) -> bool:
        """Tell whether the cap is reached."""
        return self.cap is not None and self.held + self.reserved >= self.cap


def draw_bars(categories: Mapping[str, Mapping[str, Any]]) -> list[Bar]:
    """Return a bar for each category of ``describe_holders``."""
    return [_draw(name, each["held"], each["reserved"], each["cap"]) for name, each in categories.items()]


def _draw(category: str, held: int, reserved: int, cap: int | None) -> Bar:
    whole = max(cap or 0, held + reserved, 1)
    held_width = held * WIDTH // whole
    # What is there is seen, however little it is.
    reserved_width = min(max(reserved * WIDTH // whole, 3 if reserved else 0), WIDTH - held_width)
    return Bar(category, held, reserved, cap, max(held_width, 3 if held else 0), reserved_width)
