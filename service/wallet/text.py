"""Text that others wrote, made safe to show on a terminal."""

import unicodedata
from typing import Any

MAX_CHARACTERS = 400

# Controls (ANSI escapes begin with one), formats (bidi marks, zero-width), surrogates, private use, unassigned,
# line and paragraph separators: each could make the screen show something else than what is there.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MAX_COMBINING = 4


def clean_text(value: Any, *, limit: int = MAX_CHARACTERS) -> str:
    r"""Return one line of printable text; what isn't printable becomes ``\u{...}``, what is too long is cut.

    Args:
        value: Text, or any JSON value, which is written as people read it.
        limit: Most characters to keep of the original.
    """
    text = _write(value)
    shown, combining = [], 0
    for character in text[:limit]:
        combining = combining + 1 if unicodedata.combining(character) else 0
        hidden = unicodedata.category(character) in _UNSAFE or combining > _MAX_COMBINING
        shown.append(f"\\u{{{ord(character):x}}}" if hidden else character)
    return "".join(shown) + ("…" if len(text) > limit else "")


def _write(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_write, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_write(member)}" for name, member in value.items())
    return "" if value is None else str(value)
