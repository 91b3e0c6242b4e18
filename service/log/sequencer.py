"""Give committed audit entries their places in the log, sign the head, and publish it.

Entries wait in the database until a pass of the sequencer finds them. A pass signs under the log's lock and commits,
and publishes in a second transaction: first to a file beside the database, then by marking the checkpoint, which
readers look for. So what was ever shown is in the file, and a database that was restored from an older copy is found
out before anything is signed that contradicts it.
"""

import asyncio
from pathlib import Path

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from service.credentials.signed_note import Checkpoint, format_checkpoint, parse_checkpoint, parse_note, sign_note
from service.errors import MalformedError, ServiceError
from service.keys.files import replace_private_file
from service.log.identity import log_origin, make_verifier_key
from service.storage.log import (
    append_entries,
    compute_root,
    list_waiting_entries,
    read_log_progress,
    read_newest_checkpoint,
    take_log_lock,
)
from service.storage.tables import LogCheckpoint
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web.context import Context
from service.web.signing import LOG, get_active_key

PAUSE_S = 0.1
PAUSE_AFTER_ERROR_S = 1.0
PUBLISHED_FILE = "log-checkpoint"
_log = structlog.get_logger(__name__)


class LogRolledBackError(ServiceError):
    """The database is older than what was published; signing on would be a second history."""

    code = "log_rolled_back"


class LogForkedError(ServiceError):
    """The tiles do not lead to a root that was signed."""

    code = "log_forked"


class PublishedCheckpointError(ServiceError):
    """The file with the published checkpoint cannot be read."""

    code = "published_checkpoint_unusable"


def read_published(data_dir: Path) -> Checkpoint | None:
    """Return the checkpoint that was published last, by the file beside the database; None if none was.

    Raises:
        PublishedCheckpointError: The file is damaged.
    """
    path = data_dir / PUBLISHED_FILE
    try:
        return parse_checkpoint(parse_note(path.read_bytes()).text)
    except FileNotFoundError:
        return None
    except (MalformedError, OSError):
        raise PublishedCheckpointError(f"The file {path.name} is damaged; restore it, do not delete it.") from None


async def check_history(session: AsyncSession, newest: LogCheckpoint | None, published: Checkpoint | None) -> None:
    """Check that the tiles lead to the newest checkpoint, and that it continues the published one.

    Raises:
        LogRolledBackError, LogForkedError: See there.
        LogDamagedError: A tile is missing.
    """
    size = newest.tree_size if newest else 0
    if published is not None and published.size > size:
        raise LogRolledBackError(f"The database holds {size} log entries; {published.size} were published.")
    if newest is not None and await compute_root(session, size) != newest.root:
        raise LogForkedError("The log's tiles do not lead to its newest checkpoint.")
    if published is not None and await compute_root(session, published.size) != published.root:
        raise LogForkedError("The log does not continue the checkpoint that was published.")


async def extend_log(context: Context) -> bool:
    """Sign a checkpoint over everything that waits, in one transaction; return whether there was anything.

    Raises:
        ServiceError: As ``check_history``; nothing is signed.
        NoSigningKeyError: ``init`` makes the log's key.
    """
    async with context.database.transaction() as session:
        if not await take_log_lock(session):
            return False
        newest = await read_newest_checkpoint(session, published=False)
        await check_history(session, newest, read_published(context.data_dir))
        entries = await list_waiting_entries(session)
        if not entries:
            return False
        size = newest.tree_size if newest else 0
        root = await append_entries(session, size, entries)
        session.add(await _sign(session, context, size, size + len(entries), root))
    return True


async def _sign(session: AsyncSession, context: Context, previous: int, size: int, root: bytes) -> LogCheckpoint:
    key = await get_active_key(session, SYSTEM_ORG_ID, LOG)
    text = format_checkpoint(Checkpoint(log_origin(context.base_url), size, root))
    note = sign_note(text, make_verifier_key(key, context.base_url), context.signer.signing_function(key.kid))
    return LogCheckpoint(tree_size=size, previous_size=previous, root=root, note=note, signed_at=context.clock())


async def publish_checkpoint(context: Context) -> bool:
    """Publish the newest checkpoint that is committed; return whether there was a new one.

    Raises:
        ServiceError: As ``check_history``; nothing is published.
    """
    async with context.database.transaction() as session:
        if not await take_log_lock(session):
            return False
        newest = await read_newest_checkpoint(session, published=False)
        if newest is None or newest.published_at is not None:
            return False
        await check_history(session, newest, read_published(context.data_dir))
        await asyncio.to_thread(replace_private_file, context.data_dir / PUBLISHED_FILE, newest.note.encode())
        newest.published_at = context.clock()
        session.add(newest)
    return True


async def advance_log(context: Context) -> None:
    """Sign and publish what waits; when nothing does, this is two small reads."""
    async with context.database.reading() as session:
        progress = await read_log_progress(session)
    extended = progress.waiting_since is not None and await extend_log(context)
    if extended or not progress.is_published:
        await publish_checkpoint(context)


async def check_log(context: Context) -> None:
    """Find out before the first entry whether the database is older than what was published; raises as advancing."""
    async with context.database.reading() as session:
        newest = await read_newest_checkpoint(session, published=False)
        await check_history(session, newest, read_published(context.data_dir))


async def run_sequencer(context: Context) -> None:
    """Advance the log forever; every worker process may run this, and one at a time does the work."""
    step = check_log
    while True:
        try:
            await step(context)
        except Exception as error:  # the next pass tries again; /readyz tells when that does not help
            code = error.code if isinstance(error, ServiceError) else type(error).__name__
            _log.error("log_not_advanced", error=code)
            await asyncio.sleep(PAUSE_AFTER_ERROR_S)
        else:
            step = advance_log
            await asyncio.sleep(PAUSE_S)
