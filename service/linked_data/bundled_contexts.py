"""The JSON-LD contexts that come with the service; no other is ever loaded."""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from service.credentials.ldp_vc import CLAIMS_CONTEXT, CLAIMS_CONTEXT_1
from service.credentials.rdf import Contexts

_FOLDER = Path(__file__).with_name("contexts")
_FILES = {
    "https://www.w3.org/2018/credentials/v1": "credentials-v1",
    "https://www.w3.org/ns/credentials/v2": "credentials-v2",
    "https://w3id.org/security/data-integrity/v2": "data-integrity-v2",
    "https://w3id.org/security/multikey/v1": "multikey-v1",
    "https://www.w3.org/ns/did/v1": "did-v1",
    "https://w3id.org/security/suites/jws-2020/v1": "jws-2020-v1",
    "https://w3id.org/security/suites/ed25519-2020/v1": "ed25519-2020-v1",
    "https://w3id.org/security/suites/secp256k1recovery-2020/v2": "secp256k1recovery-2020-v2",
    "https://w3id.org/vc/status-list/2021/v1": "status-list-2021-v1",
    CLAIMS_CONTEXT: "goodstanding-v1",
    CLAIMS_CONTEXT_1: "goodstanding-vcdm11-v1",
}
_DIDKIT_FILES = (
    "credentials-v1",
    "did-v1",
    "jws-2020-v1",
    "ed25519-2020-v1",
    "secp256k1recovery-2020-v2",
    "status-list-2021-v1",
)
# These give every undefined term a meaning, which is what nobody should rely on: for public test suites alone.
_EXAMPLE_FILES = {
    "https://www.w3.org/2018/credentials/examples/v1": "credentials-examples-v1",
    "https://www.w3.org/ns/credentials/examples/v2": "credentials-examples-v2",
}
_DIDKIT_HAS = frozenset(url for url, name in _FILES.items() if name in _DIDKIT_FILES)

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
def read_claims_context(url: str) -> bytes:
    """Return the document of ``CLAIMS_CONTEXT`` or ``CLAIMS_CONTEXT_1``, for those whose software has to fetch it."""
    return (_FOLDER / f"{_FILES[url]}.json").read_bytes()


def inline_own_contexts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document, and the credentials in it, with what its contexts define in place of their names.

    Only of contexts that didkit does not have, and of ours only the terms that the document uses: the RDF stays the
    same, and so does what is signed.

    Args:
        document: Whose contexts and terms were checked: what is put in must not meet what another put in.
    """
    return {name: _inline(name, member, document) for name, member in document.items()}


def _inline(name: str, member: Any, document: Mapping[str, Any]) -> Any:
    if name == "verifiableCredential":
        inner = [inline_own_contexts(each) for each in (member if isinstance(member, list) else [member])]
        return inner if isinstance(member, list) else inner[0]
    if name == "evidence":
        return [_list_types(each) for each in (member if isinstance(member, list) else [member])]
    if name != "@context":
        return member
    used = _list_terms(document)
    return [_define(entry, used) for entry in (member if isinstance(member, list) else [member])]


def _list_types(evidence: Any) -> Any:
    """Write a single type as a list, the only way in which didkit reads that of evidence."""
    if isinstance(evidence, Mapping) and isinstance(evidence.get("type"), str):
        return {**evidence, "type": [evidence["type"]]}
    return evidence


def _define(url: str, used: Collection[str]) -> Any:
    if url in _DIDKIT_HAS:
        return url
    terms = _load_terms(url)
    if url not in (CLAIMS_CONTEXT, CLAIMS_CONTEXT_1):
        return terms
    return {term: meaning for term, meaning in terms.items() if term in used or term.startswith("@")}


@cache
def _load_terms(url: str) -> dict[str, Any]:
    terms: dict[str, Any] = json.loads(_read_documents(_FILES)[url])["@context"]
    return terms


def _list_terms(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set(value).union(*map(_list_terms, value.values()))
    if isinstance(value, list):
        return set().union(*map(_list_terms, value))
    return {value} if isinstance(value, str) else set()


def _read_documents(files: Mapping[str, str]) -> dict[str, bytes]:
    return {url: (_FOLDER / f"{name}.json").read_bytes() for url, name in files.items()}
