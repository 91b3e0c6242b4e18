"""A letter as a PDF: the same facts give the same bytes."""

import re
import unicodedata
from collections.abc import Container, Iterator
from contextlib import closing
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos
from fpdf.fonts import TTFFont

from service.errors import ConflictError
from service.issuer.letter_words import LetterFacts, Words, write_closing, write_opening, write_sections

_OWN, _EVERY_READERS = "letter", "helvetica"
_LATIN_1 = frozenset(map(chr, range(256)))
_LABEL_MM, _LINE_MM, _GAP_MM = 52, 5, 3
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_CHINESE = "\u2e80-\u9fff\uf900-\uffef\U00020000-\U0003ffff"
# No line begins with a closing mark or ends with an opening one, and no Latin word is cut.
_PIECES = re.compile(rf"[（《「『]*(?:[{_CHINESE}]|[^\s{_CHINESE}]+)[，。；：、）》」』！？]*|\s+")


class LetterLanguageError(ConflictError):
    """The deployment has no font for letters in this language."""

    code = "letter_language_unavailable"


class _Page(FPDF):
    def __init__(self, words: Words, font: Path | None) -> None:
        super().__init__(format="A4")
        self.words = words
        self.family, self.characters = _EVERY_READERS, _LATIN_1
        if font is not None:
            self.add_font(_OWN, fname=font)
            loaded = self.fonts[_OWN]
            self.family = _OWN
            self.characters = frozenset(map(chr, loaded.cmap)) if isinstance(loaded, TTFFont) else frozenset()

    def close(self) -> None:
        """Close the file of the font, which the library leaves open."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    @property
    def is_own(self) -> bool:
        return self.family == _OWN

    def file_id(self) -> int:  # type: ignore[override]  # the library takes -1 for none, which keeps chance out
        """Return that the file bears no random id."""
        return -1

    def footer(self) -> None:
        """Number the page."""
        self.set_y(-15)
        self.set_font(self.family, size=8)
        self.cell(0, 10, self.words["letter.page"].format(number=self.page_no()), align="C")


def build_letter(facts: LetterFacts, words: Words, *, tag: str = "en", font: Path | None = None) -> bytes:
    """Return the PDF. Pure but for the font: its dates are those of the facts, and it has no random id.

    What Latin-1 can write is written in a font that every reader has, anything else in ``font``, of which the letters
    that are used are embedded. A character that the font lacks, or that would not be seen, is written as its code
    point: ``[U+5F20]``.

    Args:
        words: Of the letter's language.
        tag: Of that language, for readers. Source: BCP 47.
        font: A TrueType or OpenType file, or a collection, whose first face is taken.

    Raises:
        LetterLanguageError: The words themselves cannot be written.
    """
    page = _Page(words, font if font is not None and not _is_latin(facts, words) else None)
    with closing(page):
        return _compose(page, facts, tag)


def _compose(page: _Page, facts: LetterFacts, tag: str) -> bytes:
    title = page.words["letter.title"]
    if not all(_is_shown(each, page.characters) for each in title):
        raise LetterLanguageError("Letters in this language need a font for it, which the operator names.")
    page.set_creation_date(facts.made_at)
    page.set_title(f"{title}, {facts.credential_id}")
    page.set_author(_plain(facts.organization, page.characters))
    page.set_lang(tag)
    page.set_margin(20)
    page.add_page()
    _write_letter(page, facts)
    return bytes(page.output())


def _write_letter(page: _Page, facts: LetterFacts) -> None:
    _write(page, page.words["letter.title"], size=16, style="B")
    _write(page, write_opening(facts, page.words))
    for title, rows in write_sections(facts, page.words):
        _write(page, title, size=11, style="B")
        for label, text in rows:
            _write_row(page, label, text)
        page.ln(_GAP_MM)
    for paragraph in write_closing(facts, page.words):
        _write(page, paragraph, size=9)


def _is_latin(facts: LetterFacts, words: Words) -> bool:
    rows = [each for _, section in write_sections(facts, words) for row in section for each in row]
    texts = [words["letter.title"], write_opening(facts, words), *rows, *write_closing(facts, words)]
    return _LATIN_1.issuperset("".join(texts))


def _write(page: _Page, text: str, *, size: int = 10, style: str = "") -> None:
    page.set_font(page.family, style="" if page.is_own else style, size=size)
    shown = _plain(text, page.characters)
    lines = "\n".join(_wrap(page, shown)) if page.is_own else shown
    page.multi_cell(0, _LINE_MM if size < 16 else 8, lines, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(_GAP_MM / (1 if size != 11 else 3))


def _wrap(page: _Page, text: str) -> Iterator[str]:
    """Break lines as Chinese does, between any two characters; the library breaks at spaces alone."""
    line = ""
    for piece in _PIECES.findall(text):
        if line and page.get_string_width(line + piece) > page.epw - 2 * page.c_margin:
            yield line.rstrip()
            line = ""
        line += piece if line else piece.lstrip()
    yield line


def _write_row(page: _Page, label: str, text: str) -> None:
    page.set_font(page.family, size=9)
    page.multi_cell(_LABEL_MM, _LINE_MM, label, align="L", new_x=XPos.RIGHT, new_y=YPos.TOP)
    shown = _plain(text, page.characters)
    page.multi_cell(0, _LINE_MM, shown, align="L", wrapmode=WrapMode.CHAR, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _plain(text: str, characters: Container[str]) -> str:
    return "".join(each if _is_shown(each, characters) else f"[U+{ord(each):04X}]" for each in text)


def _is_shown(character: str, characters: Container[str]) -> bool:
    return character in characters and unicodedata.category(character) not in _HIDDEN
