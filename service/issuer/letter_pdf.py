"""A letter as a PDF: the same facts give the same bytes."""

import unicodedata

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos

from service.issuer.letter_words import LetterFacts, write_closing, write_opening, write_sections

_FONT, _ENCODING = "helvetica", "latin-1"
_LABEL_MM, _LINE_MM, _GAP_MM = 52, 5, 3
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


class _Page(FPDF):
    def file_id(self) -> int:  # type: ignore[override]  # the library takes -1 for none, which keeps chance out
        """Return that the file bears no random id."""
        return -1

    def footer(self) -> None:
        """Number the page."""
        self.set_y(-15)
        self.set_font(_FONT, size=8)
        self.cell(0, 10, f"Page {self.page_no()}", align="C")


def build_letter(facts: LetterFacts) -> bytes:
    """Return the PDF. Pure: its dates are those of the facts, and it has no random id.

    Its fonts are those that every reader has. A character that they lack, or that would not be seen, is written as its
    code point: ``[U+5F20]``.
    """
    page = _Page(format="A4")
    page.set_creation_date(facts.made_at)
    page.set_title(f"Verification of investor status, {facts.credential_id}")
    page.set_author(_plain(facts.organization))
    page.set_lang("en")
    page.set_margin(20)
    page.add_page()
    _write(page, "Verification of investor status", size=16, style="B")
    _write(page, write_opening(facts))
    for title, rows in write_sections(facts):
        _write(page, title, size=11, style="B")
        for label, text in rows:
            _write_row(page, label, text)
        page.ln(_GAP_MM)
    for paragraph in write_closing(facts):
        _write(page, paragraph, size=9)
    return bytes(page.output())


def _write(page: FPDF, text: str, *, size: int = 10, style: str = "") -> None:
    page.set_font(_FONT, style=style, size=size)
    page.multi_cell(0, _LINE_MM if size < 16 else 8, _plain(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(_GAP_MM / (1 if size != 11 else 3))


def _write_row(page: FPDF, label: str, text: str) -> None:
    page.set_font(_FONT, size=9)
    page.multi_cell(_LABEL_MM, _LINE_MM, label, align="L", new_x=XPos.RIGHT, new_y=YPos.TOP)
    page.multi_cell(0, _LINE_MM, _plain(text), align="L", wrapmode=WrapMode.CHAR, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _plain(text: str) -> str:
    return "".join(each if _is_shown(each) else f"[U+{ord(each):04X}]" for each in text)


def _is_shown(character: str) -> bool:
    if unicodedata.category(character) in _HIDDEN:
        return False
    try:
        return bool(character.encode(_ENCODING))
    except UnicodeEncodeError:
        return False
