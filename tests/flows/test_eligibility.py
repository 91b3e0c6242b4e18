"""Who may take part in what, before there is a trade: what is said now must come true."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from tests.actions_support import ACTIONS
from tests.deployment import Deployment
from tests.gate_support import NON_US, REG_D, Market, codes, open_market, open_venue
from tests.prepared import prepared

PRICE = {"amount": "1000.00", "currency": "USD"}


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    await market.admit("alice")
    return market


async def ask(market: Market, *investors: str, scopes: str = "gate compliance", **more: Any) -> list[dict[str, Any]]:
    body = {"investors": list(investors), "securities": ["note"], "action": "primary"} | more
    answer = await market.call("POST", "/v1/eligibility", body, scopes=scopes)
    assert answer.status_code == 200, answer.text
    cells: list[dict[str, Any]] = answer.json()["data"]
    return cells


def names(cell: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in cell["reasons"]]


async def test_cells_come_by_security_then_by_investor(market: Market) -> None:
    bond = Market(market.scene, market.member, "bond")
    await bond.put_security(countries_blocked=["US"])
    await bond.put_offering("only", REG_D)
    cells = await ask(market, "nobody", "alice", securities=["bond", "note"])
    assert [(each["security_id"], each["investor_ref"], each["outcome"]) for each in cells] == [
        ("bond", "nobody", "deny"),
        ("bond", "alice", "deny"),
        ("note", "nobody", "deny"),
        ("note", "alice", "permit"),
    ]
    assert names(cells[1]) == ["JURISDICTION_BLOCKED"]
    assert cells[2]["remedy"]["kind"] == "present"


async def test_an_unknown_security_is_not_found_whoever_has_it(market: Market) -> None:
    stranger = await open_venue(market, "stranger", "note")
    await Market(market.scene, market.member, "hidden").put_security()
    answers = []
    for name in ("hidden", "never"):
        body = {"investors": ["alice"], "securities": ["note", name], "action": "primary"}
        answer = await stranger.call("POST", "/v1/eligibility", body)
        assert answer.status_code == 404
        [error] = answer.json()["errors"]
        assert error == {"path": "/body/securities/1", "detail": f"{name}: no such security"}
        answers.append(answer.json() | {"instance": "", "errors": []})
    assert answers[0] == answers[1]


async def test_a_venue_outside_its_grant_is_told_so(market: Market) -> None:
    venue = await open_venue(market, "venue", actions=["secondary"])
    await venue.admit("v-ada")
    [cell] = await ask(venue, "v-ada")
    assert (cell["outcome"], names(cell)) == ("deny", ["VENUE_NOT_LICENSED"])


async def test_without_a_price_limits_on_amounts_are_open_and_promise_no_quantity(market: Market) -> None:
    await market.put_offering("reg-d", REG_D | {"state": "closed"})
    await market.put_offering("small", {"regime": "us.reg_a_t1", "blue_sky_ok_states": ["NY"]})
    [cell] = await ask(market, "alice")
    assert (cell["outcome"], cell["offering_id"]) == ("permit", "small"), cell["reasons"]
    assert "price" in cell["open"]
    assert cell["max_quantity"] is None
    [priced] = await ask(market, "alice", price={"amount": "100000000.00", "currency": "USD"})
    assert (priced["outcome"], "price" in priced["open"]) == ("deny", False)
    wrong = {"investors": ["alice"], "securities": ["note"], "action": "primary", "price": PRICE | {"currency": "EUR"}}
    refused = await market.call("POST", "/v1/eligibility", wrong)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_transfer")


async def test_a_missing_fact_that_no_trade_brings_is_no_permit(market: Market) -> None:
    await market.put_offering("reg-d", REG_D | {"regime": "us.506b"})  # whether it was solicited is not said
    await market.put_offering("reg-s", {"regime": "us.reg_s", "state": "closed"})
    [cell] = await ask(market, "alice")
    assert cell["outcome"] != "permit"
    assert "INPUT_MISSING" in names(cell)
    assert {each["evidence"]["field"] for each in cell["reasons"] if each["code"] == "INPUT_MISSING"} >= {
        "offering.general_solicitation"
    }


async def test_a_buyer_is_not_blamed_for_the_seller_that_nobody_named(market: Market) -> None:
    [cell] = await ask(market, "alice", action="secondary")
    assert names(cell) == [], cell["reasons"]
    assert cell["outcome"] == "permit"
    assert cell["max_quantity"] is None


@pytest.mark.parametrize("action", sorted({action for action, *_ in ACTIONS} | {"liquidation", "release"}))
async def test_every_action_can_be_asked_about(market: Market, action: str) -> None:
    await market.open_lot("alice", 50)
    known, unknown = await ask(market, "alice", "nobody", action=action)
    assert unknown["outcome"] == "deny"
    assert known["outcome"] in ("permit", "deny", "review")


async def test_sanctions_are_withheld_from_who_may_not_see_them(market: Market) -> None:
    await market.screen("alice", "hit")
    [seen] = await ask(market, "alice")
    [withheld] = await ask(market, "alice", scopes="gate")
    assert names(seen) == ["SANCTIONS_HIT"]
    assert names(withheld) == ["RESTRICTED"]
    assert withheld["remedy"] is None
    assert withheld["outcome"] == seen["outcome"] == "deny"


async def test_the_quantity_is_what_transfers_then_permit(market: Market) -> None:
    await market.put_security(issued_quantity="700")
    await market.open_lot("bob", 100)
    [cell] = await ask(market, "alice", price=PRICE)
    assert (cell["outcome"], cell["open"], cell["max_quantity"]) == ("permit", [], "600")
    more = await market.decide(market.buy("alice", 601))
    assert (more["outcome"], more["max_permitted_quantity"]) == ("deny", "600")
    assert (await market.decide(market.buy("alice", 600)))["outcome"] == "permit"
    [none_left] = await ask(market, "alice", price=PRICE)
    assert none_left["outcome"] == "deny"


async def test_overdue_promises_are_free_and_nothing_is_written(market: Market) -> None:
    await market.put_security(issued_quantity="100")
    await market.decide(market.buy("alice", 100))
    market.deployment.clock.advance(seconds=60)
    await market.holders()  # renews the token, which is a trace of its own
    before = await read_everything(market)
    [cell] = await ask(market, "alice", price=PRICE, scopes="gate")
    assert (cell["outcome"], cell["max_quantity"]) == ("permit", "100")
    await ask(market, "alice", "nobody", action="secondary", scopes="gate")
    after = await read_everything(market)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set()


async def read_everything(market: Market) -> dict[str, list[str]]:
    async with market.deployment.context.database.reading() as session:
        connection = await session.connection()
        return {
            table.name: sorted(map(repr, (await connection.execute(select(table))).all()))
            for table in SQLModel.metadata.sorted_tables
        }


async def comes_true(market: Market, cell: dict[str, Any], request: dict[str, Any]) -> None:
    """Check that a decision permits at the cell's last instant, and no longer just after it."""
    until = datetime.fromisoformat(cell["valid_until"])
    clock = market.deployment.clock
    clock.now = until - timedelta(seconds=1)
    before = await market.call("POST", "/v1/transfers/preview", request)
    assert before.json()["outcome"] == "permit", (until, codes(before.json()))
    clock.now = until + timedelta(seconds=1)
    after = await market.call("POST", "/v1/transfers/preview", request)
    assert after.json()["outcome"] != "permit", until


async def test_it_holds_until_the_screening_is_too_old(market: Market) -> None:
    [cell] = await ask(market, "alice")
    assert cell["valid_until"] == "2026-11-24T12:00:00.000Z"
    await comes_true(market, cell, market.buy("alice"))


async def test_a_newer_screening_lasts_longer_than_the_credential_that_it_replaces(market: Market) -> None:
    wallet = await market.scene.new_wallet(sub="subject-carol")
    soon = int((market.deployment.clock() + timedelta(hours=2)).timestamp())
    wallet.held[1] = await market.scene.kyc.issue("aml-screening", wallet.keys, exp=soon)
    await market.admit("carol", wallet)
    [cell] = await ask(market, "carol")
    assert cell["valid_until"] == "2026-11-23T17:00:00.000Z"
    await market.screen("carol")
    [cell] = await ask(market, "carol")
    assert cell["valid_until"] == "2026-11-24T15:00:00.000Z"
    await comes_true(market, cell, market.buy("carol"))


async def test_it_holds_until_a_credential_expires(market: Market) -> None:
    wallet = await market.scene.new_wallet(sub="subject-carol")
    soon = int((market.deployment.clock() + timedelta(hours=5)).timestamp())
    wallet.held[0] = await market.scene.kyc.issue("kyc", wallet.keys, sub="subject-carol", exp=soon)
    await market.admit("carol", wallet)
    [cell] = await ask(market, "carol")
    assert cell["valid_until"] == "2026-11-23T20:00:00.000Z"
    await comes_true(market, cell, market.buy("carol"))


async def test_what_was_replaced_ends_nothing(market: Market) -> None:
    wallet = await market.scene.new_wallet(sub="subject-carol")
    soon = int((market.deployment.clock() + timedelta(hours=1)).timestamp())
    wallet.held[0] = await market.scene.kyc.issue("kyc", wallet.keys, sub="subject-carol", exp=soon)
    await market.admit("carol", wallet)
    wallet.held[0] = await market.scene.kyc.issue("kyc", wallet.keys, sub="subject-carol")
    await market.admit("carol", wallet)
    for hours in (0, 2):
        market.deployment.clock.advance(hours=hours)
        [cell] = await ask(market, "carol")
        assert cell["valid_until"] == "2026-11-24T12:00:00.000Z"
    await comes_true(market, cell, market.buy("carol"))


async def test_who_is_outside_the_offering_until_a_trade_says_more_is_no_permit(market: Market) -> None:
    """Regulation S takes silence about where the order came from for no."""
    await market.put_offering("reg-d", REG_D | {"state": "closed"})
    await market.admit("dora", purpose="us.reg_s", **NON_US)
    [cell] = await ask(market, "dora")
    assert (cell["outcome"], names(cell)) == ("deny", ["US_REGS_NOT_OFFSHORE", "US_REGS_CERT_MISSING"])
    assert cell["valid_until"] is None


async def test_it_holds_until_the_verification_is_too_old(market: Market) -> None:
    market.deployment.clock.now = datetime.fromisoformat("2027-01-30T15:00:00+00:00")
    wallet = await market.scene.new_wallet(sub="subject-carol")
    await market.admit("carol", wallet)
    await market.screen("carol")
    [cell] = await ask(market, "carol")
    assert cell["outcome"] == "permit"
    await comes_true(market, cell, market.buy("carol"))


async def test_it_holds_until_the_grant_ends(market: Market) -> None:
    venue = await open_venue(market, "venue", valid_until="2026-11-23")
    await venue.admit("v-ada")
    [cell] = await ask(venue, "v-ada")
    assert cell["outcome"] == "permit"
    assert cell["valid_until"] == "2026-11-24T05:00:00.000Z"  # midnight in New York
    await comes_true(venue, cell, venue.buy("v-ada"))


async def test_it_holds_until_an_issuer_is_no_longer_trusted(market: Market) -> None:
    trusted = await market.scene.platform.trust(
        market.scene.accreditor.identifier,
        "qualified-investor",
        entry_id="accreditor",
        attester_class="us_cpa",
        valid_until="2026-11-23",
    )
    assert trusted.status_code == 200
    [cell] = await ask(market, "alice")
    assert cell["valid_until"] == "2026-11-24T05:00:00.000Z"
    await comes_true(market, cell, market.buy("alice"))
