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
from service.storage.tables import CredentialCopy, HolderCount, Lot, Security, StandingCredential, StatusList
from tests.bench.deployment import MODEL, Bench, open_bench
from tests.bench.load import run_load
from tests.bench.population import layout
from tests.bench.population.layout import LayoutChangedError
from tests.bench.population.loader import count_loaded, load
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
            await load(context, bench.model, THEN, stop)
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
    by_digest = {copy.digest: copy for copy in copies}
    standing = (await session.exec(select(StandingCredential))).all()
    assert len(standing) == 3 * (THEN + 2)  # those of the model and of the one with a wallet as well
    for shown in standing:
        copy = by_digest[shown.digest]
        assert (shown.status_uri or "").endswith(f"/status-lists/{copy.status_list_id}")
        assert (shown.status_index, shown.holder_thumbprint) == (copy.status_index, copy.holder_thumbprint)


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
    async with bench.serving():
        access = await bench.authorize("platform")
        for resale in (False, True):  # raises unless every answer is a permit
            await run_load(bench.base_url, Trading(THEN, access).one(resale=resale), clients=2, seconds=0.3)
        await _wait_for_log(bench)
    report = await _verify_log(bench)
    assert report["problems"] == []
    assert report["size"] > THEN
