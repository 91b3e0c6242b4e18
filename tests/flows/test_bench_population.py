"""What the benchmarks load, the service takes for its own: the log verifies, counters add up, trades are permitted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import get_status
from service.demo.processes import run_command
from service.storage.log import read_log_progress
from service.storage.personal_data import open_standing_claims
from service.storage.snapshots import take_snapshot
from service.storage.standings import list_investors, read_investor_keys
from service.storage.tables import (
    CredentialCopy,
    HolderCount,
    HolderPerson,
    Investor,
    InvestorVersion,
    Lot,
    Security,
    StandingCredential,
    StandingVersion,
    StatusList,
    Subject,
)
from service.web.context import Context
from tests.bench.deployment import MODEL, Bench, open_bench
from tests.bench.load import run_load
from tests.bench.population import layout
from tests.bench.population.layout import LayoutChangedError
from tests.bench.population.loader import count_loaded, load, name_investor
from tests.bench.transfers import Trading

FIRST, THEN = 200, 500


async def _load(bench: Bench, target: int) -> None:
    await bench.populate(target, lambda line: None)


async def _verify_log(bench: Bench) -> dict[str, Any]:
    finished = await run_command("log", "verify", "--database", "--json", settings=bench.settings)
    report: dict[str, Any] = finished.json()
    return report


async def _wait_for_log(bench: Bench) -> None:
    """Wait until every entry is under a published checkpoint."""
    async with bench.open_context() as context, asyncio.timeout(20):
        waiting = True
        while waiting:
            await asyncio.sleep(0.2)
            async with context.database.reading() as session:
                progress = await read_log_progress(session)
            waiting = progress.waiting_since is not None or not progress.is_published


async def _refuse_unknown_traces(bench: Bench) -> None:
    """Load nothing where the service keeps something about an investor that the loader does not know."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "LEFT_OUT", frozenset({"presentation_request"}))
        with pytest.raises(LayoutChangedError, match="credential_offer"):
            await _load(bench, FIRST)
    assert await bench.count() == 0


async def _interrupt_load(bench: Bench) -> None:
    """Load in small chunks, and stop when ``FIRST`` are there."""

    def stop(line: str) -> None:
        if line.startswith(f"loaded {FIRST}"):
            raise KeyboardInterrupt

    async with bench.open_context() as context:
        with pytest.raises(KeyboardInterrupt):
            await load(context, bench.read_settings(), bench.model, THEN, stop)
        assert await count_loaded(context, bench.model) == FIRST
        async with context.database.reading() as session:
            lots = select(func.count()).select_from(Lot).where(col(Lot.investor_ref) != MODEL)
            assert (await session.exec(lots)).one() == FIRST


async def _check_counters(session: AsyncSession, bench: Bench) -> None:
    lots = (await session.exec(select(Lot).where(Lot.security_id == bench.model.security_id))).all()
    head = await session.get_one(Security, (bench.model.platform_id, bench.model.security_id))
    counts = (await session.exec(select(HolderCount))).all()
    assert len(lots) == THEN + 1
    assert head.outstanding == sum(lot.quantity for lot in lots) == sum(row.quantity for row in counts)
    assert head.holders == head.beneficial_owners == len({lot.investor_ref for lot in lots}) == THEN + 1
    assert head.nonaccredited_holders == sum(not row.accredited for row in counts if row.quantity)


async def _check_statuses(session: AsyncSession) -> None:
    copies = (await session.exec(select(CredentialCopy))).all()
    for row in (await session.exec(select(StatusList))).all():
        taken = [copy.status_index for copy in copies if (copy.org_id, copy.status_list_id) == (row.org_id, row.id)]
        assert row.allocated == len(taken) == len(set(taken))
        assert all(get_status(row.packed, row.bits, index) == 0 for index in taken)


async def _check_standing(session: AsyncSession, context: Context) -> None:
    """Open what is sealed about everybody, and compare it with the issuers' rows and with its own history."""
    copies = {copy.digest: copy for copy in (await session.exec(select(CredentialCopy))).all()}
    rows = (await session.exec(select(StandingCredential))).all()
    opened = await open_standing_claims(await session.connection(), context.signer, rows[0].org_id, rows)
    versions = {each.standing_id: each for each in (await session.exec(select(StandingVersion))).all()}
    subjects = {each.subject_ref: each.sub for each in (await session.exec(select(Subject))).all()}
    assert len(rows) == len(opened) == len(versions) == 3 * (THEN + 2)  # the model and the one with a wallet as well
    for row in rows:
        content, copy = opened[row.id], copies[opened[row.id].digest]
        assert (row.status_uri or "").endswith(f"/status-lists/{copy.status_list_id}")
        assert (content.status_index, content.holder_thumbprint) == (copy.status_index, copy.holder_thumbprint)
        assert content.claims.get("sub", subjects[row.investor_ref]) == subjects[row.investor_ref]
        assert versions[row.id].document == take_snapshot(StandingCredential, row)


async def _check_investors(session: AsyncSession, context: Context) -> None:
    rows = {row.ref: row for row in (await session.exec(select(Investor))).all()}
    org_id = next(iter(rows.values())).org_id
    known = await list_investors(
        session, await read_investor_keys(session, context.signer, org_id, list(rows)), org_id, list(rows)
    )
    subjects = {each.subject_ref: each.sub for each in (await session.exec(select(Subject))).all()}
    assert {ref: each.kyc_sub for ref, each in known.items()} == subjects
    for version in (await session.exec(select(InvestorVersion))).all():
        assert version.document == take_snapshot(Investor, rows[version.ref])


async def _check_persons(bench: Bench) -> None:
    """Check that no permit found anybody to be somebody whom the register did not know yet."""
    async with bench.open_context() as context, context.database.reading() as session:
        refs = (await session.exec(select(HolderPerson.investor_ref))).all()
    assert sorted(refs) == [name_investor(number) for number in range(THEN)]


async def test_the_service_runs_on_what_was_loaded(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.bench.population.loader.CHUNK", FIRST // 2)
    bench = await open_bench(tmp_path / "bench", database_url, "")
    await _refuse_unknown_traces(bench)
    await _interrupt_load(bench)
    await _load(bench, THEN)  # goes on where the first one ended
    assert await bench.count() == THEN
    async with bench.open_context() as context, context.database.reading() as session:
        await _check_counters(session, bench)
        await _check_statuses(session)
        await _check_standing(session, context)
        await _check_investors(session, context)
    async with bench.serving():
        access = await bench.authorize("platform")
        for resale in (False, True):  # raises unless every answer is a permit
            await run_load(bench.base_url, Trading(THEN, access).one(resale=resale), clients=2, seconds=0.3)
        await _wait_for_log(bench)
    await _check_persons(bench)
    assert (await run_command("reconcile", settings=bench.settings)).code == 0
    report = await _verify_log(bench)
    assert report["problems"] == []
    assert report["size"] > THEN
