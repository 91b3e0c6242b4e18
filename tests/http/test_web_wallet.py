"""The web wallet's files: complete, small, and under a policy that lets nothing foreign run."""

import gzip
import json
import re

import pytest

from service.rules.purposes import PURPOSES
from service.wallet.web_api import FOLDER, build_policy, load_files
from tests.deployment import Deployment

LARGEST_BYTES = 150_000
INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)


async def test_the_page_comes_with_a_policy_that_runs_nothing_inline(sqlite_deployment: Deployment) -> None:
    answer = await sqlite_deployment.http.get("/wallet/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    for name in ("default-src", "object-src", "base-uri", "form-action", "frame-ancestors"):
        assert policy[name] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not INLINE.search(answer.text)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["permissions-policy"].startswith("camera=(self)")


def test_plain_http_is_for_a_service_on_this_machine() -> None:
    assert "connect-src 'self' https: http://localhost:*" in build_policy("http://localhost:8000")
    assert "connect-src 'self' https:;" in build_policy("https://goodstanding.example")


@pytest.mark.parametrize("name", sorted(load_files()))
async def test_every_file_has_its_kind_and_is_asked_for_only_once(sqlite_deployment: Deployment, name: str) -> None:
    answer = await sqlite_deployment.http.get(f"/wallet/{name}")
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    assert "'unsafe" not in answer.headers["content-security-policy"]
    known = {"If-None-Match": answer.headers["etag"]}
    again = await sqlite_deployment.http.get(f"/wallet/{name}", headers=known)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/wallet/../app.py", "/wallet/%2e%2e/web_api.py", "/wallet/pages", "/wallet/none.js"])
async def test_nothing_else_is_given(sqlite_deployment: Deployment, path: str) -> None:
    assert (await sqlite_deployment.http.get(path)).status_code == 404


async def test_the_address_without_a_slash_leads_there(sqlite_deployment: Deployment) -> None:
    answer = await sqlite_deployment.http.get("/wallet")
    assert (answer.status_code, answer.headers["location"]) == (308, "/wallet/")


def test_the_whole_wallet_is_small() -> None:
    assert sum(len(file.zipped) for file in load_files().values()) < LARGEST_BYTES
    assert all(gzip.decompress(file.zipped) == file.content for file in load_files().values())


def _load_words(language: str) -> dict[str, str]:
    words: dict[str, str] = json.loads((FOLDER / "languages" / f"{language}.json").read_text(encoding="utf-8"))
    return words


def test_both_languages_say_the_same() -> None:
    english, chinese = _load_words("en"), _load_words("zh")
    assert english.keys() == chinese.keys()
    for key, sentence in english.items():
        assert chinese[key].strip(), key
        assert sorted(re.findall(r"\{\w+\}", sentence)) == sorted(re.findall(r"\{\w+\}", chinese[key])), key


def test_every_purpose_has_words() -> None:
    purposes = json.loads(load_files()["purposes.json"].content)
    assert purposes.keys() == {purpose.title for purpose in PURPOSES.values()}
    named = {key.removeprefix("purpose.") for key in _load_words("en") if key.startswith("purpose.")}
    assert named == set(purposes.values())


def test_every_word_that_a_page_uses_is_there() -> None:
    english = _load_words("en")
    source = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.js"))
    used = set(re.findall(r"""\bt\(\s*"([\w.]+)\"""", source))
    used |= {f"error.{key}" for key in re.findall(r"""new WalletError\(\s*"(\w+)\"""", source)}
    assert used
    assert used - english.keys() == set()


CHOSEN_BY_VALUE = ("purpose.", "statement.", "value.")  # the names come from the rule book and from others' credentials


def test_no_word_is_there_that_no_page_uses() -> None:
    own = [path for path in FOLDER.rglob("*.js") if path.parent.name != "vendor"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in own)
    named = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)*)"', source))
    pieces = re.findall(r"`([a-z_]+\.[a-z_]*)\$\{[^`]*?\}([a-z_]*)`", source)
    for key in _load_words("en"):
        built = any(key.startswith(head) and key.endswith(tail) for head, tail in pieces if head != "error.")
        used = key in named or built or key.startswith(CHOSEN_BY_VALUE) or key.removeprefix("error.") in named
        assert used, key


def test_no_page_writes_markup() -> None:
    for path in FOLDER.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            path
        )
