"""What is due is erased without being asked, and nothing else is."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import SQLModel, col, select

from service.log.records import check_records
from service.log.sequencer import advance_log
from service.privacy.retention import run_retention
from service.storage import expired
from service.storage.tables import (
    AuditEntry,
    AuthorizationRequest,
    CredentialOffer,
    IdempotencyRecord,
    IssuanceToken,
    PresentationRequest,
    RefreshToken,
    SpentNonce,
    SpentProof,
    SubjectKey,
    WalletGrant,
)
from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.log_support import verify_stored
from tests.prepared import prepared
from tests.privacy_support import SIX_YEARS, call, dump_rows


@prepared
async def market(deployment: Deployment) -> Market:
    return await open_market(deployment)


async def test_who_is_due_is_erased_and_who_is_not_stays(market: Market) -> None:
    context, clock = market.deployment.context, market.deployment.clock
    for ref in ("left", "holds", "held", "traded-late", "seen-late", "matched"):
        await market.admit(ref)
    await market.void(await market.decide(market.buy("left")))
    await market.open_lot("holds", 10)
    await call(market, "PUT", "/v1/investors/held/legal-hold", {"reason": "r", "reference": "f"})
    await market.screen("matched", "potential")
    clock.advance(days=365)
    await market.decide(market.buy("traded-late"))
    await market.admit("seen-late")
    clock.advance(days=5 * 366)
    dry = await run_retention(context, dry_run=True)
    assert dry.investors == [(market.member.org_id, "left")]
    assert (await run_retention(context, dry_run=True)).investors == dry.investors
    [(org_id, tombstone)] = (await run_retention(context)).investors
    assert (org_id, tombstone.startswith("erased-")) == (market.member.org_id, True)
    assert (await run_retention(context)).investors == []
    gone = await market.call("GET", "/v1/investors/left/standing", scopes="verifier")
    assert gone.status_code == 404
    for ref in ("holds", "held", "traded-late", "seen-late", "matched"):
        assert await market.scene.platform.list_kept(ref), ref
    clock.advance(days=366)
    assert len((await run_retention(context)).investors) == 1  # who was seen late
    clock.advance(days=4 * 366)  # a screening that was too old is kept as long as one that was not clear
    assert len((await run_retention(context)).investors) == 2
    assert await find_problems(market) == []


async def find_problems(market: Market) -> list[str]:
    context = market.deployment.context
    await advance_log(context)
    report = await verify_stored(context)
    async with context.database.reading() as session:
        return report.problems + await check_records(session, report.entries)


async def test_the_erasure_of_who_was_due_says_so(market: Market) -> None:
    await market.admit("left")
    market.deployment.clock.advance(**SIX_YEARS)
    await run_retention(market.deployment.context)
    async with market.deployment.context.database.reading() as session:
        [entry] = (await session.exec(select(AuditEntry).where(AuditEntry.kind == "investor.erased"))).all()
    assert '"cause":"retention","client_id":null' in entry.record
    assert "left" not in await dump_rows(market.deployment.context.database)


async def test_answers_that_name_nobody_go_after_thirty_days(market: Market) -> None:
    context, clock = market.deployment.context, market.deployment.clock
    platform = market.scene.platform
    for _ in range(2):
        made = await platform.ask(purpose="us.506c")
        await market.scene.wallet.answer(made)
    named = await platform.ask(purpose="us.506c", investor_ref="ada")
    assert len((await platform.read(made["id"]))["credentials"]) == 3
    clock.advance(days=30)
    assert (await run_retention(context, dry_run=True)).presentations == 0
    clock.advance(hours=1)
    assert (await run_retention(context, dry_run=True)).presentations == 2
    assert (await run_retention(context)).presentations == 2
    async with context.database.reading() as session:
        assert (await session.exec(select(PresentationRequest.id))).all() == [named["id"]]
        query = select(SubjectKey.subject).where(col(SubjectKey.subject).startswith("presentation/"))
        assert (await session.exec(query)).all() == []
    assert made["id"] not in await dump_rows(context.database)
    assert await find_problems(market) == []


async def test_kept_answers_go_after_thirty_days(market: Market) -> None:
    context, clock = market.deployment.context, market.deployment.clock
    access = await market.deployment.headers(market.member, "verifier")
    headers = access | {"Idempotency-Key": "one"}
    body = {"purpose": "us.506c", "investor_ref": "ada"}
    for days, answers in ((0, 0), (29, 0), (2, 1)):
        if days == 0:
            made = await market.deployment.http.post("/v1/presentation-requests", json=body, headers=headers)
            assert made.status_code == 201
        clock.advance(days=days)
        assert (await run_retention(context, dry_run=True)).answers == answers
        assert (await run_retention(context)).answers == answers
    async with context.database.reading() as session:
        assert (await session.exec(select(IdempotencyRecord))).all() == []


def list_expiring(org_id: str, name: str, now: datetime, expires_at: datetime) -> list[SQLModel]:
    """Return one row of each kind that expires."""
    key = {"org_id": org_id, "expires_at": expires_at}
    offer = CredentialOffer(
        **key,
        id=name,
        credential_configuration_id="kyc",
        subject_ref="s",
        sealed_claims=b"sealed",
        sealed_code=b"sealed",
        code_sha256=name,
        created_at=now,
    )
    request = AuthorizationRequest(
        **key,
        id=name,
        request_uri_sha256=name,
        client_id="c",
        redirect_uri="https://wallet.example",
        code_challenge="c",
        scope_ids=[],
        detail_ids=[],
    )
    return [
        offer,
        request,
        IssuanceToken(**key, token_sha256=name, offer_id=name),
        SpentNonce(**key, nonce_sha256=name),
        SpentProof(**key, proof_sha256=name),
        WalletGrant(**key, id=name, offer_id=name, client_id="c", by_details=False, newest_sha256=name),
        RefreshToken(org_id=org_id, token_sha256=name, grant_id=name),
    ]


async def test_what_expired_at_issuers_goes_in_pieces_until_nothing_is_left(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expired, "AT_ONCE", 4)
    context, now = deployment.context, deployment.clock()
    issuers = [(await deployment.add_organization(slug, "issuer")).org_id for slug in ("one", "two")]
    async with context.database.transaction() as session:
        for org_id in issuers:
            for number in range(9):
                session.add_all(list_expiring(org_id, f"{org_id}-{number}", now, now - timedelta(hours=2)))
            session.add_all(list_expiring(org_id, f"{org_id}-late", now, now - timedelta(minutes=30)))
        waiting = list_expiring(issuers[0], "waiting", now, now - timedelta(days=29))[0]
        assert isinstance(waiting, CredentialOffer)
        waiting.deferred_at = now - timedelta(days=29)
        session.add(waiting)
    await run_retention(context, dry_run=True)
    async with context.database.reading() as session:
        assert len((await session.exec(select(IssuanceToken))).all()) == 20
    await run_retention(context)
    async with context.database.reading() as session:
        for table in (AuthorizationRequest, IssuanceToken, SpentNonce, SpentProof, WalletGrant, RefreshToken):
            assert len((await session.exec(select(table))).all()) == 2, table
        offers = (await session.exec(select(CredentialOffer))).all()
    assert len(offers) == 21
    sealed = {offer.id for offer in offers if offer.sealed_claims or offer.sealed_code}
    assert sealed == {*(f"{org_id}-late" for org_id in issuers), "waiting"}
