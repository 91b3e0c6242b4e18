"""Ask witnesses to cosign what the log publishes, and believe what they remember of it.

A witness that does not answer delays nothing for longer than ``PATIENCE_S``: the checkpoint goes out without it, and
it is asked again later.
"""

import asyncio
import hashlib
import re
from datetime import datetime, timedelta

import structlog

from service.credentials.cosignature import Witness, list_missing_witnesses, verify_cosignature
from service.credentials.merkle import find_consistency_spans
from service.credentials.signed_note import (
    Checkpoint,
    VerifierKey,
    find_signatures,
    format_signature,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
)
from service.credentials.tlog_witness import format_add_checkpoint
from service.errors import MalformedError, UnavailableError, VerificationError
from service.fetch import Fetched, FetchError
from service.log.history import LogForkedError, LogRolledBackError
from service.log.identity import list_log_keys, log_origin
from service.storage.log import compute_root, hash_log_spans, read_newest_checkpoint
from service.web.context import Context

PATIENCE_S = 0.5
ASK_AGAIN_AFTER = timedelta(seconds=10)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_log = structlog.get_logger(__name__)


class WitnessRefusedError(UnavailableError):
    """The witness answers, and not with a cosignature."""

    code = "witness_refused"


class Cosigners:
    """The witnesses of the settings, as one process of the log sees them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._silent: set[str] = set()
        self._asked_at: datetime | None = None

    def may_ask_again(self) -> bool:
        """Tell whether a checkpoint that is out may be taken to the witnesses that it lacks."""
        waited = self._asked_at is None or self._context.clock() - self._asked_at >= ASK_AGAIN_AFTER
        return bool(self._context.witnesses) and waited

    async def add_cosignatures(self, note: str, *, known_size: int) -> str:
        """Return the note with the cosignatures that it lacked and that came in time.

        Args:
            note: A committed checkpoint.
            known_size: Size of the one before it, which the witnesses saw most likely.

        Raises:
            LogRolledBackError, LogForkedError: A witness has seen, signed by this log, what contradicts the database.
        """
        missing = list_missing_witnesses(note, self._context.witnesses)
        self._asked_at = self._context.clock()
        lines = await asyncio.gather(*(self._ask(witness, note, known_size) for witness in missing))
        return note + "".join(lines)

    async def _ask(self, witness: Witness, note: str, known_size: int) -> str:
        name = witness.key.name
        try:
            line = await request_cosignature(self._context, witness, note, known_size=known_size)
        except (UnavailableError, MalformedError, VerificationError) as error:
            if name not in self._silent:
                _log.warning("witness_silent", witness=name, error=error.code)
            self._silent.add(name)
            return ""
        if name in self._silent:
            _log.info("witness_back", witness=name)
        self._silent.discard(name)
        return line


async def request_cosignature(context: Context, witness: Witness, note: str, *, known_size: int) -> str:
    """Return a witness's signature line for a committed checkpoint.

    Raises:
        FetchError, WitnessRefusedError: No cosignature.
        MalformedNoteError, NoteSignatureError: What came is none.
        LogRolledBackError, LogForkedError: See ``check_witnessed``.

    Source: C2SP tlog-witness, "add-checkpoint".
    """
    checkpoint = parse_checkpoint(parse_note(note.encode()).text)
    answer = await _submit(context, witness, note, checkpoint, known_size)
    if answer.status == 409 and (match := _SIZE.fullmatch(answer.body)) and int(match[1]) <= checkpoint.size:
        answer = await _submit(context, witness, note, checkpoint, int(match[1]))
    if answer.status != 200:
        await check_witnessed(context)
        raise WitnessRefusedError(f"The witness answers {answer.status}.")
    return _read_line(answer.body, note, witness.key)


async def _submit(context: Context, witness: Witness, note: str, checkpoint: Checkpoint, old_size: int) -> Fetched:
    async with context.database.reading() as session:
        spans = find_consistency_spans(old_size, checkpoint.size) if old_size else []
        proof = await hash_log_spans(session, spans)
    return await _fetch(context, "POST", f"{witness.url}/add-checkpoint", format_add_checkpoint(old_size, proof, note))


async def _fetch(context: Context, method: str, url: str, content: bytes | None = None) -> Fetched:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await context.fetcher.send(method, url, content=content, headers={"Accept": "text/plain"})
    except TimeoutError:
        raise FetchError("The witness did not answer in time.") from None


def _read_line(body: bytes, note: str, key: VerifierKey) -> str:
    extended = parse_note(note.encode() + body)
    verify_cosignature(extended, key)
    if extended.text != parse_note(note.encode()).text:
        raise WitnessRefusedError("The witness answers with more than signatures.")
    return format_signature(find_signatures(extended, [key])[0])


async def check_witnessed(context: Context) -> None:
    """Compare the database with what the witnesses have seen; those that do not answer are passed over.

    It finds what the file beside the database cannot: an older copy of both.

    Raises:
        LogRolledBackError, LogForkedError: A witness shows a checkpoint that this log signed and that is not in it.

    Source: C2SP tlog-witness, "Monitor Retrieval Mechanism".
    """
    for witness in context.witnesses:
        seen = await _find_witnessed(context, witness)
        if seen is None:
            continue
        async with context.database.reading() as session:
            newest = await read_newest_checkpoint(session, published=False)
            size = newest.tree_size if newest else 0
            if seen.size > size:
                raise LogRolledBackError(f"The database holds {size} log entries; a witness has seen {seen.size}.")
            if await compute_root(session, seen.size) != seen.root:
                raise LogForkedError("The log does not continue the checkpoint that a witness has seen.")


async def _find_witnessed(context: Context, witness: Witness) -> Checkpoint | None:
    """Return what a witness saw last of this log; only a signature of the log's own makes it count."""
    origin_sha256 = hashlib.sha256(log_origin(context.base_url).encode()).hexdigest()
    async with context.database.reading() as session:
        keys = await list_log_keys(session, context.base_url, context.clock())
    try:
        answer = await _fetch(context, "GET", f"{witness.url}/{origin_sha256}/checkpoint")
        return open_checkpoint(answer.body, keys) if answer.status == 200 else None
    except (UnavailableError, MalformedError, VerificationError) as error:
        _log.warning("witness_silent", witness=witness.key.name, error=error.code)
        return None
