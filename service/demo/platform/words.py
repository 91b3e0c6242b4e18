"""The words of the platform's pages, in English and in Chinese."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "zh")
_FOLDER = Path(__file__).parent / "languages"


@cache
def load_words(language: str) -> Mapping[str, str]:
    """Return all texts of a language by their key."""
    words: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return words


def choose_language(accepted: str) -> str:
    """Return the first of our languages in ``Accept-Language``; English if it names none."""
    wanted = (part.strip()[:2].lower() for part in accepted.split(","))
    return next((each for each in wanted if each in LANGUAGES), LANGUAGES[0])
