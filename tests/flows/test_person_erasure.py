"""Erasing a person at an issuer: figures, claims and trace go; what was signed stays revocable and the log whole."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlmodel import col, select

from service.log.records import check_records
from service.log.sequencer import advance_log
from service.privacy.retention import run_retention
from service.storage.database import Database
from service.storage.tables import (
    AuditEntry,
    AuthorizationRequest,
    CaseEvidence,
    CaseEvidenceContent,
    CaseInformationRequest,
    Credential,
    CredentialCopy,
    CredentialLetter,
    CredentialOffer,
    IssuanceToken,
    RefreshToken,
    SubjectKey,
    WalletGrant,
)
from tests.authorization_support import start
from tests.case_support import CLAIMS, Desk, open_desks
from tests.deployment import Deployment, running_deployment
from tests.evidence_support import make_pdf, upload
from tests.issuing_support import Wallet, make_offer
from tests.log_support import verify_stored
from tests.privacy_support import SIX_YEARS, dump_files, dump_rows

REF = "canary-subject"
CANARY_FILE = make_pdf().replace(b"%%EOF", b"%canary file\n%%EOF")
CANARIES = ("canary", "Canary", "250117", "250_117", hashlib.sha256(CANARY_FILE).hexdigest())


async def call(desk: Desk, method: str, what: str, body: Any = None, **headers: str) -> httpx2.Response:
    return await desk.call(method, f"subjects/{REF}/{what}", json=body, headers=headers)


async def issue(desk: Desk, deployment: Deployment, **changes: Any) -> str:
    made = await make_offer(deployment, desk.member, subject_ref=REF, **changes)
    wallet = Wallet(deployment, desk.member)
    answer = await wallet.redeem(made)
    assert answer.status_code == 200, answer.text
    offer = await desk.call("GET", f"credential-offers/{made['id']}")
    granted: str = offer.json()["credentials"][0]["id"]
    return granted


async def bring_evidence(desk: Desk, case_id: str) -> None:
    asked = {"message": "canary page", "items": ["canary form"]}
    assert (await desk.call("POST", f"cases/{case_id}/request-information", json=asked)).status_code == 200
    added = await upload(desk, case_id, CANARY_FILE, name="canary.pdf", item="canary form", **{"Idempotency-Key": "f"})
    assert added.status_code == 201, added.text
    got = await desk.call("GET", f"cases/{case_id}/evidence/{added.json()['id']}")
    assert got.content == CANARY_FILE


async def live_a_life(deployment: Deployment) -> tuple[Desk, str]:
    reviewer, approver = await open_desks(deployment)
    declined, approved = [await reviewer.open(subject_ref=REF) for _ in range(2)]
    await bring_evidence(reviewer, approved)
    for case_id in (declined, approved):
        assert (await reviewer.review(case_id)).status_code == 200
    assert (await approver.decline(declined, "canary documents")).status_code == 200
    offered = await approver.call(
        "POST", f"cases/{approved}/approve", json={"claims": CLAIMS, "tx_code": False}, headers={"Idempotency-Key": "k"}
    )
    assert offered.status_code == 201, offered.text
    await approver.read(approved)
    granted = await issue(reviewer, deployment)
    claims = {"jurisdiction": "US", "category": "us.ai.income", "reviewed_by": "canary reviewer", **CLAIMS}
    qualified = await issue(reviewer, deployment, credential_configuration_id="qualified-investor", claims=claims)
    letter = await reviewer.call("GET", f"credentials/{qualified}/letter")
    assert letter.status_code == 200, letter.text
    status = {"status": "revoked", "reason": "canary left"}
    for each in (granted, qualified):
        assert (await reviewer.call("POST", f"credentials/{each}/status", json=status)).status_code == 200
    return reviewer, granted


async def test_nothing_of_an_erased_person_is_found(deployment: Deployment, tmp_path: Path) -> None:
    desk, granted = await live_a_life(deployment)
    database = deployment.context.database
    rows = await dump_rows(database)
    assert REF in rows
    assert "canary left" in rows
    for sealed in (
        "Canary",
        "250117",
        "canary documents",
        "canary file",
        "canary.pdf",
        "canary form",
        "canary page",
        "canary reviewer",
    ):
        assert sealed not in rows
    deployment.clock.advance(**SIX_YEARS)
    answer = await call(desk, "POST", "erasure")
    assert answer.status_code == 200, answer.text
    assert {word for word in CANARIES if word in await dump_rows(database)} == set()
    assert {word for word in CANARIES if word in dump_files(database, tmp_path)} == set()
    kept = (await desk.call("GET", f"credentials/{granted}")).json()
    assert (kept["status"], kept["subject_ref"]) == ("revoked", answer.json()["tombstone"])
    async with database.reading() as session:
        [copy] = (await session.exec(select(CredentialCopy).where(CredentialCopy.credential_id == granted))).all()
        offers = (await session.exec(select(CredentialOffer.state, CredentialOffer.sealed_claims))).all()
        assert (await session.exec(select(Credential.sealed_claims))).all() == [None, None]
        assert (await session.exec(select(AuditEntry).where(AuditEntry.kind == "letter.made"))).one().record == ""
        for table in (CaseEvidence, CaseEvidenceContent, CaseInformationRequest, CredentialLetter):
            assert (await session.exec(select(table))).all() == []
    assert (copy.digest, copy.holder_thumbprint, copy.status_list_id is not None) == (None, "", True)
    assert sorted(offers) == [("cancelled", b""), ("redeemed", b""), ("redeemed", b"")]
    assert (await desk.call("GET", "cases")).json()["data"] == []
    again = await call(desk, "POST", "erasure")
    assert again.status_code == 404
    await advance_log(deployment.context)
    report = await verify_stored(deployment.context)
    async with database.reading() as session:
        assert report.problems + await check_records(session, report.entries) == []


async def test_a_valid_credential_a_hold_and_a_rule_stand_in_the_way(deployment: Deployment) -> None:
    desk, _ = await open_desks(deployment)
    granted = await issue(desk, deployment)
    assert (await call(desk, "POST", "erasure")).json()["code"] == "credential_still_valid"
    await desk.call("POST", f"credentials/{granted}/status", json={"status": "revoked", "reason": "left"})
    refused = (await call(desk, "POST", "erasure")).json()
    assert (refused["code"], refused["errors"][0]["kept_until"]) == ("retention_running", "2032-11-23")
    hold = {"reason": "canary", "reference": "case 7"}
    assert (await call(desk, "PUT", "legal-hold", hold)).status_code == 201
    deployment.clock.advance(**SIX_YEARS)
    assert (await call(desk, "POST", "erasure")).json()["code"] == "under_legal_hold"
    assert (await call(desk, "GET", "legal-hold")).json()["reason"] == "canary"
    assert (await run_retention(deployment.context)).persons == []
    assert (await call(desk, "DELETE", "legal-hold")).status_code == 204
    dry = await run_retention(deployment.context, dry_run=True)
    assert dry.persons == [(desk.member.org_id, REF)]
    [(_, tombstone)] = (await run_retention(deployment.context)).persons
    async with deployment.context.database.reading() as session:
        [row] = (await session.exec(select(Credential))).all()
        [key] = (await session.exec(select(SubjectKey).where(col(SubjectKey.org_id) == desk.member.org_id))).all()
    assert row.subject_ref == key.subject == tombstone
    assert (key.wrapped_key, key.destroyed_at is None) == (b"", False)


async def test_grants_of_wallets_go_with_the_person(sqlite_deployment: Deployment) -> None:
    wallet = await start(sqlite_deployment)
    desk, kept = Desk(sqlite_deployment, wallet.member), []
    for ref in (REF, "somebody-else"):
        made = await wallet.offer(subject_ref=ref)
        body = (await wallet.redeem_code(await wallet.get_code(made))).json()
        assert (await wallet.get_credential(body["access_token"])).status_code == 200
        kept.append(made["id"])
    [granted, _] = (await desk.call("GET", "credentials")).json()["data"]
    await desk.call("POST", f"credentials/{granted['id']}/status", json={"status": "revoked", "reason": "left"})
    sqlite_deployment.clock.advance(**SIX_YEARS)
    assert (await call(desk, "POST", "erasure")).status_code == 200
    async with sqlite_deployment.context.database.reading() as session:
        grants = (await session.exec(select(WalletGrant))).all()
        requests = (await session.exec(select(AuthorizationRequest))).all()
        tokens = (await session.exec(select(RefreshToken))).all()
        accesses = (await session.exec(select(IssuanceToken))).all()
    assert [access.offer_id for access in accesses] == kept[1:]
    assert [grant.offer_id for grant in grants] == [request.offer_id for request in requests] == kept[1:]
    assert [token.grant_id for token in tokens] == [grants[0].id]


async def test_a_code_that_is_exchanged_meanwhile_leaves_no_grant(postgres_url: str, tmp_path: Path) -> None:
    async with running_deployment(postgres_url, tmp_path) as deployment:
        wallet = await start(deployment)
        desk, database = Desk(deployment, wallet.member), deployment.context.database
        made = await wallet.offer(subject_ref=REF)
        code = await wallet.get_code(made)
        async with database.transaction() as session:
            offer = select(CredentialOffer).where(CredentialOffer.id == made["id"])
            await session.exec(offer.with_for_update())
            exchange = asyncio.create_task(wallet.redeem_code(code))
            await _wait_for_blocked(database, 1)
            erasure = asyncio.create_task(call(desk, "POST", "erasure"))
            await _wait_for_blocked(database, 2)
        assert ((await exchange).status_code, (await erasure).status_code) == (200, 200)
        async with database.reading() as session:
            for table in (WalletGrant, RefreshToken, IssuanceToken, AuthorizationRequest):
                assert (await session.exec(select(table))).all() == []


async def _wait_for_blocked(database: Database, count: int) -> None:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with asyncio.timeout(10), database.engine.connect() as connection:
        while (await connection.execute(waiting)).scalar_one() < count:
            await connection.rollback()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("is_reviewed", [True, False])
async def test_a_case_is_kept_six_years(deployment: Deployment, is_reviewed: bool) -> None:
    desk, _ = await open_desks(deployment)
    case_id = await desk.open(subject_ref=REF)
    if is_reviewed:
        deployment.clock.advance(days=10)
        await desk.review(case_id)
    refused = (await call(desk, "POST", "erasure")).json()
    assert refused["errors"][0]["kept_until"] == ("2032-12-03" if is_reviewed else "2032-11-23")


@pytest.mark.parametrize("is_file", [True, False])
async def test_what_came_to_a_case_last_begins_its_years(deployment: Deployment, is_file: bool) -> None:
    desk, _ = await open_desks(deployment)
    case_id = await desk.open(subject_ref=REF)
    deployment.clock.advance(days=10)
    if is_file:
        assert (await upload(desk, case_id, CANARY_FILE)).status_code == 201
    else:
        await desk.call("POST", f"cases/{case_id}/request-information", json={"message": "more"})
    refused = (await call(desk, "POST", "erasure")).json()
    assert refused["errors"][0]["kept_until"] == "2032-12-03"


async def test_screenings_are_kept_ten_years(deployment: Deployment) -> None:
    desk, _ = await open_desks(deployment)
    claims = {"result": "clear", "screened_at": "2026-11-23T12:00:00Z", "lists": ["canary@1"]}
    await issue(desk, deployment, credential_configuration_id="aml-screening", claims=claims)
    deployment.clock.advance(**SIX_YEARS)
    [finding] = (await call(desk, "POST", "erasure")).json()["errors"]
    assert (finding["detail"], finding["kept_until"][:4]) == ("31 CFR 501.601", "2036")


async def test_a_pending_offer_dies_with_the_person(deployment: Deployment) -> None:
    desk, _ = await open_desks(deployment)
    made = await make_offer(deployment, desk.member, subject_ref=REF)
    wallet = Wallet(deployment, desk.member)
    uri = made["credential_offer_uri"]
    assert (await deployment.http.get(uri)).status_code == 200
    assert (await call(desk, "POST", "erasure")).status_code == 200
    assert (await deployment.http.get(uri)).status_code == 404
    assert wallet.keys == []
