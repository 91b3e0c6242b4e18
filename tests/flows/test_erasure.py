"""Erasing an investor: what is gone, what still verifies without it, and what stands in the way."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from service.gate.replay import replay_text
from service.log.records import check_records
from service.log.sequencer import advance_log
from service.storage.tables import AuditEntry, HolderLink, Investor, SubjectKey, Transfer
from tests.deployment import Deployment
from tests.gate_support import Market, codes, open_market
from tests.log_support import verify_stored
from tests.prepared import prepared
from tests.privacy_support import SIX_YEARS, TEN_YEARS, call, dump_files, dump_rows, erase
from tests.verifying_support import CLAIMS

REF = "canary-ref"
CANARIES = ("canary", "Canary", "CANARY")


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    await market.admit("bob")
    return market


async def live_a_life(market: Market) -> dict[str, dict[str, Any]]:
    """Let an investor leave canaries wherever something is kept of them, and hold nothing at the end."""
    await market.admit(REF, sub="canary-subject", country="US")
    await market.put_investor(
        REF, screening={"result": "clear", "screened_at": market.deployment.clock().isoformat(), "lists": ["canary@1"]}
    )
    path = f"/v1/securities/{market.security_id}/offerings/reg-d/offerees"
    await market.call("POST", path, {"investor_ref": REF, "country": "US"})
    await market.open_lot(REF, 100)
    hold = {"reason": "canary suspicion", "reference": "canary v. state"}
    assert (await call(market, "PUT", f"/v1/investors/{REF}/legal-hold", hold)).status_code == 201
    sold = await market.decide(market.sell(REF, "bob"), key="canary-key")
    assert sold["outcome"] == "permit", sold["reasons"]
    assert (await market.settle(sold, reference="canary-reference")).status_code == 200
    bought = await market.decide(market.buy(REF, 20), key="canary-key-2")
    await market.call("POST", f"/v1/transfers/{bought['id']}/void", {"reason": "canary changed their mind"})
    await market.scene.platform.read_standing(REF)
    await market.read(f"/v1/transfers/{sold['id']}/bundle")
    assert (await call(market, "DELETE", f"/v1/investors/{REF}/legal-hold")).status_code == 204
    return {"sold": sold, "bought": bought}


async def test_nothing_of_an_erased_investor_is_found(market: Market, tmp_path: Path) -> None:
    database = market.deployment.context.database
    decisions = await live_a_life(market)
    before = await market.read(f"/v1/transfers/{decisions['sold']['id']}/bundle")
    assert sorted(each["investor_ref"] for each in before["identifying"]) == ["bob", REF]
    rows = await dump_rows(database)
    assert {word for word in CANARIES if word in rows} == {"canary"}  # refs and texts of the platform; facts are sealed
    assert "canary-subject" not in rows
    assert REF in dump_files(database, tmp_path)
    market.deployment.clock.advance(**SIX_YEARS)

    answer = await erase(market, REF)
    assert answer.status_code == 200, answer.text
    assert {word for word in CANARIES if word in await dump_rows(database)} == set()
    assert {word for word in CANARIES if word in dump_files(database, tmp_path)} == set()
    assert {word for word in CANARIES if word in answer.text} == set()
    gone = await market.call("GET", f"/v1/investors/{REF}/standing", scopes="verifier")
    assert gone.status_code == 404

    after = await market.read(f"/v1/transfers/{decisions['sold']['id']}/bundle")
    pseudonym = before["decision"]["payload"]["parties"]["seller"]
    assert [each for each in after["identifying"] if each.get("erased")] == [{"party": pseudonym, "erased": True}]
    assert [each["investor_ref"] for each in after["identifying"] if "erased" not in each] == ["bob"]
    assert {**after, "identifying": None} == {**before, "identifying": None}
    for bundle in (before, after):
        assert replay_text(json.dumps(bundle).encode()) == []
    assert (await market.read(f"/v1/transfers/{decisions['sold']['id']}"))["outcome"] == "permit"
    assert await market.positions() == {"bob": "100"}
    assert await verify_log(market) == []


async def verify_log(market: Market) -> list[str]:
    context = market.deployment.context
    await advance_log(context)
    report = await verify_stored(context)
    async with context.database.reading() as session:
        return report.problems + await check_records(session, report.entries)


async def test_who_holds_is_not_erased(market: Market) -> None:
    await market.admit("alice")
    await market.open_lot("alice", 100)
    market.deployment.clock.advance(**TEN_YEARS)
    answer = await erase(market, "alice")
    assert (answer.status_code, answer.json()["code"]) == (409, "still_holding")
    assert (await market.scene.platform.read_standing("alice"))["investor_ref"] == "alice"
    assert (await market.positions())["alice"] == "100"


async def test_who_waits_for_securities_or_has_a_lien_is_not_erased(market: Market) -> None:
    await market.put_security(settle_within=600)
    await market.decide(market.buy("bob"))
    assert (await erase(market, "bob")).json()["code"] == "still_holding"
    market.deployment.clock.advance(hours=1)
    for ref in ("alice", "bank"):
        await market.admit(ref)
    await market.open_lot("alice", 100)
    trade = {
        "control_agreement": True,
        "liquidation_route": "rule144",
        "recourse": True,
        "seller": {"affiliate": False},
    }
    pledge = await market.decide(market.sell("alice", "bank", action="pledge", trade=trade))
    assert (await market.settle(pledge)).status_code == 200, pledge["reasons"]
    market.deployment.clock.advance(**TEN_YEARS)
    assert (await erase(market, "bank")).json()["code"] == "still_holding"


async def test_a_decision_is_kept_six_years(market: Market) -> None:
    await market.void(await market.decide(market.buy("bob")))
    refused = (await erase(market, "bob")).json()
    assert (refused["code"], refused["errors"]) == (
        "retention_running",
        [{"detail": "17 CFR 240.17a-4", "kept_until": "2032-11-23"}],
    )
    market.deployment.clock.advance(days=6 * 365 + 1)  # two leap days fall in between
    assert (await erase(market, "bob")).json()["code"] == "retention_running"
    market.deployment.clock.advance(days=1)
    assert (await erase(market, "bob")).status_code == 200


@pytest.mark.parametrize("is_decided", [True, False])
async def test_what_sanctions_touched_is_kept_ten_years(market: Market, is_decided: bool) -> None:
    if is_decided:
        wallet = await market.scene.new_wallet(sub="subject-bob")
        suspected = {**CLAIMS["aml-screening"], "result": "potential"}
        wallet.held[1] = await market.scene.kyc.issue("aml-screening", wallet.keys, suspected)
        await market.admit("bob", wallet)
        assert "SANCTIONS_POTENTIAL_MATCH" in codes(await market.decide(market.buy("bob")))
    else:
        await market.screen("bob", "potential")
        await market.screen("bob", "clear")
    market.deployment.clock.advance(**SIX_YEARS)
    [finding] = (await erase(market, "bob")).json()["errors"]
    assert finding == {"detail": "31 CFR 501.601", "kept_until": "2036-11-23"}
    market.deployment.clock.advance(days=4 * 366)
    assert (await erase(market, "bob")).status_code == 200


async def test_who_never_took_part_is_erased_when_asked(market: Market) -> None:
    assert (await erase(market, "bob")).status_code == 200
    assert (await erase(market, "bob")).status_code == 404
    assert (await market.decide(market.buy("bob")))["outcome"] == "deny"


async def test_a_hold_stops_every_erasure_until_it_is_lifted(market: Market) -> None:
    path = "/v1/investors/bob/legal-hold"
    first = await call(market, "PUT", path, {"reason": "suspicion", "reference": "case 7"})
    again = await call(market, "PUT", path, {"reason": "suspicion", "reference": "case 8"})
    assert (first.status_code, again.status_code) == (201, 200)
    read = await call(market, "GET", path)
    assert (read.json()["reference"], read.json()["placed_at"]) == ("case 8", first.json()["placed_at"])
    refused = await erase(market, "bob")
    assert (refused.status_code, refused.json()["code"]) == (409, "under_legal_hold")
    assert "suspicion" not in await dump_rows(market.deployment.context.database)
    assert (await call(market, "DELETE", path)).status_code == 204
    assert (await call(market, "DELETE", path)).status_code == 404
    assert (await call(market, "GET", path)).status_code == 404
    kinds = [row.kind for row in await list_entries(market) if row.kind.startswith("legal_hold.")]
    assert kinds == ["legal_hold.placed", "legal_hold.changed", "legal_hold.lifted"]
    assert (await erase(market, "bob")).status_code == 200
    unknown = await call(market, "PUT", "/v1/investors/nobody/legal-hold", {"reason": "x", "reference": "y"})
    assert unknown.status_code == 404


async def list_entries(market: Market) -> list[AuditEntry]:
    async with market.deployment.context.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.org_id == market.member.org_id).order_by(col(AuditEntry.id))
        return list((await session.exec(query)).all())


async def test_the_same_ref_is_somebody_new_afterwards(market: Market) -> None:
    tombstone = (await erase(market, "bob")).json()["tombstone"]
    await market.admit("bob", sub="another-person")
    assert (await market.decide(market.buy("bob")))["outcome"] == "permit"
    async with market.deployment.context.database.reading() as session:
        keys = (await session.exec(select(SubjectKey).where(col(SubjectKey.org_id) == market.member.org_id))).all()
    found = {row.subject: (len(row.wrapped_key) > 0, row.destroyed_at is None) for row in keys}
    assert (found[tombstone], found["investor/bob"]) == ((False, False), (True, True))


async def test_the_key_alone_decides(market: Market) -> None:
    """What a backup of the rows holds says nothing without the key; nor does what an erasure may have missed."""
    async with market.deployment.context.database.transaction() as session:
        row = await session.get_one(SubjectKey, (market.member.org_id, "investor/bob"))
        row.destroyed_at = market.deployment.clock()
        session.add(row)
    assert await market.scene.platform.list_kept("bob") == []
    standing = await market.scene.platform.read_standing("bob")
    assert (standing["credentials"], standing["facts"]) == ([], [])
    assert (await market.decide(market.buy("bob")))["outcome"] == "deny"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reservation SET taker_ref = 'erased-x', quantity = 7",
        "UPDATE reservation SET taker_ref = 'somebody'",
        "UPDATE reservation SET taker_ref = NULL",
        "UPDATE reservation_ending SET reason = NULL, reference = NULL, state = 'settled'",
        "UPDATE reservation_ending SET reason = 'another', reference = NULL",
        "DELETE FROM reservation",
        "DELETE FROM reservation_ending",
    ],
)
async def test_nothing_else_of_a_reservation_can_be_changed(market: Market, statement: str) -> None:
    await market.void(await market.decide(market.buy("bob")))
    with pytest.raises(IntegrityError):
        async with market.deployment.context.database.transaction() as session:
            await (await session.connection()).execute(text(statement))


async def test_who_holds_under_a_name_of_another_venue_is_not_erased(market: Market) -> None:
    await market.open_lot("bob", 10)
    await market.admit("robert", sub="subject-robert")
    link = {"source": "registrar", "linked_at": market.deployment.clock()}
    names = {"venue_org_id": market.member.org_id, "venue_ref": "robert", "holder_org_id": market.member.org_id}
    async with market.deployment.context.database.transaction() as session:
        session.add(HolderLink(org_id=market.member.org_id, investor_ref="bob", **names, **link))
    assert (await erase(market, "robert")).json()["code"] == "still_holding"


async def test_an_erasure_is_one_transaction(market: Market) -> None:
    async with market.deployment.context.database.reading() as session:
        before = await session.get_one(Investor, (market.member.org_id, "bob"))
    made = await market.decide(market.buy("bob"))
    await market.void(made)
    assert (await erase(market, "bob")).status_code == 409
    async with market.deployment.context.database.reading() as session:
        assert (await session.get_one(Investor, (market.member.org_id, "bob"))).sealed == before.sealed
        key = await session.get_one(SubjectKey, (market.member.org_id, "investor/bob"))
    assert key.destroyed_at is None


async def test_an_entry_that_no_tombstone_names_was_tampered_with(market: Market) -> None:
    await erase(market, "bob")
    await market.admit("carol")
    context = market.deployment.context
    assert await verify_log(market) == []
    async with context.database.transaction() as session:
        query = select(AuditEntry).where(AuditEntry.subject_id == "carol").limit(1)
        row = (await session.exec(query)).one()
        row.record, row.nonce = "", b""
        session.add(row)
    [problem] = await verify_log(market)
    assert problem == f"entry {row.idx}: the record {row.id} is not what was logged."


async def test_a_bundle_of_the_first_format_is_emptied(market: Market) -> None:
    decision = await market.decide(market.buy("bob"))
    await market.void(decision)
    async with market.deployment.context.database.transaction() as session:
        row = await session.get_one(Transfer, (market.member.org_id, decision["id"]))
        row.bundle = json.dumps({"format": "goodstanding-decision-bundle/1", "facts": "bob"})
        session.add(row)
    market.deployment.clock.advance(**SIX_YEARS)
    assert (await erase(market, "bob")).status_code == 200
    answer = await market.call("GET", f"/v1/transfers/{decision['id']}/bundle")
    assert (answer.status_code, answer.json()["code"]) == (409, "bundle_erased")
    assert await verify_log(market) == []


async def test_others_do_not_learn_of_it(market: Market) -> None:
    stranger = await market.deployment.add_organization("stranger", "platform")
    headers = await market.deployment.headers(stranger, "compliance")
    answer = await market.deployment.http.post("/v1/investors/bob/erasure", headers=headers)
    assert answer.status_code == 404
    refused = await market.call("POST", "/v1/investors/bob/erasure", scopes="gate verifier")
    assert refused.status_code == 403
    assert (await market.scene.platform.read_standing("bob"))["credentials"]


async def test_who_is_only_on_the_register_can_be_held(market: Market) -> None:
    await market.open_lot("ivy", 5)
    hold = {"reason": "Investigation", "reference": "case 7"}
    assert (await call(market, "PUT", "/v1/investors/ivy/legal-hold", hold)).status_code == 201
    refused = await call(market, "POST", "/v1/investors/ivy/erasure")
    assert (refused.status_code, refused.json()["code"]) == (409, "under_legal_hold")
