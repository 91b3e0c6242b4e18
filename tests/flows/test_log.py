"""The transparency log on both databases: order, competition, crashes, restored backups, and what a check finds."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from service.credentials.merkle import find_consistency_spans, verify_consistency
from service.credentials.signed_note import Checkpoint, format_checkpoint, open_checkpoint, parse_note, sign_note
from service.keys import FileKeystore
from service.keys.files import replace_private_file
from service.keys.keystore import UnknownKeyError
from service.log.history import (
    PUBLISHED_FILE,
    LogForkedError,
    LogRolledBackError,
    PublishedCheckpointError,
    read_published,
)
from service.log.identity import log_origin
from service.log.records import check_records
from service.log.sequencer import advance_log, check_log, extend_log, publish_checkpoint
from service.log.witnesses import Cosigners
from service.storage.audit import append_audit_entry
from service.storage.log import LogDamagedError, hash_log_spans, read_newest_checkpoint
from service.storage.tables import LogCheckpoint
from service.web.context import Context
from tests.deployment import PASSPHRASE, START, Deployment
from tests.gate_support import open_market
from tests.log_support import (
    checkpoints,
    log_keys,
    open_log_context,
    places,
    record,
    verify_stored,
)


@pytest.fixture
async def context(migrated_url: str, tmp_path: Path) -> AsyncIterator[Context]:
    async with open_log_context(migrated_url, tmp_path) as context:
        yield context


async def execute(context: Context, statement: str, **values: Any) -> None:
    async with context.database.transaction() as session:
        await (await session.connection()).execute(text(statement), values)


async def test_entries_get_places_without_gaps_under_one_signed_head(context: Context) -> None:
    await record(context, *(f"a{n}" for n in range(300)))
    await advance_log(context)
    await record(context, *(f"b{n}" for n in range(300)))
    await advance_log(context)
    keys = 2  # creating the deployment's two keys was recorded too
    assert sorted(index for index in (await places(context)).values() if index is not None) == list(range(keys, 602))
    report = await verify_stored(context)
    assert (report.problems, len(report.entries)) == ([], 602)
    assert (context.data_dir / PUBLISHED_FILE).read_text() == report.note
    async with context.database.reading() as session:
        assert await check_records(session, report.entries) == []


async def test_when_nothing_waits_nothing_is_signed(context: Context) -> None:
    await advance_log(context)
    await advance_log(context)
    assert len(await checkpoints(context)) == 1


async def test_what_commits_late_is_logged_late_and_not_lost(context: Context) -> None:
    await record(context, "newer", recorded_at=START + timedelta(hours=1))
    await advance_log(context)
    await record(context, "older", recorded_at=START - timedelta(hours=1))
    await advance_log(context)
    found = await places(context)
    assert found["newer"] is not None
    assert found["older"] == found["newer"] + 1


async def test_a_transaction_that_is_open_while_others_are_logged_is_found_later(
    postgres_url: str, tmp_path: Path
) -> None:
    async with open_log_context(postgres_url, tmp_path) as context:
        async with context.database.transaction() as slow:
            append_audit_entry(slow, org_id="org_1", kind="test", subject_id="slow", record={}, recorded_at=START)
            await slow.flush()
            await record(context, "quick")
            await advance_log(context)
            assert (await places(context)).keys() == {"quick"}
        await advance_log(context)
        found = await places(context)
        assert found["quick"] is not None
        assert found["slow"] == found["quick"] + 1


async def test_two_sequencers_at_once_make_one_history(context: Context, migrated_url: str) -> None:
    async def write(name: str) -> None:
        for n in range(15):
            await record(context, f"{name}{n}")

    async def sequence(of: Context, writing: "asyncio.Task[Any]") -> None:
        while not writing.done() or None in (await places(of)).values():
            await advance_log(of)
            await asyncio.sleep(0)  # on SQLite, a pass that finds nothing waits for nothing

    async with open_log_context(migrated_url, context.data_dir) as other:
        writing = asyncio.ensure_future(asyncio.gather(*(write(name) for name in "abc")))
        await asyncio.gather(sequence(context, writing), sequence(other, writing))  # type: ignore[arg-type]  # a gathering future has done() too
    await advance_log(context)  # a last head that was signed while the other held the lock waits for the next pass
    made = await checkpoints(context)
    assert [each.previous_size for each in made] == [0, *(each.tree_size for each in made[:-1])]
    report = await verify_stored(context)
    assert (report.problems, len(report.entries)) == ([], 47)
    published = [each for each in made if each.published_at]
    for old, new in itertools.pairwise(published):
        await verify_pair(context, old, new)


async def verify_pair(context: Context, old: LogCheckpoint, new: LogCheckpoint) -> None:
    async with context.database.reading() as session:
        proof = await hash_log_spans(session, find_consistency_spans(old.tree_size, new.tree_size))
    keys = await log_keys(context)
    before, after = (open_checkpoint(each.note.encode(), keys) for each in (old, new))
    verify_consistency(
        old_size=before.size, old_root=before.root, new_size=after.size, new_root=after.root, proof=proof
    )


async def test_the_database_itself_refuses_a_second_history(context: Context) -> None:
    await advance_log(context)
    [first] = await checkpoints(context)
    rival = LogCheckpoint(tree_size=9, previous_size=first.previous_size, root=b"", note="", signed_at=START)
    with pytest.raises(IntegrityError):
        async with context.database.transaction() as session:
            session.add(rival)


async def test_a_crash_before_publishing_shows_nothing_and_is_made_up_for(context: Context) -> None:
    await record(context, "a")
    assert await extend_log(context)
    async with context.database.reading() as session:
        assert await read_newest_checkpoint(session, published=True) is None
    assert read_published(context.data_dir) is None
    await advance_log(context)
    assert (await verify_stored(context)).problems == []
    assert read_published(context.data_dir) is not None


async def test_a_crash_between_the_file_and_its_mark_is_made_up_for(context: Context) -> None:
    await extend_log(context)
    [made] = await checkpoints(context)
    replace_private_file(context.data_dir / PUBLISHED_FILE, made.note.encode())
    await advance_log(context)
    [marked] = await checkpoints(context)
    assert marked.published_at is not None
    assert not await publish_checkpoint(context, Cosigners(context))


async def test_a_pass_that_cannot_sign_leaves_no_trace(context: Context, tmp_path: Path) -> None:
    await record(context, "a")
    keyless = replace(context, signer=FileKeystore(tmp_path / "elsewhere", PASSPHRASE))
    with pytest.raises(UnknownKeyError):
        await advance_log(keyless)
    assert (await places(context), await checkpoints(context)) == ({"a": None}, [])
    await advance_log(context)
    assert (await verify_stored(context)).problems == []


async def test_a_restored_backup_signs_no_smaller_tree(context: Context) -> None:
    await record(context, "a")
    await advance_log(context)
    await restore_state_after_next(context)
    await record(context, "a third, in another history")
    await record(context, "and a fourth")
    for step in (check_log, advance_log, extend_log):
        with pytest.raises(LogRolledBackError):
            await step(context)
    assert [each.tree_size for each in await checkpoints(context)] == [3]


async def restore_state_after_next(context: Context) -> None:
    """Publish one entry more, then put the database back to what it was before."""
    tables = ("log_tile", "log_checkpoint")
    async with context.database.transaction() as session:
        connection = await session.connection()
        kept = {name: (await connection.execute(text(f"SELECT * FROM {name}"))).mappings().all() for name in tables}
    await record(context, "b")
    await advance_log(context)
    await execute(context, "DELETE FROM audit_entry WHERE subject_id = 'b'")
    for name, rows in kept.items():
        await execute(context, f"DELETE FROM {name}")
        for row in rows:
            columns = ", ".join(row)
            await execute(context, f"INSERT INTO {name} ({columns}) VALUES (:{', :'.join(row)})", **row)


async def test_a_history_that_leaves_the_published_one_is_not_signed(context: Context) -> None:
    await record(context, "a")
    await advance_log(context)
    [made] = await checkpoints(context)
    [key] = await log_keys(context)
    other = format_checkpoint(Checkpoint(log_origin(context.base_url), made.tree_size, bytes(32)))
    note = sign_note(other, key, lambda _message: bytes(64))
    replace_private_file(context.data_dir / PUBLISHED_FILE, note.encode())
    await record(context, "b")
    with pytest.raises(LogForkedError, match="published"):
        await advance_log(context)


async def test_tiles_that_were_changed_are_not_signed_over(context: Context) -> None:
    await record(context, "a")
    await advance_log(context)
    await flip(context, "log_tile", "data", "level = 0")
    await record(context, "b")
    with pytest.raises(LogForkedError, match="tiles"):
        await advance_log(context)


async def test_a_missing_tile_is_not_built_upon(context: Context) -> None:
    await record(context, "a")
    await advance_log(context)
    await execute(context, "DELETE FROM log_tile WHERE level = 0")
    await record(context, "b")
    with pytest.raises(LogDamagedError):
        await advance_log(context)


async def test_a_damaged_file_is_not_taken_for_a_new_beginning(context: Context) -> None:
    (context.data_dir / PUBLISHED_FILE).write_bytes(b"")
    with pytest.raises(PublishedCheckpointError):
        await advance_log(context)
    assert await checkpoints(context) == []


async def flip(context: Context, table: str, column: str, where: str) -> None:
    """Change one bit of one value."""
    async with context.database.transaction() as session:
        connection = await session.connection()
        value = (await connection.execute(text(f"SELECT {column} FROM {table} WHERE {where}"))).scalar_one()
        as_text = isinstance(value, str)
        data = bytearray(value.encode() if as_text else value)
        data[-3] ^= 1
        changed = data.decode() if as_text else bytes(data)
        await connection.execute(text(f"UPDATE {table} SET {column} = :value WHERE {where}"), {"value": changed})


@pytest.mark.parametrize(
    ("table", "column", "where", "problem"),
    [
        ("log_tile", "data", "level = 0 AND idx = 1", "entry 301"),
        ("log_tile", "data", "level = -1 AND idx = 0", "entry 255"),
        ("log_tile", "data", "level = 1", "tile 1/000: hash 0"),
        ("log_checkpoint", "note", "tree_size = 302", "checkpoint"),
        ("audit_entry", "record", "subject_id = 'a7'", "is not what was logged"),
        ("audit_entry", "nonce", "subject_id = 'a7'", "is not what was logged"),
        ("audit_entry", "kind", "subject_id = 'a7'", "is not what was logged"),
    ],
)
async def test_one_changed_bit_is_found(context: Context, table: str, column: str, where: str, problem: str) -> None:
    await record(context, *(f"a{n}" for n in range(300)))
    await advance_log(context)
    await flip(context, table, column, where)
    report = await verify_stored(context)
    async with context.database.reading() as session:
        found = report.problems + (await check_records(session, report.entries) if not report.problems else [])
    assert any(problem in each for each in found), found


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM audit_entry WHERE subject_id = 'a1'", "its record is missing"),
        ("DELETE FROM audit_entry WHERE idx = (SELECT max(idx) FROM audit_entry)", "its record is missing"),
        ("DELETE FROM log_tile WHERE level = 0", "missing or of the wrong length"),
        ("DELETE FROM log_tile WHERE level = -1", "missing or of the wrong length"),
    ],
)
async def test_what_was_deleted_is_missed(context: Context, statement: str, problem: str) -> None:
    await record(context, "a1", "a2", "a3")
    await advance_log(context)
    await execute(context, statement)
    report = await verify_stored(context)
    async with context.database.reading() as session:
        found = report.problems + await check_records(session, report.entries)
    assert any(problem in each for each in found), found


async def test_a_log_that_was_cut_or_rewritten_does_not_continue_what_was_seen(context: Context) -> None:
    await record(context, "a")
    await advance_log(context)
    first = open_checkpoint((await verify_stored(context)).note.encode(), await log_keys(context))
    await record(context, "b")
    await advance_log(context)
    assert (await verify_stored(context, first)).problems == []
    rewritten = Checkpoint(first.origin, first.size, bytes(32))
    assert "seen before" in (await verify_stored(context, rewritten)).problems[0]
    longer = Checkpoint(first.origin, 99, first.root)
    assert "had 99" in (await verify_stored(context, longer)).problems[0]


async def test_the_file_is_a_signed_note_for_its_owner_only(context: Context) -> None:
    await advance_log(context)
    path = context.data_dir / PUBLISHED_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(parse_note(path.read_bytes()).signatures) == 1


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE transfer SET outcome = 'permit'", "is not what was logged"),
        ("UPDATE transfer SET payload = replace(payload, 'deny', 'permit')", "is not what was logged"),
        ("UPDATE transfer SET bundle = bundle || ' '", "is not what was logged"),
        ("DELETE FROM transfer", "is missing"),
        ("UPDATE audit_entry SET subject_id = 'trf_other' WHERE kind = 'transfer.decided'", "was never recorded"),
    ],
)
async def test_an_edited_or_deleted_decision_is_found(deployment: Deployment, statement: str, problem: str) -> None:
    market = await open_market(deployment)
    decision = await market.decide(market.buy("nobody"))
    assert decision["outcome"] == "deny"
    context = deployment.context
    await advance_log(context)
    assert await find_problems(context) == []
    await execute(context, statement)
    found = await find_problems(context)
    assert any(problem in each for each in found), found


async def find_problems(context: Context) -> list[str]:
    report = await verify_stored(context)
    async with context.database.reading() as session:
        return report.problems + await check_records(session, report.entries)
