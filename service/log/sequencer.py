"""Give committed audit entries their places in the log, sign the head, and publish it.

Entries wait in the database until a pass of the sequencer finds them. A pass signs under the log's lock and commits;
then it writes the head to a file beside the database, asks the witnesses, and marks the checkpoint, which readers look
for. So what was ever shown is in the file, and a database that was restored from an older copy is found out before
anything is signed that contradicts it. Nothing waits for a witness while a transaction is open.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.cosignature import list_missing_witnesses
from service.credentials.signed_note import Checkpoint, format_checkpoint, sign_note
from service.errors import ServiceError
from service.keys.files import replace_private_file
from service.log.history import PUBLISHED_FILE, check_history, read_published
from service.log.identity import log_origin, make_verifier_key, read_log_key
from service.log.witnesses import Cosigners, check_witnessed
from service.storage.log import (
    CheckpointRow,
    add_checkpoint,
    append_entries,
    list_waiting_entries,
    publish_note,
    read_log_progress,
    read_newest_checkpoint,
    take_log_lock,
)
from service.web.context import Context

PAUSE_S = 0.1
PAUSE_AFTER_ERROR_S = 1.0
_log = structlog.get_logger(__name__)


async def extend_log(context: Context) -> bool:
    """Sign a checkpoint over everything that waits, in one transaction; return whether there was anything.

    Raises:
        ServiceError: As ``check_history``; nothing is signed.
        NoSigningKeyError: ``init`` makes the log's key.
    """
    return await context.database.write(partial(_extend, context))


async def _extend(context: Context, connection: AsyncConnection) -> bool:
    if not await take_log_lock(connection):
        return False
    newest = await read_newest_checkpoint(connection, published=False)
    await check_history(connection, newest, read_published(context.data_dir))
    entries = await list_waiting_entries(connection)
    if not entries:
        return False
    size = newest.tree_size if newest else 0
    root = await append_entries(connection, size, entries)
    await add_checkpoint(connection, await _sign(connection, context, size, size + len(entries), root))
    return True


async def _sign(connection: AsyncConnection, context: Context, previous: int, size: int, root: bytes) -> CheckpointRow:
    key = await read_log_key(connection)
    text = format_checkpoint(Checkpoint(log_origin(context.base_url), size, root))
    note = sign_note(text, make_verifier_key(key, context.base_url), context.signer.signing_function(key.kid))
    return CheckpointRow(size, previous, root, note, signed_at=context.clock(), published_at=None)


async def publish_checkpoint(context: Context, cosigners: Cosigners) -> bool:
    """Publish the newest checkpoint that is committed, with the cosignatures that come in time.

    Returns:
        Whether there was a new one, and nobody published a newer one meanwhile.

    Raises:
        ServiceError: As ``check_history``; nothing is published.
    """
    announced = await context.database.write(partial(_announce, context))
    if announced is None:
        return False
    note = await cosigners.add_cosignatures(announced.note, known_size=announced.previous_size)
    return await context.database.write(partial(_show, context, announced.tree_size, note))


async def _announce(context: Context, connection: AsyncConnection) -> CheckpointRow | None:
    """Put the newest checkpoint into the file, from when on it may be shown to anybody."""
    if not await take_log_lock(connection):
        return None
    newest = await read_newest_checkpoint(connection, published=False)
    if newest is None or newest.published_at is not None:
        return None
    await check_history(connection, newest, read_published(context.data_dir))
    await asyncio.to_thread(replace_private_file, context.data_dir / PUBLISHED_FILE, newest.note.encode())
    return newest


async def _show(context: Context, size: int, note: str, connection: AsyncConnection) -> bool:
    """Let readers see a checkpoint, unless there is a newer one."""
    newest = await read_newest_checkpoint(connection, published=False)
    if newest is None or newest.tree_size != size:
        return False
    published_at = newest.published_at or context.clock()
    await publish_note(connection, size=size, note=note, published_at=published_at)
    return True


async def complete_checkpoint(context: Context, cosigners: Cosigners) -> bool:
    """Ask witnesses again whose cosignature the published checkpoint lacks; return whether one came."""
    async with context.database.reading() as session:
        newest = await read_newest_checkpoint(session, published=True)
    if newest is None or not list_missing_witnesses(newest.note, context.witnesses):
        return False
    note = await cosigners.add_cosignatures(newest.note, known_size=newest.previous_size)
    show = partial(_show, context, newest.tree_size, note)
    return note != newest.note and await context.database.write(show)


async def advance_log(context: Context, cosigners: Cosigners | None = None) -> None:
    """Sign and publish what waits; when nothing does, this is two small reads."""
    cosigners = cosigners or Cosigners(context)
    progress = await context.database.glance(read_log_progress)
    extended = progress.waiting_since is not None and await extend_log(context)
    if extended or not progress.is_published:
        await publish_checkpoint(context, cosigners)
    elif cosigners.may_ask_again():
        await complete_checkpoint(context, cosigners)


async def check_log(context: Context) -> None:
    """Find out before the first entry whether the database is older than what was shown; raises as advancing."""
    async with context.database.reading() as session:
        newest = await read_newest_checkpoint(session, published=False)
        await check_history(session, newest, read_published(context.data_dir))
    await check_witnessed(context)


async def run_sequencer(context: Context) -> None:
    """Advance the log forever; every worker process may run this, and one at a time does the work."""
    cosigners = Cosigners(context)
    advance = partial(advance_log, cosigners=cosigners)
    step: Callable[[Context], Awaitable[None]] = check_log
    while True:
        try:
            await step(context)
        except Exception as error:  # the next pass tries again; /readyz tells when that does not help
            code = error.code if isinstance(error, ServiceError) else type(error).__name__
            _log.error("log_not_advanced", error=code)
            await asyncio.sleep(PAUSE_AFTER_ERROR_S)
        else:
            step = advance
            await asyncio.sleep(PAUSE_S)
