"""A platform's pages: what each shows, who may open and send it, and that nothing of others is on it."""

import re
from html import unescape
from typing import Any

import pytest

from service.accounts.accounts import ROLES
from service.log.sequencer import advance_log
from tests.console_support import Browser, sign_in
from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.prepared import prepared

HOSTILE = "Evil <script>alert(1)</script> \u202egnp.exe"


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    market = await open_market(sqlite_deployment, caps={"holders": 3}, name=HOSTILE)
    await market.admit("alice")
    await market.put_investor("bob", frozen=False)
    await market.open_lot("alice", 100)
    return market


async def enter(market: Market, *roles: str, language: str = "en") -> Browser:
    browser, _ = await sign_in(market.deployment, market.member, roles, language=language)
    return browser


def read_text(page: str) -> str:
    """Return what people read on a page."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


async def show(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path)
    assert answer.status_code == status, (path, answer.status_code, read_text(answer.text)[-400:])
    return read_text(answer.text)


async def send(browser: Browser, path: str, data: dict[str, Any], status: int = 303) -> Any:
    answer = await browser.post(path, data)
    assert answer.status_code == status, (path, answer.status_code, read_text(answer.text)[-600:])
    return answer


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_page_opens_in_both_languages(market: Market, language: str) -> None:
    permit = await market.decide(market.buy("alice", 1))
    deny = await market.decide(market.buy("bob", 1))
    await advance_log(market.deployment.context)
    browser = await enter(market, *ROLES, language=language)
    pages = [
        "/console/securities",
        "/console/new-security",
        "/console/securities/note",
        "/console/securities/note/edit",
        "/console/securities/note/versions",
        "/console/securities/note/positions",
        "/console/securities/note/new-position",
        "/console/securities/note/new-offering",
        "/console/securities/note/offerings/reg-d",
        "/console/securities/note/offerings/reg-s/edit",
        "/console/trusted-issuers",
        "/console/new-trusted-issuer",
        "/console/trusted-issuers/kyc",
        "/console/investors",
        "/console/investors/alice",
        "/console/investors/bob",
        "/console/decisions",
        f"/console/decisions/{permit['id']}",
        f"/console/decisions/{deny['id']}",
        f"/console/decisions/{deny['id']}/facts",
        f"/console/decisions/{permit['id']}/receipt",
        "/console/what-if",
        "/console/log",
        "/console/clients",
    ]
    for path in pages:
        answer = await browser.get(path)
        assert answer.status_code == 200, (path, read_text(answer.text)[-500:])
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", answer.text), path
        assert "\u202e" not in answer.text, path
