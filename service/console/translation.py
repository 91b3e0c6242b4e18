"""The words of the pages, in files apart from the code: ``languages/<language>/<area>.json``, flat."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from service.accounts.accounts import LANGUAGES
from service.web import languages

FOLDER = Path(__file__).parent / "languages"
DEFAULT = LANGUAGES[0]


@cache
def load_words(language: str) -> Mapping[str, str]:
    """Return every text of a language by ``<area>.<key>``."""
    words: dict[str, str] = {}
    for file in sorted((FOLDER / language).glob("*.json")):
        area = json.loads(file.read_text(encoding="utf-8"))
        words |= {f"{file.stem}.{key}": text for key, text in area.items()}
    return words | {f"rules.{key}": text for key, text in languages.load_words(languages.RULE_NAMES, language).items()}


def translate(language: str, key: str, /, **values: object) -> str:
    """Return the text for a key, with ``{name}`` filled in from ``values``.

    Args:
        language: One of ``LANGUAGES``.
        key: ``<area>.<key>``.

    Raises:
        KeyError: No such text; a test finds those that templates name.
    """
    text = load_words(language)[key]
    return text.format(**values) if values else text


def find_text(language: str, key: str) -> str | None:
    """Return the text for a key that may not be there."""
    return load_words(language).get(key)


def choose_language(accepted: str) -> str:
    """Return the language of ours that a browser likes best.

    Args:
        accepted: Value of ``Accept-Language``; what cannot be read counts as nothing.
    """
    return languages.choose_language(accepted, LANGUAGES)
