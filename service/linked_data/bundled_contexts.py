"""The JSON-LD contexts that come with the service; no other is ever loaded."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TypeVar

from service.credentials.ldp_vc import CLAIMS_CONTEXT
from service.credentials.rdf import Contexts

_FOLDER = Path(__file__).with_name("contexts")
_FILES = {
    "https://www.w3.org/2018/credentials/v1": "credentials-v1",
    "https://www.w3.org/ns/credentials/v2": "credentials-v2",
    "https://w3id.org/security/data-integrity/v2": "data-integrity-v2",
    "https://w3id.org/security/multikey/v1": "multikey-v1",
    "https://www.w3.org/ns/did/v1": "did-v1",
    CLAIMS_CONTEXT: "goodstanding-v1",
}
# These give every undefined term a meaning, which is what nobody should rely on: for public test suites alone.
_EXAMPLE_FILES = {
    "https://www.w3.org/2018/credentials/examples/v1": "credentials-examples-v1",
    "https://www.w3.org/ns/credentials/examples/v2": "credentials-examples-v2",
}


_Result = TypeVar("_Result")
# One thread for all: contexts are for one at a time, and hostile documents then take turns with one another alone.
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="linked-data")


async def with_contexts(work: Callable[[Contexts], _Result]) -> _Result:
    """Let ``work`` verify or sign off the event loop, where it may take long and hold nobody up.

    Raises:
        Exception: Whatever ``work`` raises.
    """
    return await asyncio.get_running_loop().run_in_executor(_thread, lambda: work(load_contexts()))


async def with_example_contexts(work: Callable[[Contexts], _Result]) -> _Result:
    """Do the same with the specifications' examples, and with terms of a document's own."""
    return await asyncio.get_running_loop().run_in_executor(_thread, lambda: work(load_example_contexts()))


@cache
def load_contexts() -> Contexts:
    """Load the bundled contexts that documents may name; see ``Contexts`` about threads."""
    return Contexts(_read_documents(_FILES))


@cache
def load_example_contexts() -> Contexts:
    """Load the bundled contexts and the specifications' examples; see ``Contexts`` about threads."""
    return Contexts(_read_documents(_FILES | _EXAMPLE_FILES), inline=True)


@cache
def read_claims_context() -> bytes:
    """Return the document of ``CLAIMS_CONTEXT``, for those whose software has to fetch it."""
    return _read_documents(_FILES)[CLAIMS_CONTEXT]


def _read_documents(files: Mapping[str, str]) -> dict[str, bytes]:
    return {url: (_FOLDER / f"{name}.json").read_bytes() for url, name in files.items()}
