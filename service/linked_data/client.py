"""Our side of the worker: starts it late, guards what goes in, bounds how long it takes, replaces it when it fails."""

import asyncio
import importlib.util
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.credentials.did import MalformedDidError
from service.credentials.encoding import b64url_decode, parse_json, write_json
from service.credentials.linked_data_errors import DocumentTooComplexError
from service.errors import InvalidInputError, MalformedError, UnavailableError
from service.linked_data.bundled_contexts import inline_own_contexts

METHODS = ("key", "jwk", "pkh", "ethr")
"""Methods whose document follows from the identifier; the others need the network, which the worker doesn't have."""

MAX_INPUT_BYTES = 16 * 1024
MAX_INPUT_DEPTH = 10
MAX_PRESENTATION_BYTES = 48 * 1024
MAX_ANSWER_BYTES = 64 * 1024
START_TIMEOUT_S = 5.0
CALL_TIMEOUT_S = 0.5
TURN_TIMEOUT_S = 2.0
_PREFIX_BYTES = 4
_WORKER = Path(__file__).with_name("worker.py")


class LinkedDataUnavailableError(UnavailableError):
    """didkit isn't installed; it has no build for Python 3.13 and later."""

    code = "linked_data_unavailable"


class LinkedDataError(UnavailableError):
    """The worker ended, or answered what it should not."""

    code = "linked_data_failed"


class LinkedDataTimeoutError(LinkedDataError):
    """The worker took too long and was killed."""

    code = "linked_data_timeout"


class DidUnresolvableError(InvalidInputError):
    """The identifier is of no supported method, or didkit finds no document for it."""

    code = "did_unresolvable"


class LinkedDataRefusedError(InvalidInputError):
    """didkit does not find the proof of the document right."""

    code = "linked_data_refused"


class LinkedDataWorker:
    """One worker process, started by the first call; calls wait for each other, but not for long.

    A call that finds the worker dead or hanging fails, and the next one starts a new worker.

    Args:
        call_timeout: Seconds that one call may take.
        program: What runs in the process; tests have worse ones.
    """

    def __init__(self, *, call_timeout: float = CALL_TIMEOUT_S, program: Path = _WORKER) -> None:
        self._call_timeout = call_timeout
        self._program = program
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Process id of the running worker, None before the first call and after a failure."""
        return self._process.pid if self._process else None

    async def resolve_did(self, did: str) -> dict[str, Any]:
        """Return the DID document of a did:key, did:jwk, did:pkh or did:ethr, as didkit writes it.

        Raises:
            MalformedDidError, MalformedJoseError: Too large, too deep, or not strict JSON inside; never sent.
            DidUnresolvableError: See there.
            LinkedDataUnavailableError, LinkedDataTimeoutError, LinkedDataError: See there.
        """
        _check_did(did)
        answer = await self._call({"did": did})
        document = answer.get("document")
        if not isinstance(document, dict) or document.get("id") != did:
            raise DidUnresolvableError("No DID document can be made for this identifier.")
        return document

    async def verify_credential(self, document: Mapping[str, Any]) -> None:
        """Verify the proof of a credential, and that its issuer's DID lists the key to assert.

        didkit looks at nothing else: not at dates, not at status, not at terms without a meaning. Those are for its
        caller, before and after.

        Raises:
            DocumentTooComplexError: Larger or deeper than the worker gets to see.
            LinkedDataRefusedError: See there.
            LinkedDataUnavailableError, LinkedDataTimeoutError, LinkedDataError: See there.
        """
        await self._verify("credential", document, {"proofPurpose": "assertionMethod"}, MAX_INPUT_BYTES)

    async def verify_presentation(self, document: Mapping[str, Any], *, challenge: str, domain: str) -> None:
        """Verify the proof of a presentation, but of no credential in it; otherwise as ``verify_credential``."""
        options = {"proofPurpose": "authentication", "challenge": challenge, "domain": domain}
        await self._verify("presentation", document, options, MAX_PRESENTATION_BYTES)

    async def _verify(self, kind: str, document: Mapping[str, Any], options: dict[str, str], max_bytes: int) -> None:
        try:
            parse_json(write_json(document), max_bytes=max_bytes, max_depth=MAX_INPUT_DEPTH)
        except MalformedError as error:
            raise DocumentTooComplexError("The document is larger or deeper than didkit gets to see.") from error
        known = inline_own_contexts(document)
        texts = {"document": write_json(known).decode(), "options": write_json(options).decode()}
        answer = await self._call({"kind": kind, **texts})
        result = answer.get("result")
        # "checks" names the proof even where it is wrong: that there is no error is all that counts.
        if not isinstance(result, dict) or result.get("errors") != [] or result.get("checks") != ["proof"]:
            raise LinkedDataRefusedError("The proof isn't right by didkit, a second implementation.")

    async def close(self) -> None:
        """End the worker."""
        async with self._turn:
            await self._stop()

    async def _call(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise LinkedDataTimeoutError("The linked-data worker is busy.") from None
        try:
            return await self._exchange(request)
        except BaseException:
            # After a failure or a cancelled call, an answer may still be under way: it must not meet another call.
            await self._stop()
            raise
        finally:
            self._turn.release()

    async def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            process = await self._ensure_started()
            async with asyncio.timeout(self._call_timeout):
                await _send(process, request)
                return await _receive(process)
        except TimeoutError:
            raise LinkedDataTimeoutError("The linked-data worker took too long and was stopped.") from None
        except (EOFError, OSError):
            raise LinkedDataError("The linked-data worker ended.") from None
        except MalformedError:
            raise LinkedDataError("The linked-data worker answered what it should not.") from None

    async def _ensure_started(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._stop()
        if importlib.util.find_spec("didkit") is None:
            raise LinkedDataUnavailableError("This needs didkit, which is not installed here.")
        # Isolated and with an empty environment: settings hold secrets that the worker has no use for.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(self._program), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}
        )
        async with asyncio.timeout(START_TIMEOUT_S):
            await _receive(self._process)
        return self._process

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _check_did(did: str) -> None:
    if len(did) > MAX_INPUT_BYTES or not (did.isascii() and did.isprintable()):
        raise MalformedDidError("The identifier is too long or holds characters that no DID has.")
    scheme, _, rest = did.partition(":")
    method, _, name = rest.partition(":")
    if scheme != "did" or method not in METHODS or not name:
        raise DidUnresolvableError(f"Only these DID methods are resolved here: {', '.join(METHODS)}.")
    if method == "jwk":
        parse_json(b64url_decode(name), max_bytes=MAX_INPUT_BYTES, max_depth=MAX_INPUT_DEPTH)


async def _send(process: Process, request: dict[str, Any]) -> None:
    assert process.stdin is not None
    body = write_json(request)
    process.stdin.write(len(body).to_bytes(_PREFIX_BYTES, "big") + body)
    await process.stdin.drain()


async def _receive(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    size = int.from_bytes(await process.stdout.readexactly(_PREFIX_BYTES), "big")
    if size > MAX_ANSWER_BYTES:
        raise LinkedDataError("The linked-data worker answered too much.")
    answer = parse_json(await process.stdout.readexactly(size), max_bytes=MAX_ANSWER_BYTES)
    if not isinstance(answer, dict):
        raise LinkedDataError("The linked-data worker answered what it should not.")
    return answer
