"""A small witness: it cosigns what continues the checkpoints that it cosigned before, and nothing else.

It keeps one checkpoint for each log, in a file that is replaced before an answer is given, so that it forgets nothing
that it said. One process at a time may use the directory.

Source: C2SP tlog-witness.
"""

import fcntl
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from service.credentials.cosignature import COSIGNATURE_V1, cosign
from service.credentials.encoding import b64url_decode
from service.credentials.merkle import EMPTY_ROOT, ConsistencyProofError, verify_consistency
from service.credentials.signed_note import (
    Checkpoint,
    VerifierKey,
    find_signatures,
    format_signature,
    parse_checkpoint,
    parse_note,
    verify_note,
)
from service.credentials.tlog_witness import AddCheckpoint, MalformedWitnessRequestError, parse_add_checkpoint
from service.errors import ConflictError, NotFoundError, ServiceError
from service.keys import FileKeystore
from service.keys.files import read_or_create_passphrase, replace_private_file

STATE_FILE = "witness.json"
_LOCK_FILE = "lock"


class WitnessStateError(ServiceError):
    """The witness's directory is damaged, in use, or that of another witness."""

    code = "witness_state_unusable"


class WitnessSizeConflictError(ConflictError):
    """The caller starts from another checkpoint than the one that was cosigned last."""

    code = "witness_size_conflict"

    def __init__(self, size: int) -> None:
        super().__init__(f"The checkpoint cosigned last has the size {size}.")
        self.size = size


class Witness:
    """The witness behind its addresses.

    Args:
        home: Directory of its key and its memory; made if missing.
        name: Name of its key, a URL without scheme; fixed by the first start.
        log_keys: Keys of the logs that it cosigns; several of one name if the log's key was rotated.
        clock: Returns the present instant, aware.

    Raises:
        WitnessStateError: See ``code``.
        KeystoreError, PassphraseFileError: See there.
    """

    def __init__(
        self, home: Path, *, name: str, log_keys: Iterable[VerifierKey], clock: Callable[[], datetime]
    ) -> None:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = home / STATE_FILE
        self._lock = _lock(home / _LOCK_FILE)
        self._log_keys: dict[str, list[VerifierKey]] = defaultdict(list)
        for key in log_keys:
            self._log_keys[key.name].append(key)
        self._clock = clock
        try:
            self._open(home, name)
        except BaseException:
            self.close()
            raise

    def _open(self, home: Path, name: str) -> None:
        keystore = FileKeystore(home / "keys", read_or_create_passphrase(home / "passphrase"))
        state = self._read() or self._begin(keystore, name)
        if state["name"] != name:
            raise WitnessStateError(f"This directory is that of the witness {state['name']}.")
        self.key = VerifierKey(name, b64url_decode(state["public_key"]), COSIGNATURE_V1)
        self._sign = keystore.signing_function(state["kid"])
        self._notes: dict[str, str] = state["notes"]

    def close(self) -> None:
        """Let another process use the directory."""
        self._lock.close()

    def _read(self) -> dict[str, Any] | None:
        try:
            state = json.loads(self._file.read_bytes())
            assert all(isinstance(state[part], str) for part in ("name", "kid", "public_key"))
            for note in state["notes"].values():
                parse_checkpoint(parse_note(note.encode()).text)
        except FileNotFoundError:
            return None
        except (ServiceError, AssertionError, ValueError, KeyError, TypeError, AttributeError):
            raise WitnessStateError(f"The file {self._file.name} is damaged; restore it, do not delete it.") from None
        return dict(state)

    def _begin(self, keystore: FileKeystore, name: str) -> dict[str, Any]:
        made = keystore.create_key("EdDSA")
        state = {"name": name, "kid": made.kid, "public_key": made.jwk["x"], "notes": {}}
        self._write(state)
        return state

    def _write(self, state: dict[str, Any]) -> None:
        replace_private_file(self._file, json.dumps(state, indent=2).encode())

    def _remember(self, origin: str, note: str) -> None:
        notes = self._notes | {origin: note}
        state = self._read()
        assert state is not None  # written at the first start
        self._write(state | {"notes": notes})
        self._notes = notes

    def find_note(self, origin_sha256: str) -> str:
        """Return the newest cosigned checkpoint of the log whose origin has this hash, in lower-case hex.

        Raises:
            NotFoundError: None was cosigned.

        Source: C2SP tlog-witness, "Monitor Retrieval Mechanism".
        """
        for origin, note in self._notes.items():
            if hashlib.sha256(origin.encode()).hexdigest() == origin_sha256:
                return note
        raise NotFoundError

    def add_checkpoint(self, body: bytes) -> str:
        """Check that a checkpoint continues the last one, remember it, and return the cosignature's line.

        Raises:
            MalformedWitnessRequestError, MalformedNoteError: The request cannot be read.
            NotFoundError: The log is unknown here.
            NoteSignatureError: The log did not sign the checkpoint.
            WitnessSizeConflictError: See ``code``.
            ConsistencyProofError: The checkpoint does not continue the last one.

        Source: C2SP tlog-witness, "add-checkpoint".
        """
        request = parse_add_checkpoint(body)
        note = parse_note(request.note)
        checkpoint = parse_checkpoint(note.text)
        keys = self._log_keys.get(checkpoint.origin)
        if keys is None:
            raise NotFoundError
        verify_note(note, keys)
        self._check_continues(request, checkpoint)
        line = format_signature(cosign(note.text, self.key, self._sign, now=self._clock()))
        signed_by_log = "".join(map(format_signature, find_signatures(note, keys)))
        self._remember(checkpoint.origin, f"{note.text}\n{signed_by_log}{line}")
        return line

    def _check_continues(self, request: AddCheckpoint, new: Checkpoint) -> None:
        if request.old_size > new.size:
            raise MalformedWitnessRequestError("The old size is above the new one.")
        known = self._notes.get(new.origin)
        old = (
            Checkpoint(new.origin, 0, EMPTY_ROOT)
            if known is None
            else parse_checkpoint(parse_note(known.encode()).text)
        )
        if request.old_size != old.size:
            raise WitnessSizeConflictError(old.size)
        if new.size == 0 and new.root != EMPTY_ROOT:
            raise ConsistencyProofError("An empty log has another root.")
        verify_consistency(
            old_size=old.size, old_root=old.root, new_size=new.size, new_root=new.root, proof=request.proof
        )


def _lock(path: Path) -> Any:
    """Hold the directory until the file is closed or the process ends, however it ends."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise WitnessStateError("Another process is this witness already.") from None
    return file
