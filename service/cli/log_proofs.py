"""``log consistency`` and ``log receipt``: check one proof, without reading the whole log."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.log_state import STATE_FILE, find_keys, read_state
from service.cli.output import JsonOption, print_json
from service.credentials.encoding import parse_json
from service.credentials.receipt import MalformedReceiptError, verify_receipt
from service.credentials.signed_note import VerifierKey, open_checkpoint
from service.errors import ServiceError, VerificationError
from service.fetch import Fetcher
from service.log.consistency import check_consistency
from service.log.identity import log_url
from service.log.sources import LogUnreachableError, RemoteLog
from service.settings import load_settings

Check = Callable[[RemoteLog, list[VerifierKey]], Awaitable[dict[str, Any]]]
UrlOption = Annotated[str | None, typer.Option(help="Address of the log; default: that of this deployment.")]
VkeyOption = Annotated[str | None, typer.Option(help="Verifier key; default: as seen before, else as it says.")]


class ProofFileError(ServiceError):
    """A file that was named cannot be read."""

    code = "proof_file_unusable"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProofFileError(f"{path.name}: {error.strerror}.") from None


def _ask_log(url: str | None, vkey: str | None, check: Check) -> dict[str, Any]:
    """Run one check on a log behind its address, with the keys that it is believed to have."""
    settings = load_settings()
    address = (url or log_url(settings.base_url)).rstrip("/")
    seen = read_state(settings.data_dir / STATE_FILE).get(address, {})

    async def run() -> dict[str, Any]:
        fetcher = Fetcher(settings.fetch_allow, allow_loopback=True)
        try:
            return await check(RemoteLog(fetcher, address), await find_keys(fetcher, address, vkey, seen))
        finally:
            await fetcher.close()

    return asyncio.run(run())


def _judge(check: Check, sentence: str, *, url: str | None, vkey: str | None, as_json: bool) -> None:
    """Run a check, say how it came out (``sentence`` is filled from what it found), and end with the exit code."""
    try:
        found = {"valid": True} | _ask_log(url, vkey, check)
    except VerificationError as error:
        found = {"valid": False, "code": error.code, "problem": error.detail}
    if as_json:
        print_json(found)
    else:
        typer.echo(sentence.format_map(found) if found["valid"] else found["problem"])
    raise typer.Exit(0 if found["valid"] else 1)


def consistency(
    old: Annotated[Path, typer.Argument(help="File with the earlier checkpoint.")],
    new: Annotated[Path | None, typer.Argument(help="File with the later one; default: what the log says now.")] = None,
    url: UrlOption = None,
    vkey: VkeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that a later checkpoint continues an earlier one; reads only the tiles of the proof.

    Exit 0 if it does, 1 if not, 2 if it cannot be checked.
    """
    earlier, later = _read(old), None if new is None else _read(new)

    async def check(log: RemoteLog, keys: list[VerifierKey]) -> dict[str, Any]:
        note = later or await log.read_checkpoint()
        if note is None:
            raise LogUnreachableError("The log has no checkpoint.")
        first, second = open_checkpoint(earlier, keys), open_checkpoint(note, keys)
        proof = await check_consistency(log, first, second)
        encoded = [base64.b64encode(each).decode() for each in proof]
        return {"old_size": first.size, "new_size": second.size, "consistency_proof": encoded}

    sentence = "The log of {new_size} entries begins with that of {old_size}."
    _judge(check, sentence, url=url, vkey=vkey, as_json=as_json)


def receipt(
    file: Annotated[Path, typer.Argument(help="File with what GET /v1/transfers/{id}/receipt answered.")],
    url: UrlOption = None,
    vkey: VkeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that the record of a receipt is in the log; with --vkey nobody is asked.

    Exit 0 if it is, 1 if not, 2 if it cannot be checked.
    """
    document = parse_json(_read(file))
    if not isinstance(document, dict):
        raise MalformedReceiptError("The receipt is no JSON object.")

    async def check(_log: RemoteLog, keys: list[VerifierKey]) -> dict[str, Any]:
        checkpoint = verify_receipt(document, expected_keys=keys)
        record = document["record"]
        return {
            "index": document["index"],
            "size": checkpoint.size,
            "kind": record.get("kind"),
            "subject_id": record.get("subject_id"),
        }

    _judge(check, "The record is entry {index} of a log of {size}.", url=url, vkey=vkey, as_json=as_json)
