"""What issuers elsewhere publish, fetched as it stands; DIDs of further methods through a resolver, if there is one.

A resolver's word is all that stands behind the documents that it hands out. So whether there is one is the operator's
choice, and it is asked about trusted issuers only.
"""

import re
from typing import Any
from urllib.parse import quote

from service.credentials.did_web import did_web_url
from service.credentials.jose import parse_json
from service.errors import MalformedError
from service.fetch import MAX_BYTES, FetchError
from service.verifier.issuer_keys import DidDeactivatedError, IssuerKeyUnknownError, IssuerUnavailableError
from service.web.context import Context

_DID = re.compile(r"did:[a-z0-9]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._%-]")
_RESOLUTION_TYPES = 'application/did-resolution, application/ld+json;profile="https://w3id.org/did-resolution"'


async def fetch_body(
    context: Context, url: str, *, accept: str = "application/json", max_bytes: int = MAX_BYTES
) -> bytes:
    """Return the body of a 200.

    Raises:
        IssuerUnavailableError: See there.
    """
    try:
        answer = await context.fetcher.get(url, accept=accept, max_bytes=max_bytes)
    except FetchError as error:
        raise IssuerUnavailableError(f"The issuer's keys could not be fetched: {error.detail}") from error
    if answer.status != 200:
        raise IssuerUnavailableError("The issuer's keys could not be fetched: the answer is not 200.")
    return answer.body


async def fetch_object(context: Context, url: str, *, accept: str = "application/json") -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        IssuerUnavailableError: See there.
        IssuerKeyUnknownError: Something else came.
    """
    try:
        document = parse_json(await fetch_body(context, url, accept=accept))
    except MalformedError as error:
        raise IssuerKeyUnknownError("The issuer's metadata are not JSON.") from error
    if not isinstance(document, dict):
        raise IssuerKeyUnknownError("The issuer's metadata are not an object.")
    return document


async def fetch_did_document(context: Context, did: str) -> dict[str, Any]:
    """Return the document of a did:web, or of another method as the resolver knows it; its ``id`` is not checked.

    Raises:
        IssuerUnavailableError, DidDeactivatedError: See there.
        IssuerKeyUnknownError: No method that can be resolved, or no document.

    Source: did:web method specification, section 2.5.2; DID Resolution 0.3, section "HTTP(S) Binding".
    """
    if not did.startswith("did:web:"):
        return await _resolve_elsewhere(context, did)
    try:
        url = did_web_url(did)
    except MalformedError as error:
        raise IssuerKeyUnknownError("The issuer's did:web has no address.") from error
    return await fetch_object(context, url)


async def _resolve_elsewhere(context: Context, did: str) -> dict[str, Any]:
    if context.did_resolver is None or not _DID.fullmatch(did):
        raise IssuerKeyUnknownError("The issuer's identifier is of a kind that we cannot resolve.")
    result = await fetch_object(context, f"{context.did_resolver}/{quote(did, safe=':')}", accept=_RESOLUTION_TYPES)
    metadata, document = result.get("didDocumentMetadata"), result.get("didDocument")
    if isinstance(metadata, dict) and metadata.get("deactivated", False) is not False:
        raise DidDeactivatedError("The issuer's identifier was deactivated.")
    if not isinstance(document, dict):
        raise IssuerKeyUnknownError("The resolver found no document for the issuer's identifier.")
    return document
