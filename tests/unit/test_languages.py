"""One word for one thing, in whatever place it is said."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "languages.md").read_text(encoding="utf-8")
CHINESE = [
    *(ROOT / "service/console/languages/zh").glob("*.json"),
    ROOT / "service/console/languages/wordings/zh.json",
    ROOT / "service/web/rule_names/zh.json",
    *(ROOT / "schemas/credentials").glob("*.type-metadata.json"),
    *(ROOT / "service/verifier/button").glob("*.js"),
    ROOT / "service/wallet/static/languages/zh.json",
    ROOT / "service/wallet/static/manifest.zh.webmanifest",
    ROOT / "service/demo/platform/languages/zh.json",
    ROOT / "service/issuer/languages/zh.json",
    ROOT / "service/verifier/languages/zh.json",
]


def list_rejected() -> list[str]:
    rows = [line.split("|") for line in TABLE.splitlines() if line.startswith("| ")][1:]
    return [word.strip() for row in rows for word in row[4].split(",") if word.strip()]


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_rejected_word_is_said(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("符合资格", "")  # holds one of them across two words
    assert [word for word in list_rejected() if word in text] == []


def test_the_table_rejects_something() -> None:
    assert {"合资格", "撤回", "邀约", "经纪交易商"} <= set(list_rejected())
    assert len(CHINESE) > 20


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_wallet_names_a_category_as_the_console_names_its_rule(language: str) -> None:
    console = json.loads((ROOT / f"service/web/rule_names/{language}.json").read_text(encoding="utf-8"))
    wallet = json.loads((ROOT / f"service/wallet/static/languages/{language}.json").read_text(encoding="utf-8"))
    both = {key for key in console if f"value.category.{key}" in wallet}
    assert len(both) > 40
    assert {key: wallet[f"value.category.{key}"] for key in both} == {key: console[key] for key in both}
    purposes = json.loads((ROOT / f"service/console/languages/{language}/purposes.json").read_text(encoding="utf-8"))
    regimes = {key for key in purposes if "." in key and f"purpose.{key}" in wallet} - {
        "eu.pr_qi"
    }  # another has its title
    assert len(regimes) > 30
    assert {key: wallet[f"purpose.{key}"] for key in regimes} == {key: purposes[key] for key in regimes}
