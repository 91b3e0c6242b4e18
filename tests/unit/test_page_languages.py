"""The words of the pages that carry offers and requests to wallets."""

import re
from pathlib import Path

import pytest

from service.issuer import offer_page
from service.verifier import page
from service.web.languages import LANGUAGES, load_words


@pytest.mark.parametrize("folder", [offer_page.LANGUAGE_FILES, page.LANGUAGE_FILES], ids=["offers", "requests"])
def test_every_language_says_the_same(folder: Path) -> None:
    english = load_words(folder, "en")
    for language in LANGUAGES:
        words = load_words(folder, language)
        assert words.keys() == english.keys()
        for key, sentence in english.items():
            assert words[key].strip(), key
            assert sorted(re.findall(r"\{\w+\}", words[key])) == sorted(re.findall(r"\{\w+\}", sentence)), key
