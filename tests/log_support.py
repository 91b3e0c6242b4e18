"""A deployment's context without its HTTP side and without a sequencer of its own: tests advance the log themselves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from service.composition import build_context
from service.credentials.signed_note import Checkpoint, VerifierKey, parse_vkey
from service.log.identity import describe_log
from service.log.sources import StoredLog
from service.log.verification import LogReport, verify_log
from service.organizations.setup import create_system_keys
from service.settings import Settings
from service.storage.audit import append_audit_entry
from service.storage.tables import AuditEntry, LogCheckpoint
from service.web.context import Context
from tests.deployment import BASE_URL, PASSPHRASE, START, TestClock, prepare_keystore
from tests.gate_support import Market

PATIENCE_S = 20


@asynccontextmanager
async def open_log_context(database_url: str, data_dir: Path) -> AsyncIterator[Context]:
    prepare_keystore(data_dir)
    settings = Settings(
        base_url=BASE_URL, data_dir=data_dir, database_url=database_url, key_passphrase=PASSPHRASE, _env_file=None
    )
    context = build_context(settings, clock=TestClock())
    try:
        async with context.database.transaction() as session:
            await create_system_keys(session, context.signer, context.clock())
        yield context
    finally:
        await context.database.close()


async def record(context: Context, *subjects: str, recorded_at: datetime = START) -> None:
    """Commit one audit entry for each subject, in one transaction."""
    async with context.database.transaction() as session:
        for subject in subjects:
            append_audit_entry(
                session, org_id="org_1", kind="test", subject_id=subject, record={"n": subject}, recorded_at=recorded_at
            )


async def places(context: Context) -> dict[str, int | None]:
    """Where each entry of ``record`` is in the log."""
    async with context.database.reading() as session:
        rows = (await session.exec(select(AuditEntry).where(AuditEntry.kind == "test"))).all()
    return {row.subject_id: row.idx for row in rows}


async def checkpoints(context: Context) -> list[LogCheckpoint]:
    async with context.database.reading() as session:
        return list((await session.exec(select(LogCheckpoint).order_by(col(LogCheckpoint.tree_size)))).all())


async def log_keys(context: Context) -> list[VerifierKey]:
    async with context.database.reading() as session:
        described = await describe_log(session, context.base_url, context.clock())
    return [parse_vkey(each) for each in described["vkeys"]]


async def verify_stored(
    context: Context, saved: Checkpoint | None = None, cosigners: Sequence[VerifierKey] = ()
) -> LogReport:
    keys = await log_keys(context)
    async with context.database.reading() as session:
        return await verify_log(StoredLog(session), expected_keys=keys, saved=saved, expected_cosigners=cosigners)


async def read_when_included(market: Market, decision: dict[str, Any]) -> dict[str, Any]:
    """Poll a decision until the published log has it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found: dict[str, Any] = await market.read(f"/v1/transfers/{decision['id']}")
            if found["log"]["state"] == "included":
                return found
            assert found["log"] == {"state": "pending", "index": None}
            await asyncio.sleep(0.05)
