"""Decisions on a platform's pages: every reason for those who may see it, and not a trace of it for the others."""

import json
import re

import pytest

from service.accounts.accounts import ROLES
from service.console.platform.decision_search import list_searchable_codes
from service.console.wordings import say_wording
from service.log.sequencer import advance_log
from service.schema_files import load_reason_codes
from tests.console_support import Browser
from tests.deployment import Deployment
from tests.gate_support import Market, codes, open_market
from tests.http.test_console_platform import enter, read_acts, read_text, send, show
from tests.prepared import prepared

HIDDEN = sorted(code for code, entry in load_reason_codes().items() if entry["outward"] not in (code, None))


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    market = await open_market(sqlite_deployment)
    for ref in ("alice", "dave"):
        await market.admit(ref)
    await market.put_investor("bob", frozen=False)
    return market


async def test_a_permit_is_never_called_approved(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    browser = await enter(market, "officer")
    page = await show(browser, f"/console/decisions/{decision['id']}")
    rules = decision["versions"]["rules"]
    assert f"No restriction found under rules {rules} with the facts recorded at 2026-11-23 15:00:00 UTC." in page
    assert "approved" not in page.lower()
    assert decision["decision_hash"] in page
    chinese = await enter(market, "officer", language="zh")
    assert "未发现限制" in await show(chinese, f"/console/decisions/{decision['id']}")


async def test_a_denial_shows_all_of_every_reason(market: Market) -> None:
    await market.put_investor("bob", frozen=True)
    decision = await market.decide(market.buy("bob"))
    assert len(decision["reasons"]) > 1
    browser = await enter(market, "auditor")
    page = await show(browser, f"/console/decisions/{decision['id']}")
    for reason in decision["reasons"]:
        for part in (reason["code"], reason["citation"], reason["message"]):
            assert part in page, part
    assert {"law": "Rests on law", "firm_policy": "Rests on this firm's policy"}[
        decision["reasons"][0]["basis"]
    ] in page
    chinese = await enter(market, "auditor", language="zh")
    page = await show(chinese, f"/console/decisions/{decision['id']}")
    assert "转入方已被冻结" in page
    for reason in decision["reasons"]:
        assert say_wording("zh", reason["message"]) in page
        assert reason["message"] not in page


async def test_the_list_finds_by_every_field(market: Market) -> None:
    permit = (await market.decide(market.buy("alice")))["id"]
    market.deployment.clock.advance(hours=24)
    deny = (await market.decide(market.buy("bob")))["id"]
    browser = await enter(market, "officer")
    found = {
        "": [deny, permit],
        "outcome=permit": [permit],
        "investor=bob": [deny],
        "security=note": [deny, permit],
        "security=nothing": [],
        "code=COUNTERPARTY_UNIDENTIFIED": [deny],
        "since=2026-11-24": [deny],
        "until=2026-11-23": [permit],
        "investor=alice&outcome=deny": [],
    }
    for query, expected in found.items():
        page = (await browser.get(f"/console/decisions?{query}")).text
        assert re.findall(r'href="/console/decisions/(trf_\w+)"', page) == expected, query
    for query in ("since=tomorrow", "until=9999-12-31", "after=x"):
        await show(browser, f"/console/decisions?{query}", 422)


async def test_reasons_that_must_not_be_told_are_told_to_nobody_else(market: Market) -> None:
    """Whatever a screening found, the pages of who lacks the role read the same, letter by letter."""
    for ref, result in (("alice", "hit"), ("dave", "potential")):
        await market.screen(ref, result)
        await market.decide(market.buy(ref))
    browser = await enter(market, *(set(ROLES) - {"compliance"}))
    seen = [await read_everything_about(browser, ref) for ref in ("alice", "dave")]
    assert [each["outcome"] for each in seen] == ["deny", "review"]  # as callers of the API see it
    first, second = ({name: text for name, text in each.items() if name != "outcome"} for each in seen)
    for name, text in first.items():
        assert "RESTRICTED" in text or not name.startswith("decision"), name
        assert not [code for code in HIDDEN if code in text], name
        if name != "investor":  # which names the kinds of credentials
            assert not re.search(r"sanction|screening", text, re.IGNORECASE), name
    assert first["investor"] == second["investor"]
    assert "screened_at" not in first["investor"]
    assert first["list by code"].count("deny") == second["list by code"].count("deny")


async def read_everything_about(browser: Browser, ref: str) -> dict[str, str]:
    """Return what pages say about an investor's decision, with what differs by nature taken out."""
    listed = (await browser.get(f"/console/decisions?investor={ref}")).text
    [transfer_id] = re.findall(r'href="/console/decisions/(trf_\w+)"', listed)
    [outcome] = set(re.findall(r"not permitted|a person has to decide", read_text(listed).split("Why")[-1]))
    pages = {
        "decision": (await browser.get(f"/console/decisions/{transfer_id}")).text,
        "investor": (await browser.get(f"/console/investors/{ref}")).text,
        "list by code": (await browser.get("/console/decisions?code=RESTRICTED")).text,
    }
    for path in ("facts", "receipt"):
        answer = await browser.get(f"/console/decisions/{transfer_id}/{path}")
        assert answer.status_code == 403
    await browser.get("/console")
    assert (await browser.post(f"/console/decisions/{transfer_id}/replay")).status_code == 403
    for code in HIDDEN:
        hidden = (await browser.get(f"/console/decisions?code={code}")).text
        assert "trf_" not in hidden, code
    kept = {"not permitted": "deny", "a person has to decide": "review"}[outcome]
    texts = {name: strip_changing(page, ref) for name, page in pages.items()}
    # The filter's choices name sanctions nowhere; the outcome itself is what the API tells too.
    return texts | {"outcome": kept}


def strip_changing(page: str, ref: str) -> str:
    page = re.sub(r'name="(form_token|once)" value="[^"]*"', "", page).replace(ref, "REF")
    return re.sub(r"trf_\w+", "TRF", page)


async def test_who_may_see_them_does(market: Market) -> None:
    await market.screen("alice", "hit")
    decision = await market.decide(market.buy("alice"))
    assert "SANCTIONS_HIT" in codes(decision)
    browser = await enter(market, "compliance")
    page = await show(browser, f"/console/decisions/{decision['id']}")
    assert "The party is on a sanctions list" in page
    assert "RESTRICTED" not in page
    assert decision["id"] in (await browser.get("/console/decisions?code=SANCTIONS_HIT")).text
    investor = await show(browser, "/console/investors/alice")
    assert "match" in investor.split("Your own screening")[1]
    assert "screened_at" in investor
    await show(browser, f"/console/decisions/{decision['id']}/facts")
    await send(browser, "/console/investors/alice/screening", {"result": "maybe"}, 422)
    await send(
        browser, "/console/investors/alice/screening", {"result": "clear", "screened_at": "2030-01-01T00:00:00Z"}, 422
    )
    await send(browser, "/console/investors/alice/screening", {"result": "clear", "lists": "ofac-sdn@3"})
    assert "clear" in (await show(browser, "/console/investors/alice")).split("Your own screening")[1]


def test_the_filter_offers_what_the_reader_may_see() -> None:
    assert not set(list_searchable_codes(sees=False)) & set(HIDDEN)
    assert set(HIDDEN) <= set(list_searchable_codes(sees=True))


async def test_the_same_comes_out_again(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    browser = await enter(market, "auditor")
    await show(browser, f"/console/decisions/{decision['id']}")
    page = await send(browser, f"/console/decisions/{decision['id']}/replay", {}, 200)
    assert "The same came out." in read_text(page.text)
    facts = await show(browser, f"/console/decisions/{decision['id']}/facts")
    assert "buyer.accredited yes credential, qualified-investor" in facts
    assert "buyer.existing_holder no the register" in facts
    accesses = await market.call("GET", "/v1/personal-data-accesses?investor_ref=alice", scopes="audit")
    assert [each["object"]["kind"] for each in accesses.json()["data"]][-2:] == ["bundle", "bundle"]


async def test_the_receipt_is_followed_to_the_root(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    browser = await enter(market, "auditor")
    address = f"/console/decisions/{decision['id']}/receipt"
    assert "not in the published log yet" in await show(browser, address)
    await advance_log(market.deployment.context)
    page = await show(browser, address)
    assert "the record is in the log" in page
    assert "The record is about this decision" in page
    receipt = await market.read(f"/v1/transfers/{decision['id']}/receipt")
    assert page.count("Joined with its neighbour") == len(receipt["inclusion_proof"])
    await show(browser, "/console/log")
    good = await send(browser, "/console/log", {"receipt": json.dumps(receipt)}, 200)
    assert "the record is in the log" in read_text(good.text)
    receipt["record"]["record"]["outcome"] = "deny"
    bad = await send(browser, "/console/log", {"receipt": json.dumps(receipt)}, 200)
    assert "this record is not at that place in the log" in read_text(bad.text)


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '{"a":1,"a":2}', "[" * 5000, '{"record":{},"index":0}', "é" * 20_000]
)
async def test_what_is_no_receipt(market: Market, text: str) -> None:
    browser = await enter(market, "auditor")
    await show(browser, "/console/log")
    answer = await browser.post("/console/log", {"receipt": text})
    assert answer.status_code in (400, 422), answer.text
    assert "could not be read" in read_text(answer.text)


async def test_what_if_answers_and_records_nothing(market: Market) -> None:
    browser = await enter(market, "auditor")
    await show(browser, "/console/what-if?security=note&buyer=bob")
    form = {
        "security_id": "note",
        "action": "primary",
        "offering_id": "reg-d",
        "buyer": "bob",
        "quantity": "5",
        "price.amount": "1000.00",
        "price.currency": "USD",
    }
    page = read_text((await send(browser, "/console/what-if", form, 200)).text)
    assert "COUNTERPARTY_UNIDENTIFIED" in page
    assert "Nothing was reserved or recorded." in page
    permit = read_text((await send(browser, "/console/what-if", form | {"buyer": "alice"}, 200)).text)
    assert "No restriction found under rules" in permit
    assumed = form | {"buyer": "alice", "facts": 'buyer.accredited = false\nbuyer.state="CA"'}
    assert "US_NOT_ACCREDITED" in read_text((await send(browser, "/console/what-if", assumed, 200)).text)
    for wrong in (
        {"quantity": "-1"},
        {"facts": "buyer.moon = 1"},
        {"facts": "="},
        {"action": "steal"},
        {"buyer": "a b"},
    ):
        answer = await send(browser, "/console/what-if", form | wrong, 422)
        assert 'value="1000.00"' in answer.text
    await send(browser, "/console/what-if", form | {"security_id": "unknown"}, 404)
    assert "No decision is found" in await show(browser, "/console/decisions")


async def test_what_if_tells_nobody_what_a_screening_found(market: Market) -> None:
    await market.screen("alice", "hit")
    browser = await enter(market, "officer", "admin", "auditor", "approver")
    await show(browser, "/console/what-if")
    form = {
        "security_id": "note",
        "action": "primary",
        "offering_id": "reg-d",
        "buyer": "alice",
        "quantity": "5",
        "price.amount": "1000.00",
        "price.currency": "USD",
    }
    for more in ({}, {"facts": "buyer.sanctions = clear"}):
        page = (await send(browser, "/console/what-if", form | more, 200)).text
        assert "RESTRICTED" in page
        assert not [code for code in HIDDEN if code in page]


async def test_a_reservation_is_settled_or_given_up(market: Market) -> None:
    browser = await enter(market, "officer")
    first, second = [await market.decide(market.buy("alice", 10)) for _ in range(2)]
    await show(browser, f"/console/decisions/{first['id']}")
    await send(browser, f"/console/decisions/{first['id']}/settle", {"reference": ""}, 422)
    for _ in range(2):
        await send(browser, f"/console/decisions/{first['id']}/settle", {"reference": "wire 1"})
    assert (await market.positions())["alice"] == "10"
    page = await show(browser, f"/console/decisions/{first['id']}")
    assert "settled" in page
    assert "Give it up" not in page
    await show(browser, f"/console/decisions/{second['id']}")
    await send(browser, f"/console/decisions/{second['id']}/void", {"reason": "withdrawn"})
    late = await send(browser, f"/console/decisions/{second['id']}/settle", {"reference": "wire 2"}, 409)
    assert "ended in another way" in read_text(late.text)
    assert {action for action, _ in await read_acts(market)} == {"transfer.settle", "transfer.void"}


async def test_a_settlement_that_is_refused_says_why(market: Market) -> None:
    browser = await enter(market, "officer")
    decision = await market.decide(market.buy("alice", 10))
    await market.screen("alice", "hit")
    await show(browser, f"/console/decisions/{decision['id']}")
    refused = await send(browser, f"/console/decisions/{decision['id']}/settle", {"reference": "wire"}, 409)
    assert "RESTRICTED" in refused.text
    assert "SANCTIONS" not in refused.text
    assert "alice" not in await market.positions()
