"""Whoever reads personal data leaves an entry in the log, and the organisation can ask who did."""

import json
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from service.log.sequencer import advance_log
from service.storage.tables import AuditEntry
from tests.case_support import open_desks
from tests.deployment import Deployment, Member
from tests.gate_support import Market, open_market
from tests.log_support import verify_stored
from tests.prepared import prepared


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    market = await open_market(sqlite_deployment)
    await market.admit("alice")
    return market


async def list_accesses(deployment: Deployment, member: Member, **query: Any) -> dict[str, Any]:
    headers = await deployment.headers(member, "audit")
    answer = await deployment.http.get("/v1/personal-data-accesses", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def of_market(market: Market, **query: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await list_accesses(market.deployment, market.member, **query))["data"]
    return data


async def test_reading_a_standing_is_an_entry_of_the_log(market: Market) -> None:
    await market.read("/v1/investors/alice/standing", scopes="verifier")
    await advance_log(market.deployment.context)
    [made] = [each for each in await of_market(market, investor_ref="alice") if each["object"]["kind"] == "standing"]
    assert made.pop("id").startswith("aud_")
    assert isinstance(made.pop("log_index"), int)
    assert made == {
        "accessed_at": "2026-11-23T15:00:00Z",
        "investor_ref": "alice",
        "client_id": market.member.credentials.client_id,
        "scopes": ["verifier"],
        "object": {"kind": "standing", "id": "alice"},
        "purpose": None,
    }
    assert (await verify_stored(market.deployment.context)).problems == []


async def test_reading_presented_claims_is_recorded_once_there_are_any(market: Market) -> None:
    platform, wallet = market.scene.platform, market.scene.wallet
    made = await platform.ask(purpose="us.506c", investor_ref="bob")
    await platform.read(made["id"])
    assert await of_market(market, investor_ref="bob") == []
    await wallet.answer(made)
    assert (await platform.read(made["id"]))["credentials"]
    [access] = await of_market(market, investor_ref="bob")
    assert (access["object"], access["purpose"]) == (
        {"kind": "presentation_request", "id": made["id"]},
        "us.506c",
    )


async def test_claims_of_somebody_without_a_name_are_found_among_all(market: Market) -> None:
    platform = market.scene.platform
    made = await platform.ask(purpose="us.506c")
    await market.scene.wallet.answer(made)
    await platform.read(made["id"])
    [access] = [each for each in await of_market(market) if each["object"]["id"] == made["id"]]
    assert access["investor_ref"] is None


async def test_a_bundle_is_about_both_its_parties(market: Market) -> None:
    await market.admit("bob")
    await market.open_lot("alice", 500, acquired_on="2024-01-15")
    decision = await market.decide(market.sell("alice", "bob"))
    for _ in range(2):
        await market.read(f"/v1/transfers/{decision['id']}/bundle")
    for ref in ("alice", "bob"):
        found = [each for each in await of_market(market, investor_ref=ref) if each["object"]["kind"] == "bundle"]
        assert [each["object"]["id"] for each in found] == [decision["id"]] * 2


async def test_a_bundle_that_is_refused_was_not_read(market: Market) -> None:
    await market.screen("alice", "hit")
    decision = await market.decide(market.buy("alice"))
    answer = await market.call("GET", f"/v1/transfers/{decision['id']}/bundle", scopes="gate")
    assert answer.status_code == 403
    assert [each for each in await of_market(market) if each["object"]["kind"] == "bundle"] == []


async def test_reading_the_figures_of_a_case_is_recorded(sqlite_deployment: Deployment) -> None:
    reviewer, approver = await open_desks(sqlite_deployment)
    case_id = await reviewer.open(subject_ref="investor-1")
    await reviewer.review(case_id)
    await approver.read(case_id)
    [access] = (await list_accesses(sqlite_deployment, reviewer.member, investor_ref="investor-1"))["data"]
    assert (access["client_id"], access["object"]) == (approver.client_id, {"kind": "case", "id": case_id})


@pytest.mark.parametrize("path", ["/v1/investors/alice/standing", "/v1/transfers/{id}/bundle"])
async def test_what_cannot_be_recorded_is_not_shown(market: Market, path: str) -> None:
    decision = await market.decide(market.buy("alice"))
    context = market.deployment.context
    async with context.database.transaction() as session:
        refuse = "CREATE TRIGGER refuse BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'no'); END"
        await (await session.connection()).execute(text(refuse))
    answer = await market.call("GET", path.format(id=decision["id"]), scopes="verifier gate compliance")
    assert answer.status_code >= 500
    assert "alice" not in answer.text


async def test_accesses_are_listed_page_by_page_to_their_owner(market: Market) -> None:
    for _ in range(3):
        await market.read("/v1/investors/alice/standing", scopes="verifier")
    deployment = market.deployment
    first = await list_accesses(deployment, market.member, investor_ref="alice", limit=2)
    rest = await list_accesses(deployment, market.member, investor_ref="alice", limit=2, after=first["next"])
    ids = [each["id"] for each in first["data"] + rest["data"]]
    assert len(set(ids)) == 4  # admitting alice read what she presented
    assert (ids, rest["next"]) == (sorted(ids), None)
    stranger = await deployment.add_organization("stranger", "platform")
    assert (await list_accesses(deployment, stranger, investor_ref="alice"))["data"] == []
    headers = await deployment.headers(market.member, "verifier gate compliance")
    refused = await deployment.http.get("/v1/personal-data-accesses", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")


async def test_no_entry_holds_what_was_read(market: Market) -> None:
    standing = await market.read("/v1/investors/alice/standing", scopes="verifier")
    values = {str(fact["value"]) for fact in standing["facts"] if len(str(fact["value"])) > 5}
    assert values
    async with market.deployment.context.database.reading() as session:
        query = select(AuditEntry.record).where(col(AuditEntry.kind) == "personal_data.accessed")
        records = [json.loads(each) for each in (await session.exec(query)).all()]
    assert records
    assert all(value not in json.dumps(record) for value in values for record in records)
