"""The words of the pages: both languages say everything, and everything that a page says is there."""

import json
import re
import string
from pathlib import Path

import pytest

from service.accounts.accounts import LANGUAGES, ROLES, AccountInvalidError, LastAdminError
from service.accounts.sign_in_links import AccountDisabledError, LinkUnusableError
from service.console.forms import ForeignFormError, FormUnreadableError
from service.console.issuer.cases_api import SubjectRefError
from service.console.issuer.claims_form import ClaimUnsaidError
from service.console.issuer.decisions_api import ReasonMissingError, RuleNotChosenError
from service.console.issuer.evidence_api import MessageMissingError
from service.console.issuer.fields import FieldError
from service.console.navigation import ENTRIES
from service.console.once import FormSentBeforeError
from service.console.platform.clients import ClientNameInvalidError
from service.console.platform.decision_search import DayInvalidError
from service.console.platform.decisions import EndingTextError
from service.console.platform.names import NameUnusableError
from service.console.platform.sheets import IdTakenError
from service.console.text import cut, show_marks
from service.console.translation import FOLDER, choose_language, find_text, load_words, translate
from service.console.viewer import RoleMissingError
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.errors import ServiceError
from service.rules.catalog import LIMITS, TESTS
from service.schema_files import load_claims_schema

CONSOLE = FOLDER.parent
FOUND_BY_NAME = ("errors.", "claims.", "figures.", "rules.")  # their keys come from codes, schemas and rules
_IN_TEMPLATES = re.compile(r"\bt\('([a-z_0-9]+\.[a-z_0-9.-]+)'(?! ~)")
_IN_PYTHON = re.compile(r"translate\([\w.]+,\s*\"([a-z_0-9]+\.[a-z_0-9.-]+)\"")
_PREFIXES = re.compile(r"\bt\('([a-z_0-9]+\.[a-z_0-9.-]*)' ~")


def read_sources() -> list[tuple[Path, str]]:
    files = [*CONSOLE.rglob("*.html"), *CONSOLE.rglob("*.py")]
    return [(path, path.read_text(encoding="utf-8")) for path in files]


def list_fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("area", sorted(path.name for path in (FOLDER / "en").iterdir()))
def test_both_languages_say_the_same(area: str) -> None:
    english, chinese = (json.loads((FOLDER / each / area).read_text(encoding="utf-8")) for each in LANGUAGES)
    assert list(english) == list(chinese)
    assert {key for key in english if list_fields(english[key]) != list_fields(chinese[key])} == set()


def test_no_language_has_an_area_of_its_own() -> None:
    areas = [sorted(path.name for path in (FOLDER / each).iterdir()) for each in LANGUAGES]
    assert areas[0] == areas[1]


def test_every_text_that_a_page_names_is_there() -> None:
    used = {key for _, text in read_sources() for key in _IN_TEMPLATES.findall(text) + _IN_PYTHON.findall(text)}
    assert len(used) > 20
    assert used - load_words("en").keys() == set()


def test_every_text_is_used() -> None:
    sources = "\n".join(text for _, text in read_sources())
    used = set(_IN_TEMPLATES.findall(sources)) | set(_IN_PYTHON.findall(sources))
    prefixes = (*_PREFIXES.findall(sources), *FOUND_BY_NAME)
    named = {key for key in load_words("en") if f'"{key}"' in sources}
    idle = {key for key in load_words("en") if key not in used | named and not key.startswith(prefixes)}
    assert idle == set()


def test_texts_that_pages_build_the_names_of_are_there() -> None:
    wanted = {f"navigation.{entry.key}{suffix}" for entry in ENTRIES for suffix in ("", ".about")}
    wanted |= {f"roles.{role}" for role in ROLES} | {f"account.language_{each}" for each in LANGUAGES}
    assert wanted - load_words("zh").keys() == set()


def test_values_are_filled_in() -> None:
    assert translate("en", "home.title", name="Ada {x}") == "Hello, Ada {x}"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de,fr;q=0.8,zh-TW;q=0.5", "zh"),
        ("xx;;,,q", "en"),
        ("EN-us", "en"),
    ],
)
def test_the_language_that_the_browser_likes(accepted: str, language: str) -> None:
    assert choose_language(accepted) == language


def test_marks_that_turn_text_around_are_shown() -> None:
    assert show_marks("Acme \u202egnp.exe\u200b\x1b[1m") == "Acme [U+202E]gnp.exe[U+200B][U+001B][1m"
    assert show_marks("李雷 – naïve\nمرحبا") == "李雷 – naïve\nمرحبا"


def test_long_text_is_cut_and_whole_behind_it() -> None:
    text = "<b>" + "x" * 10_000
    shown = cut(text)
    assert shown.startswith('<details class="long"><summary>&lt;b&gt;xxx')
    assert shown.count("x") == 10_000 + 117
    assert cut("<b>") == "&lt;b&gt;"


@pytest.mark.parametrize(
    "kind",
    [
        AccountDisabledError,
        AccountInvalidError,
        ClaimUnsaidError,
        ClientNameInvalidError,
        DayInvalidError,
        EndingTextError,
        IdTakenError,
        NameUnusableError,
        FieldError,
        ReasonMissingError,
        RuleNotChosenError,
        SubjectRefError,
        ForeignFormError,
        FormSentBeforeError,
        FormUnreadableError,
        LastAdminError,
        LinkUnusableError,
        MessageMissingError,
        RoleMissingError,
    ],
)
def test_errors_of_the_pages_are_said_in_plain_words(kind: type[ServiceError]) -> None:
    assert {language for language in LANGUAGES if find_text(language, f"errors.{kind.code}")} == set(LANGUAGES)


def test_every_rule_and_figure_is_named_in_both_languages() -> None:
    """A rule that is new is shown by its own title and the names of its figures; this asks for their words."""
    rules = {**TESTS, **LIMITS}
    figures = {f"figures.{name}" for rule in rules.values() for name in rule.figures}
    assert figures == {key for key in load_words("zh") if key.startswith("figures.")}
    assert {f"rules.{each}" for each in rules} == {key for key in load_words("zh") if key.startswith("rules.")}
    assert {each: rule.title for each, rule in rules.items()} == {
        key.removeprefix("rules."): text for key, text in load_words("en").items() if key.startswith("rules.")
    }


def test_every_hint_is_about_a_claim_that_there_is() -> None:
    schemas = [load_claims_schema(name)["properties"] for name in CREDENTIAL_TYPES]
    for key in (key for key in load_words("en") if key.startswith("claims.")):
        _, claim, *value = key.split(".", 2)
        rules = [schema[claim] for schema in schemas if claim in schema]
        assert rules, key
        assert not value or any(value[0] in rule.get("enum", ()) for rule in rules), key
