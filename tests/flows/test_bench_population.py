"""What the benchmarks load is taken by the service for its own: the log verifies, counters add up, trades are permitted."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.status_list import get_status
from service.demo.processes import run_command
from service.storage.tables import CredentialCopy, HolderCount, Lot, Security, StandingCredential, StatusList
from tests.bench.deployment import MODEL, Bench, open_bench
from tests.bench.load import run_load
from tests.bench.population import layout
from tests.bench.population.layout import KNOWN, LayoutChangedError, check_layout
from tests.bench.population.loader import count_loaded, load, name_investor
from tests.bench.transfers import Trading

FIRST, THEN = 300, 1000


@pytest.fixture
async def bench(database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    yield await open_bench(tmp_path / "bench", database_url, "")


async def _load(bench: Bench, target: int) -> list[str]:
    said: list[str] = []
    await bench.populate(target, said.append)
    return said


async def _verify_log(bench: Bench) -> dict[str, Any]:
    finished = await run_command("log", "verify", "--database", "--json", settings=bench.settings)
    report: dict[str, Any] = finished.json()
    return report


async def _wait_for_log(bench: Bench, size: int) -> None:
    async with asyncio.timeout(20):
        while (await _verify_log(bench))["size"] < size:
            await asyncio.sleep(0.2)


async def _check_counters(session: AsyncSession, bench: Bench) -> None:
    lots = (await session.exec(select(Lot).where(Lot.security_id == bench.model.security_id))).all()
    head = await session.get_one(Security, (bench.model.platform_id, bench.model.security_id))
    counts = (await session.exec(select(HolderCount))).all()
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


async def test_the_service_runs_on_what_was_loaded(bench: Bench) -> None:
    await _load(bench, FIRST)
    assert await bench.count() == FIRST
    await _load(bench, THEN)  # a second load goes on where the first one ended
    assert await bench.count() == THEN
    async with bench.open_context() as context, context.database.reading() as session:
        await _check_counters(session, bench)
        await _check_statuses(session)
    async with bench.serving():
        trading = Trading(THEN, await bench.authorize("platform"))
        for call in (trading.one(resale=False), Trading(THEN, trading.access).one(resale=True)):
            await run_load(bench.base_url, call, clients=2, seconds=0.3)  # raises unless every answer is a permit
        await _wait_for_log(bench, THEN + 2)
    report = await _verify_log(bench)
    assert report["valid"], report["problems"]
    assert report["size"] > THEN


async def test_nothing_is_loaded_where_the_tables_have_changed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(layout.KNOWN, "lot", KNOWN["lot"].replace("reserved ", ""))
    with pytest.raises(LayoutChangedError, match="reserved"):
        await _load(bench, FIRST)
    monkeypatch.undo()
    check_layout()
    monkeypatch.setattr(layout, "LEFT_OUT", frozenset({"presentation_request"}))
    with pytest.raises(LayoutChangedError, match="credential_offer"):
        await _load(bench, FIRST)
    assert await bench.count() == 0


async def test_an_interrupted_load_leaves_whole_chunks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.population.loader.CHUNK", 100)

    def stop(line: str) -> None:
        if line.startswith("loaded 200"):
            raise KeyboardInterrupt

    async with bench.open_context() as context:
        with pytest.raises(KeyboardInterrupt):
            await load(context, bench.model, FIRST, stop)
        assert await count_loaded(context, bench.model) == 200
        async with context.database.reading() as session:
            lots = select(func.count()).select_from(Lot).where(col(Lot.investor_ref) != MODEL)
            assert (await session.exec(lots)).one() == 200
    await _load(bench, FIRST)
    report = await _verify_log(bench)
    assert report["problems"] == []


def test_every_table_that_is_known_exists() -> None:
    assert set(KNOWN) <= set(SQLModel.metadata.tables)
    assert name_investor(7) == "inv-0000007"
