"""The process that holds didkit: length-prefixed JSON in on standard input, out on standard output.

didkit is native code that can crash or hang on hostile input and fetches what a document names. So this process gets
little memory, opens no file or socket after its start, ends by alarm when a call hangs, and always leaves by
``os._exit``: an ordinary exit soon after a call crashes the interpreter. It runs as a script; nothing of ours is
imported.
"""

import asyncio
import contextlib
import json
import os
import resource
import signal
import struct
from typing import Any, BinaryIO

MEMORY_BYTES = 512 * 2**20  # about 240 MiB of address space are taken after the first call
ALARM_S = 2.0  # the caller gives up and kills earlier; this ends a worker whose caller is gone
LENGTH = struct.Struct(">I")
_WARM_UP = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"


def limit_memory() -> None:
    """Bound the address space; no core dump, which would hold what was being worked on."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forbid_descriptors() -> None:
    """Let this process open nothing more: no socket, so nothing leaves, and no file. Needs no privilege."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


async def resolve(did: str) -> dict[str, Any]:
    """Return ``{"document": ...}``, or ``{"error": ...}`` with didkit's words."""
    import didkit

    try:
        return {"document": json.loads(await didkit.resolve_did(did, "{}"))}
    except Exception as error:  # DIDKitException, and JSON that isn't
        return {"error": str(error)}


async def verify(kind: str, document: str, options: str) -> dict[str, Any]:
    """Return ``{"result": ...}`` as didkit gives it, or ``{"error": ...}`` with its words.

    Args:
        kind: ``credential`` or ``presentation``.
        document: JSON.
        options: JSON.
    """
    import didkit

    work = didkit.verify_credential if kind == "credential" else didkit.verify_presentation
    try:
        return {"result": json.loads(await work(document, options))}
    except Exception as error:  # as above
        return {"error": str(error)}


async def _answer(request: dict[str, str]) -> dict[str, Any]:
    if "did" in request:
        return await resolve(request["did"])
    return await verify(request["kind"], request["document"], request["options"])


def _read_frame(source: BinaryIO) -> bytes:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return b""
    return source.read(LENGTH.unpack(head)[0])


def _write_frame(sink: BinaryIO, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    sink.write(LENGTH.pack(len(body)) + body)
    sink.flush()


async def _answer_all(source: BinaryIO, sink: BinaryIO) -> None:
    await resolve(_WARM_UP)  # didkit's runtime opens what it needs once
    forbid_descriptors()
    _write_frame(sink, {"ready": True})
    while frame := _read_frame(source):
        signal.setitimer(signal.ITIMER_REAL, ALARM_S)
        answer = await _answer(json.loads(frame))
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write_frame(sink, answer)


def main() -> None:
    """Answer until standard input ends."""
    limit_memory()
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever native code prints must not be read as an answer
    with contextlib.suppress(Exception):
        asyncio.run(_answer_all(source, sink))
    os._exit(0)


if __name__ == "__main__":
    main()
