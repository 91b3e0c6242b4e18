"""Decisions, from standing and register to reasons, on both kinds of database."""

import asyncio
from typing import Any

import pytest
from sqlmodel import select

from service.storage.tables import AuditEntry, Transfer
from tests.deployment import Deployment
from tests.gate_support import NON_US, OFFSHORE, REG_D, REG_S, SECURITY, Market, codes, open_market
from tests.prepared import prepared
from tests.verifying_support import CLAIMS

STATUSES = [(1, "CRED_REVOKED"), (2, "CRED_SUSPENDED"), (3, "CRED_STATUS_UNAVAILABLE")]


@prepared
async def market(deployment: Deployment) -> Market:
    return await open_market(deployment)


async def test_a_verified_accredited_investor_may_buy(market: Market) -> None:
    await market.admit("alice")
    decision = await market.decide(market.buy("alice"))
    assert (decision["outcome"], decision["reasons"]) == ("permit", [])
    assert decision["offering_id"] == "reg-d"
    assert decision["reservation"]["state"] == "held"
    assert decision["versions"]["security"] == 1
    assert decision["projections"]["erc1404"] == 0
    assert decision["projections"]["sep8"] == "success"
    assert decision["log"] == {"state": "pending", "index": None}
    settled = await market.settle(decision)
    assert settled.json()["reservation"]["state"] == "settled"
    assert await market.positions() == {"alice": "100"}
    assert (await market.holders())["holders"] == 1


async def test_an_unknown_investor_is_denied(market: Market) -> None:
    decision = await market.decide(market.buy("nobody"))
    assert decision["outcome"] == "deny"
    assert codes(decision)[:2] == ["COUNTERPARTY_UNIDENTIFIED", "KYC_MISSING"]
    assert decision["reasons"][0]["remedy"] == {"kind": "present", "purpose": "us.506c"}
    assert decision["reservation"] is None


async def test_without_accreditation_the_remedy_is_to_present_one(market: Market) -> None:
    await market.admit("bob", purpose="us.reg_s")
    decision = await market.decide(market.buy("bob"))
    assert codes(decision) == ["US_NOT_ACCREDITED"]
    [reason] = decision["reasons"]
    assert (reason["party"], reason["basis"]) == ("buyer", "law")
    assert reason["remedy"] == {"kind": "present", "purpose": "us.506c"}
    assert decision["projections"] | {"erc1404": 104, "sep8": "action_required"} == decision["projections"]


async def test_a_primary_sale_takes_the_first_open_offering_that_passes(market: Market) -> None:
    await market.admit("eve", purpose="us.reg_s", **NON_US)
    decision = await market.decide(market.buy("eve", offering_id=None, trade=OFFSHORE))
    assert (decision["outcome"], decision["offering_id"]) == ("permit", "reg-s")
    await market.put_offering("reg-s", REG_S | {"state": "closed"})
    denied = await market.decide(market.buy("eve", offering_id=None, trade=OFFSHORE))
    assert (denied["offering_id"], codes(denied)) == ("reg-d", ["US_NOT_ACCREDITED"])


async def test_reg_s_asks_where_the_buyer_is(market: Market) -> None:
    await market.admit("eve", purpose="us.reg_s", **NON_US)
    decision = await market.decide(market.buy("eve", offering_id="reg-s"))
    assert codes(decision) == ["US_REGS_NOT_OFFSHORE", "US_REGS_CERT_MISSING"]
    await market.admit("fay", purpose="us.reg_s", sub="us-resident")
    decision = await market.decide(market.buy("fay", offering_id="reg-s", trade=OFFSHORE))
    assert codes(decision) == ["US_REGS_US_PERSON"]


@pytest.mark.parametrize(
    ("value", "code"), [(1, "CRED_REVOKED"), (2, "CRED_SUSPENDED"), (3, "CRED_STATUS_UNAVAILABLE")]
)
@pytest.mark.parametrize("issuer", ["kyc", "accreditor"])
async def test_a_status_change_binds_the_next_decision(market: Market, issuer: str, value: int, code: str) -> None:
    await market.admit("alice")
    made_before = getattr(market.scene, issuer).next_index
    await getattr(market.scene, issuer).set_status(made_before - (2 if issuer == "kyc" else 1), value)
    decision = await market.decide(market.buy("alice"))
    assert (decision["outcome"], codes(decision)) == ("deny", [code])


async def test_an_issuer_that_lost_trust_counts_no_more(market: Market) -> None:
    await market.admit("alice")
    await market.scene.platform.call("DELETE", "/v1/trusted-issuers/accreditor")
    assert codes(await market.decide(market.buy("alice"))) == ["CRED_ISSUER_UNTRUSTED"]
    accreditor = market.scene.accreditor.identifier
    await market.scene.platform.trust(accreditor, "kyc", entry_id="accreditor", attester_class="us_cpa")
    assert codes(await market.decide(market.buy("alice"))) == ["CRED_ISSUER_OUT_OF_SCOPE"]


async def test_a_kyc_that_hides_its_country_is_not_of_a_restricted_issuer(market: Market) -> None:
    claims = [{"path": [name]} for name in ("sub", "us_person", "loa", "age_over_18")]
    kyc = {"id": "kyc", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}, "claims": claims}
    platform = market.scene.platform
    made = await platform.ask(dcql_query={"credentials": [kyc]}, investor_ref="alice")
    assert (await market.scene.wallet.answer(made)).status_code == 200
    await platform.trust(market.scene.kyc.identifier, "kyc", "aml-screening", entry_id="kyc", jurisdictions=["US"])
    assert "CRED_ISSUER_OUT_OF_SCOPE" in codes(await market.decide(market.buy("alice")))
    [kept] = (await platform.read_standing("alice"))["credentials"]
    assert (kept["usable"], kept["fault"]) == (False, "issuer_out_of_scope")
    await market.admit("alice", market.scene.wallet)  # a screening has no country to show
    assert codes(await market.decide(market.buy("alice"))) == []


async def test_expired_credentials_deny(market: Market) -> None:
    wallet = await market.scene.new_wallet(sub="short", exp=int(market.deployment.clock().timestamp()) + 3600)
    await market.admit("short", wallet)
    market.deployment.clock.advance(hours=1)
    await market.screen("short")
    assert codes(await market.decide(market.buy("short"))) == ["CRED_EXPIRED"]
    market.deployment.clock.advance(days=1)
    await market.screen("short")
    assert codes(await market.decide(market.buy("short"))) == ["KYC_EXPIRED"]


async def test_screenings_age_and_the_newest_counts_unless_there_was_a_hit(market: Market) -> None:
    await market.admit("alice")
    market.deployment.clock.advance(hours=22)
    assert codes(await market.decide(market.buy("alice"))) == ["AML_SCREEN_STALE"]
    await market.screen("alice", "hit")
    assert codes(await market.decide(market.buy("alice"))) == ["SANCTIONS_HIT"]
    market.deployment.clock.advance(hours=1)
    await market.screen("alice")
    assert (await market.decide(market.buy("alice")))["outcome"] == "permit"


async def test_frozen_halted_blocked_and_locked_up(market: Market) -> None:
    await market.admit("alice")
    await market.put_investor("alice", frozen=True)
    assert codes(await market.decide(market.buy("alice"))) == ["RECIPIENT_FROZEN"]
    await market.put_investor("alice", frozen=False)
    await market.put_security(state="halted", countries_blocked=["US"], min_quantity="101")
    assert codes(await market.decide(market.buy("alice"))) == ["HALTED", "JURISDICTION_BLOCKED", "MIN_DENOMINATION"]


async def test_a_primary_sale_never_exceeds_what_was_issued(market: Market) -> None:
    await market.put_security(issued_quantity="150")
    await market.admit("alice")
    assert (await market.decide(market.buy("alice")))["outcome"] == "permit"
    decision = await market.decide(market.buy("alice", 51))
    assert codes(decision) == ["INSUFFICIENT_BALANCE"]
    assert decision["max_permitted_quantity"] == "50"
    assert decision["projections"]["sep8"] == "revised"


async def test_a_resale_follows_the_lots_and_carries_their_dates(market: Market) -> None:
    await market.admit("alice")
    await market.admit("bob", sub="subject-bob", purpose="us.reg_s")
    await market.open_lot("alice", 300)
    await market.open_lot("alice", 300, acquired_on="2026-11-01")
    decision = await market.decide(market.sell("alice", "bob", 200))
    assert (decision["outcome"], decision["route"]) == ("permit", "rule144")
    assert (await market.settle(decision)).status_code == 200
    found = (await market.read("/v1/securities/note/positions"))["data"]
    assert {each["investor_ref"]: each["quantity"] for each in found} == {"alice": "400", "bob": "200"}
    [lot] = found[1]["lots"]
    assert (lot["from"], lot["tack_from"], lot["offering_id"]) == ("nonaffiliate", "2024-01-10", "reg-d")
    too_young = await market.decide(market.sell("alice", "bob", 200))
    assert codes(too_young) == ["US_RESALE_NO_EXEMPTION"]
    assert too_young["max_permitted_quantity"] == "100"
    assert too_young["reasons"][0]["remedy"] == {"kind": "wait_until", "at": "2027-11-01"}


async def test_buying_from_an_affiliate_starts_the_clock_again(market: Market) -> None:
    await market.put_offering("reg-d", REG_D | {"reporting": True, "current_public_info": True})
    await market.admit("alice")
    await market.admit("bob", purpose="us.reg_s")
    await market.open_lot("alice", 1_000)
    trade = {"seller": {"affiliate": True}, "general_solicitation": False}
    decision = await market.decide(market.sell("alice", "bob", 10, trade=trade))
    assert decision["outcome"] == "permit"
    assert [each["code"] for each in decision["obligations"]] == ["OBL_MANNER_OF_SALE"]
    await market.settle(decision)
    too_much = await market.decide(market.sell("alice", "bob", 1, trade=trade))
    assert codes(too_much) == ["US_144_VOLUME"], too_much
    found = (await market.read("/v1/securities/note/positions"))["data"]
    assert [lot["from"] for lot in found[1]["lots"]] == ["affiliate"]


async def test_an_affiliates_limit_counts_all_lots_of_the_class(market: Market) -> None:
    await market.put_offering("reg-d", REG_D | {"reporting": True, "current_public_info": True, "awtv": "10000"})
    await market.put_offering("dated", REG_D | {"reporting": True, "current_public_info": True, "awtv": "10000"})
    await market.admit("alice")
    await market.admit("bob", purpose="us.reg_s")
    await market.open_lot("alice", 4_000)
    await market.open_lot("alice", 8_000, offering_id="dated", acquired_on="2024-02-10")
    price = {"amount": "1.00", "currency": "USD"}
    trade = {"seller": {"affiliate": True}, "general_solicitation": False}
    too_much = await market.decide(market.sell("alice", "bob", 10_001, trade=trade, price=price))
    assert set(codes(too_much)) == {"US_144_VOLUME"}
    filed = await market.decide(market.sell("alice", "bob", 5_001, trade=trade, price=price))
    assert filed["outcome"] == "permit"
    assert [each["code"] for each in filed["obligations"]] == ["OBL_FORM_144", "OBL_MANNER_OF_SALE"]


async def test_the_seller_must_hold_enough(market: Market) -> None:
    await market.admit("alice")
    await market.admit("bob")
    await market.open_lot("alice", 50)
    decision = await market.decide(market.sell("alice", "bob", 60))
    assert (codes(decision), decision["max_permitted_quantity"]) == (["INSUFFICIENT_BALANCE"], "50")
    assert codes(await market.decide(market.sell("bob", "alice", 1)))[0] == "INSUFFICIENT_BALANCE"


async def test_each_lot_follows_the_offering_it_was_sold_under(market: Market) -> None:
    await market.admit("alice")
    await market.admit("bob")
    await market.open_lot("alice", 50)
    await market.open_lot("alice", 50, offering_id="reg-s", acquired_on="2026-10-05")
    assert (await market.decide(market.sell("alice", "bob", 50)))["outcome"] == "permit"
    decision = await market.decide(market.sell("alice", "bob", 50))
    assert (decision["offering_id"], codes(decision)) == ("reg-s", ["US_REGS_DCP"])


async def test_the_issuers_cap_on_holders(market: Market) -> None:
    await market.put_security(caps={"holders": 1})
    await market.admit("alice")
    await market.admit("bob")
    first = await market.decide(market.buy("alice"))
    assert first["outcome"] == "permit"
    full = await market.decide(market.buy("bob"))
    [reason] = full["reasons"]
    assert (reason["code"], reason["basis"], reason["evidence"]) == (
        "US_12G_2000",
        "issuer_policy",
        {"after": "2", "limit": "1"},
    )
    await market.settle(first)
    assert (await market.decide(market.buy("alice")))["outcome"] == "permit"
    assert (await market.holders())["holders"] == 1


async def test_a_credential_that_is_good_for_another_issuer_only(market: Market) -> None:
    wallet = await market.scene.new_wallet(sub="scoped")
    claims = {
        "jurisdiction": "US",
        "category": "us.ai.net_worth",
        "method": "prior_verified",
        "attester_class": "us_cpa",
        "verified_on": "2024-03-01",
        "scope": "ISS-2",
    }
    wallet.held[2] = await market.scene.accreditor.issue("qualified-investor", wallet.keys, claims)
    await market.admit("scoped", wallet)
    said = {"representation_on": "2026-11-23", "contrary_knowledge": False}
    trade = {"buyer": {"verification": said}}
    assert codes(await market.decide(market.buy("scoped", trade=trade))) == ["US_506C_ISSUER_SCOPE"]
    await market.put_security(issuer="ISS-2")
    assert (await market.decide(market.buy("scoped", trade=trade)))["outcome"] == "permit"


async def test_the_newest_valid_accreditation_counts(market: Market) -> None:
    wallet = await market.admit("alice")
    claims = CLAIMS["qualified-investor"] | {"steps_completed_on": "2026-07-01"}
    wallet.held[2] = await market.scene.accreditor.issue("qualified-investor", wallet.keys, claims)
    market.deployment.clock.advance(minutes=1)
    await market.admit("alice", wallet)
    assert (await market.decide(market.buy("alice")))["outcome"] == "permit"
    await market.scene.accreditor.set_status(1, 1)  # 0 is the scene's own wallet
    stale = await market.decide(market.buy("alice"))
    assert codes(stale) == ["US_506C_VERIFICATION_STALE"]


async def test_one_key_makes_one_decision_however_often_and_at_once(market: Market) -> None:
    await market.admit("alice")
    request = market.buy("alice")
    answers = await asyncio.gather(*(market.post(request, key="same") for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert sorted("idempotency-replayed" in answer.headers for answer in answers) == [False] + [True] * 11
    assert await count_rows(market, Transfer) == 1
    assert (await market.holders())["reserved"] == 1
    other = await market.post(request | {"quantity": "101"}, key="same")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_cannot_be_used_again_for_another_security(market: Market) -> None:
    await market.admit("alice")
    second = Market(market.scene, market.member, "bond")
    await second.put_security()
    await second.put_offering("reg-d", REG_D)
    posts = [each.post(each.buy("alice"), key="shared") for each in (market, second)]
    answers = await asyncio.gather(*posts)
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert await count_rows(market, Transfer) == 1


async def test_decision_and_audit_entry_are_written_together(market: Market) -> None:
    decision = await market.decide(market.buy("nobody"))
    async with market.deployment.context.database.reading() as session:
        found = (await session.exec(select(AuditEntry).where(AuditEntry.kind == "transfer.decided"))).all()
    assert [entry.subject_id for entry in found] == [decision["id"]]
    assert decision["decision_hash"] in found[0].record


async def test_a_clock_that_runs_behind_decides_nothing(market: Market) -> None:
    await market.admit("alice")
    first = await market.decide(market.buy("alice"))
    market.deployment.clock.advance(seconds=-10)
    tolerated = await market.decide(market.buy("alice"))
    assert tolerated["decided_at"] == first["decided_at"]
    market.deployment.clock.advance(seconds=-1)
    answer = await market.post(market.buy("alice"))
    assert (answer.status_code, answer.json()["code"]) == (503, "clock_behind")


async def test_creating_a_security_twice_at_once_makes_one(market: Market) -> None:
    puts = [market.call("PUT", "/v1/securities/bond", SECURITY) for _ in range(6)]
    answers = await asyncio.gather(*puts)
    assert sorted({answer.status_code for answer in answers} - {200, 409}) == [201]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"changed_meanwhile"}
    assert (await market.read("/v1/securities/bond"))["version"] == 1


async def count_rows(market: Market, table: Any) -> int:
    async with market.deployment.context.database.reading() as session:
        return len((await session.exec(select(table))).all())
