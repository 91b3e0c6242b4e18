"""What must leave a trace in the log, and that the page about the log names every kind of entry."""

import re
from pathlib import Path

from sqlmodel import select

from service.log.records import check_records
from service.log.sequencer import advance_log
from service.storage.tables import AuditEntry
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web.context import Context
from service.web.signing import GATE, ISSUER, LOG, VERIFIER, rotate_signing_key
from tests import issuing_support
from tests.case_support import CLAIMS, open_desks
from tests.deployment import Deployment
from tests.evidence_support import make_pdf, upload
from tests.gate_support import Market, open_market
from tests.log_support import verify_stored
from tests.prepared import prepared

STATED = {"jurisdiction": "US", "category": "us.ai.income"}
PAGE = Path(__file__).parents[2] / "docs/log.md"


async def read_entries(context: Context) -> list[AuditEntry]:
    async with context.database.reading() as session:
        return list((await session.exec(select(AuditEntry))).all())


async def issue_and_revoke(deployment: Deployment) -> None:
    issuer = await issuing_support.add_issuer(deployment, "issuer")
    wallet = issuing_support.Wallet(deployment, issuer)
    answer = await wallet.redeem(await issuing_support.make_offer(deployment, issuer))
    assert answer.status_code == 200, answer.text
    headers = await deployment.headers(issuer, "issuer")
    [granted] = (await deployment.http.get("/v1/credentials", headers=headers)).json()["data"]
    path = f"/v1/credentials/{granted['id']}/status"
    await deployment.http.post(path, json={"status": "revoked", "reason": "test"}, headers=headers)


async def review(deployment: Deployment) -> None:
    reviewer, approver = await open_desks(deployment, "reviewer")
    approved, declined = await reviewer.open(), await reviewer.open(subject_ref="investor-2")
    await reviewer.call("POST", f"cases/{approved}/request-information", json={"message": "more"})
    assert (await upload(reviewer, approved, make_pdf())).status_code == 201
    await reviewer.review(approved)
    await approver.approve(approved)
    offer = {"credential_configuration_id": "qualified-investor", "claims": CLAIMS | STATED}
    wallet = issuing_support.Wallet(deployment, reviewer.member)
    await wallet.redeem(await issuing_support.make_offer(deployment, reviewer.member, **offer))
    [granted] = (await reviewer.call("GET", "credentials")).json()["data"]
    assert (await reviewer.call("GET", f"credentials/{granted['id']}/letter")).status_code == 200
    await reviewer.decline(declined)
    await reviewer.read(approved)


async def trade(market: Market) -> None:
    await market.admit("alice")
    await market.put_investor("alice", frozen=False)
    for end in (market.settle, market.void):
        answer = await end(await market.decide(market.buy("alice")))
        assert answer.status_code == 200, answer.text
    await market.decide(market.buy("alice"))
    market.deployment.clock.advance(hours=1)
    await market.decide(market.buy("alice"))  # finds the reservation before it overdue


async def rotate_all(market: Market) -> None:
    context, org_id = market.deployment.context, market.member.org_id
    owners = {ISSUER: market.scene.kyc.member.org_id, VERIFIER: org_id, GATE: org_id, LOG: SYSTEM_ORG_ID}
    async with context.database.transaction() as session:
        for purpose, owner in owners.items():
            await rotate_signing_key(session, context.signer, org_id=owner, purpose=purpose, now=context.clock())


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    await issue_and_revoke(deployment)
    await review(deployment)
    await trade(market)
    await rotate_all(market)
    return market


async def test_everything_with_a_consequence_is_an_entry(market: Market) -> None:
    context = market.deployment.context
    await advance_log(context)
    entries = await read_entries(context)
    assert {entry.kind for entry in entries} >= {
        "case.approved",
        "case.declined",
        "case.opened",
        "case.reviewed",
        "client.created",
        "credential.status",
        "investor.changed",
        "issuance.intent",
        "issuance.signed",
        "key.created",
        "key.retired",
        "offer.created",
        "offer.redeemed",
        "offering.changed",
        "organization.created",
        "personal_data.accessed",
        "presentation.requested",
        "presentation.verified",
        "security.changed",
        "transfer.decided",
        "transfer.expired",
        "transfer.settled",
        "transfer.void",
        "trusted_issuer.changed",
    }
    assert all(entry.idx is not None for entry in entries)
    report = await verify_stored(context)
    async with context.database.reading() as session:
        assert report.problems + await check_records(session, report.entries) == []


async def test_a_rotated_key_names_its_successor(market: Market) -> None:
    entries = await read_entries(market.deployment.context)
    made = {entry.subject_id: entry.record for entry in entries if entry.kind == "key.created"}
    retired = [entry for entry in entries if entry.kind == "key.retired"]
    purposes = []
    for entry in retired:
        found = re.search(r'"purpose":"(\w+)".*"replaced_by":"([^"]+)"', entry.record)
        assert found is not None
        assert f'"purpose":"{found[1]}"' in made[found[2]]
        purposes.append(found[1])
    assert sorted(purposes) == [GATE, ISSUER, LOG, VERIFIER]


async def test_the_page_names_every_kind(market: Market) -> None:
    table = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {kind for line in table for kind in re.findall(r"`([\w.]+)`", line.split("|")[1])}
    assert {entry.kind for entry in await read_entries(market.deployment.context)} - named == set()
