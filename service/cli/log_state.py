"""What ``log verify`` remembers between runs: for each log its keys and the checkpoint that was seen last."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.credentials.signed_note import (
    Checkpoint,
    VerifierKey,
    format_vkey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from service.errors import MalformedError, ServiceError
from service.fetch import Fetcher
from service.keys.files import replace_private_file
from service.log.sources import fetch_verifier_key

STATE_FILE = "log-seen.json"
State = dict[str, dict[str, Any]]


class LogStateError(ServiceError):
    """The file with the checkpoint seen before cannot be read."""

    code = "log_state_unusable"


def read_state(path: Path) -> State:
    """Return what was seen before, by the log's address.

    Raises:
        LogStateError: See ``code``.
    """
    try:
        state = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, OSError):
        state = None
    if not isinstance(state, dict) or not all(isinstance(each, dict) for each in state.values()):
        raise LogStateError(f"The file {path.name} is damaged; without it, what was seen before is not compared.")
    return state


def read_saved_checkpoint(seen: Mapping[str, Any]) -> Checkpoint | None:
    """Return the checkpoint that was seen last of one log, None if none was.

    Raises:
        LogStateError: See ``code``.
    """
    note = seen.get("checkpoint")
    try:
        return parse_checkpoint(parse_note(str(note).encode()).text) if note else None
    except MalformedError:
        raise LogStateError("The checkpoint seen before is damaged.") from None


def save_state(path: Path, state: State, source: str, keys: list[VerifierKey], note: str) -> None:
    """Remember keys and checkpoint of one log."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    state[source] = {"vkeys": [format_vkey(key) for key in keys], "checkpoint": note}
    replace_private_file(path, json.dumps(state, indent=2).encode())


async def find_keys(fetcher: Fetcher, url: str, vkey: str | None, seen: Mapping[str, Any]) -> list[VerifierKey]:
    """Return the key that was given, else those seen before, else the one that the log itself names.

    Raises:
        MalformedNoteError: Not a verifier key.
        LogUnreachableError, FetchError: See ``fetch_verifier_key``.
    """
    known = [vkey] if vkey else seen.get("vkeys", [])
    return [parse_vkey(each) for each in known] or [await fetch_verifier_key(fetcher, url)]
