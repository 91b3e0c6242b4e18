"""The words of the pages: both languages say everything, and everything that a page says is there."""

import ast
import importlib
import json
import re
import string
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.accounts.accounts import LANGUAGES, ROLES, AccountInvalidError, LastAdminError
from service.accounts.sign_in_links import AccountDisabledError, LinkUnusableError
from service.console.forms import ForeignFormError, FormUnreadableError
from service.console.issuer.cases_api import SubjectRefError
from service.console.issuer.claims_form import ClaimUnsaidError
from service.console.issuer.decisions_api import ReasonMissingError, RuleNotChosenError
from service.console.issuer.evidence_api import EVIDENCE, MessageMissingError
from service.console.issuer.fields import FieldError
from service.console.issuer.figures import list_rules
from service.console.navigation import ENTRIES
from service.console.once import FormSentBeforeError
from service.console.platform.clients import ClientNameInvalidError
from service.console.platform.decision_search import DayInvalidError
from service.console.platform.decisions import EndingTextError
from service.console.platform.names import NameUnusableError
from service.console.platform.sheets import IdTakenError
from service.console.text import cut, show_marks
from service.console.translation import FOLDER, choose_language, find_text, load_words, translate
from service.console.values import name_value
from service.console.viewer import RoleMissingError
from service.console.wordings import find_wording, load_wordings, say_step
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.errors import ServiceError
from service.gate.redaction import RESTRICTED
from service.issuer.case_review import INVESTMENT_LIMIT, QUALIFIED_INVESTOR
from service.rules import packs
from service.rules.catalog import LIMITS, TESTS
from service.rules.codes import MESSAGES, OBLIGATIONS
from service.rules.computation import assess_investor
from service.rules.law import CURRENT_LAW
from service.rules.packs import us_purchaser_tests
from service.rules.purposes import list_purposes
from service.rules.schema import Choice
from service.schema_files import load_claims_schema, load_reason_codes

CONSOLE = FOLDER.parent
JOINT = {"joint_y1": None, "joint_y2": None}
FOUND_BY_NAME = (
    "errors.",
    "claims.",
    "figures.",
    "rules.",
    "choices.",
    "countries.",
    "purposes.",
    "thresholds.",
    "platform.detail.",
)  # their keys come from codes, schemas and rules
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
    assert show_marks("one\r\ntwo\rthree") == "one\ntwo[U+000D]three"  # browsers end typed lines so


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


def list_wordings() -> set[str]:
    """Return every English wording that a rule writes into the working of a test."""
    found: set[str] = set()
    for module in sorted(Path(packs.__path__[0]).glob("*.py")):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for call in calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("compare", "state", "explain"):
                found |= {each.value for each in call.args[:1] if isinstance(each, ast.Constant)}
            texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            found |= {text for text in texts if "{year}" in text}
    return found | {us_purchaser_tests._NET}


def list_messages() -> set[str]:
    """Return every sentence in which a decision states a reason or an obligation."""
    found = {*MESSAGES.values(), *OBLIGATIONS.values(), f"{load_reason_codes()[RESTRICTED]['title']}."}
    for module in sorted(Path(packs.__path__[0]).glob("*.py")):
        constants = vars(importlib.import_module(f"{packs.__name__}.{module.stem}"))
        nodes = [
            node for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))) if isinstance(node, ast.keyword)
        ]
        found |= {
            constants[node.value.id] for node in nodes if node.arg == "message" and isinstance(node.value, ast.Name)
        }
    return found


def test_what_rules_say_in_english_is_said_in_chinese() -> None:
    evidence = set(EVIDENCE)
    wanted = {each for each in list_wordings() if f"figures.{each}" not in load_words("zh")} | evidence | {"y1", "y2"}
    wanted |= list_messages()
    said = load_wordings("zh")
    assert set(said) == wanted
    assert {each for each in wanted if list_fields(each) != list_fields(said[each])} == set()
    assert len({said[each] for each in evidence}) == len(evidence) > 70
    assert load_wordings("en").keys() <= wanted


def test_a_step_is_said_in_the_language_of_the_page() -> None:
    figures = {"income_y1": 250_000, "income_y2": 100_000, "expects_same_current_year": True}
    steps = [asdict(each) for each in assess_investor("us.ai.income", figures | JOINT, on=date(2026, 1, 1)).steps]
    assert [say_step("zh", each) for each in steps][:3] == [
        "预期今年收入相同：是",
        "前年个人收入：250,000 > 200,000，成立",
        "去年个人收入：100,000 > 200,000，不成立",
    ]
    assert say_step("en", steps[1]) == "Own income of the year before last: 250,000 > 200,000 holds"


def test_what_an_officer_chose_from_a_list_is_kept_in_the_rule_s_words() -> None:
    assert find_wording("zh", "年度账目", EVIDENCE) == "annual accounts"
    assert find_wording("zh", "随便", EVIDENCE) == "随便"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("category", "us.ai.net_worth", "合格投资者：净资产（us.ai.net_worth）"),
        ("regime", "eu.ecspr", "欧盟众筹（eu.ecspr）"),
        ("countries_allowed", ["SG", "UK"], "新加坡（SG）、英国（UK）"),
        ("jurisdiction", "EU", "欧盟（EU）"),
        ("loa", "substantial", "中"),
        ("kind", "trust", "信托"),
        ("attester_class", "us_cpa", "美国注册会计师"),
        ("pep", False, "否"),
        ("currency", "HKD", "HKD"),
        ("country", "<b>", "<b>"),
        ("scope", None, "–"),
        ("tax_years", [2024, 2025], "2024、2025"),
    ],
)
def test_a_value_is_said_by_its_name(name: str, value: Any, said: str) -> None:
    assert name_value("zh", name, value) == said


def test_every_choice_threshold_purpose_and_country_is_named() -> None:
    rules = [*TESTS.values(), *LIMITS.values()]
    shapes = ((name, shape) for rule in rules for name, shape in rule.figures.items() if isinstance(shape, Choice))
    choices = {f"choices.{name}.{each}" for name, shape in shapes for each in shape.allowed}
    shown = [
        rule for group in (QUALIFIED_INVESTOR, INVESTMENT_LIMIT) for each in list_rules(group).values() for rule in each
    ]
    fixed = {
        f"thresholds.{name}" for rule in shown for name, value in rule.parameters.items() if isinstance(value, str)
    }
    purposes = {f"purposes.{each.id}": each.title for each in list_purposes(CURRENT_LAW)}
    codes = load_claims_schema("kyc")["$defs"]["country"]["enum"]
    places = {f"countries.{each}" for each in (*codes, *(group.upper() for group in list_rules(QUALIFIED_INVESTOR)))}
    english = load_words("en")
    assert {key for key in english if key.startswith(("choices.", "thresholds.", "purposes."))} == (
        choices | fixed | purposes.keys()
    )
    assert {key: english[key] for key in purposes} == purposes
    assert places - english.keys() == set()


def test_every_hint_is_about_a_claim_that_there_is() -> None:
    schemas = [load_claims_schema(name)["properties"] for name in CREDENTIAL_TYPES]
    for key in (key for key in load_words("en") if key.startswith("claims.")):
        _, claim, *value = key.split(".", 2)
        rules = [schema[claim] for schema in schemas if claim in schema]
        assert rules, key
        assert not value or any(value[0] in rule.get("enum", ()) for rule in rules), key
