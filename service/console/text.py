"""Text from outside on a page: what would make the screen lie is made visible."""

import re
import unicodedata
from typing import Any

from markupsafe import Markup

# Marks that turn or hide the letters around them: names and claim values come from outside.
_TRICKS = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u061c\u180e\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]"
)
_SHORT = 120


def show_marks(text: str) -> str:
    """Return the text with marks that reorder or hide letters written out, such as ``[U+202E]``.

    Forms end lines with CR LF; those are ends of lines, so a form that is shown again holds what was typed.
    """
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    return _TRICKS.sub(lambda found: f"[U+{ord(found[0]):04X}]", lines)


def finalize(value: Any) -> Any:
    """Make what a template prints safe to read; escaping follows after it."""
    return show_marks(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def cut(text: str, length: int = _SHORT) -> Markup:
    """Return long text cut, with the whole of it behind a disclosure; escaped."""
    shown = show_marks(text)
    if len(shown) <= length:
        return Markup("{}").format(shown)
    pattern = Markup('<details class="long"><summary>{}…</summary>{}</details>')
    return pattern.format(shown[:length], shown)
