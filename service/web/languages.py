"""The language of pages for people without an account: what they chose by a link, else what their browser asks for."""

import json
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

from fastapi import Request

RULE_NAMES = Path(__file__).parent / "rule_names"
"""Files of the names of investor tests and limits, by their ids."""
LANGUAGES = {"en": "English", "zh": "简体中文"}
"""Codes with the names that their readers know them by; the first is for everybody else."""


def choose_language(accepted: str, known: Collection[str] = tuple(LANGUAGES)) -> str:
    """Return the language of ``known`` that a browser likes best, else the first of them.

    Args:
        accepted: Value of ``Accept-Language``; what cannot be read counts as nothing.
        known: Codes without regions.

    Source: RFC 9110, section 12.5.4. Preferences are written in order, so their weights are not needed.
    """
    wanted = (part.partition(";")[0].strip().partition("-")[0].lower() for part in accepted.split(","))
    return next((language for language in wanted if language in known), next(iter(known)))


def language_of(request: Request, chosen: str | None = None) -> str:
    """Return the language of a page: a chosen one, else one that an app or the browser asks for.

    Args:
        chosen: What a form says; None for what the address does, as in ``?language=zh``.

    Source: OpenID Connect Core 1.0, section 3.1.2.1, ``ui_locales``: tags between spaces, the best first.
    """
    wanted = request.query_params.get("language", "") if chosen is None else chosen
    asked = [*request.query_params.get("ui_locales", "").split(), request.headers.get("accept-language", "")]
    return wanted if wanted in LANGUAGES else choose_language(",".join(asked))


def tag_of(language: str) -> str:
    """Return the tag for ``lang`` attributes. Source: BCP 47."""
    return "zh-Hans" if language == "zh" else language


@cache
def load_words(folder: Path, language: str) -> Mapping[str, str]:
    """Return the texts of ``<folder>/<language>.json``."""
    words: dict[str, str] = json.loads((folder / f"{language}.json").read_text(encoding="utf-8"))
    return words


def list_switches(language: str, query: Mapping[str, str] = MappingProxyType({})) -> list[dict[str, str]]:
    """Return the links to the same page in the other languages, for templates.

    Args:
        query: What else the address of the page says.
    """
    others = (code for code in LANGUAGES if code != language)
    return [
        {"href": f"?{urlencode({**query, 'language': code})}", "tag": tag_of(code), "name": LANGUAGES[code]}
        for code in others
    ]
