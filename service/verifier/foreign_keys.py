"""Keys of issuers outside the deployment: fetched, kept for a while, and remembered by when they were first seen.

A key that an issuer publishes no more verifies nothing, whatever the date that a credential names: whoever stole it
could name any. A key that was published only lately does not verify what claims to be older than it.
"""

import json
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from service.credentials.did import MAX_KEYS, UnknownKeyError, list_document_keys, select_verification_key
from service.credentials.jose import VerificationKey, jwk_thumbprint, load_key
from service.credentials.jwk import check_key_period
from service.errors import MalformedError
from service.storage.cache import keep_document, record_sightings
from service.storage.tables import CachedDocument, IssuerKeySighting
from service.verifier.did_history import check_active, fetch_did_history, read_key_date
from service.verifier.foreign_documents import fetch_did_document, fetch_object
from service.verifier.issuer_keys import IssuerKey, IssuerKeyUnknownError
from service.web.context import Context

KEYS_MAX_AGE = timedelta(minutes=5)
# An unknown kid may mean that the issuer has rotated; asking again at once is allowed this often.
KEYS_RETRY_AFTER = timedelta(seconds=30)


async def find_foreign_key(context: Context, org_id: str, issuer: str, kid: str | None, now: datetime) -> IssuerKey:
    """Return the key that an issuer publishes now, or published at most ``KEYS_MAX_AGE`` ago.

    Args:
        context: Database and fetcher.
        org_id: The platform that trusts the issuer, owner of the copy.
        issuer: An https identifier, or a DID that doesn't hold its key itself.
        kid: Name of the key, compared exactly.
        now: Decides whether the copy is fresh, and the key within its period.

    Raises:
        IssuerKeyUnknownError, IssuerUnavailableError: See there.
        DidLogInvalidError, DidLogRewrittenError, DidDeactivatedError: Of a did:webvh; see there.
    """
    key, document = await _find_published_key(context, org_id, issuer, kid, now)
    thumbprint = jwk_thumbprint(key.jwk)
    async with context.database.reading() as session:
        sighting = await session.get(IssuerKeySighting, (org_id, issuer, thumbprint))
    absent_at = None if sighting is None else sighting.absent_at
    if not _has_history(issuer):
        return IssuerKey(key, known_from=absent_at)
    dated_at = read_key_date(document, thumbprint)
    return IssuerKey(key, known_from=dated_at if absent_at is None else max(absent_at, dated_at))


def _has_history(issuer: str) -> bool:
    return issuer.startswith("did:webvh:")


async def _find_published_key(
    context: Context, org_id: str, issuer: str, kid: str | None, now: datetime
) -> tuple[VerificationKey, dict[str, Any]]:
    url = f"keys:{issuer}"
    async with context.database.reading() as session:
        held = await session.get(CachedDocument, (org_id, url))
    kept: dict[str, Any] | None = None if held is None else json.loads(held.body)
    if held is not None and kept is not None and (age := now - held.fetched_at) < KEYS_MAX_AGE:
        try:
            return _select_key(kept, issuer, kid, now), kept
        except IssuerKeyUnknownError:
            if age < KEYS_RETRY_AFTER:
                raise
    document, issued_at = await _fetch_keys(context, issuer, kept, now)
    thumbprints = _list_thumbprints(document, issuer)
    async with context.database.transaction() as session:
        body = json.dumps(document)
        await keep_document(session, org_id=org_id, url=url, body=body, issued_at=issued_at, fetched_at=now)
        await record_sightings(
            session,
            org_id=org_id,
            issuer=issuer,
            thumbprints=thumbprints,
            absent_at=None if held is None else held.fetched_at,
            seen_at=now,
        )
    return _select_key(document, issuer, kid, now), document


def _list_thumbprints(document: dict[str, Any], issuer: str) -> set[str]:
    if issuer.startswith("did:"):
        try:
            return {jwk_thumbprint(key.jwk) for key in list_document_keys(document)}
        except MalformedError as error:
            raise IssuerKeyUnknownError(f"The issuer's keys cannot be read: {error.detail}") from error
    found = set()
    for jwk in document["keys"]:
        with suppress(MalformedError):
            found.add(jwk_thumbprint(load_key(jwk).jwk) if isinstance(jwk, dict) else "")
    return found - {""}


async def _fetch_keys(
    context: Context, issuer: str, kept: dict[str, Any] | None, now: datetime
) -> tuple[dict[str, Any], datetime | None]:
    """Return the DID document or the JWK set of a trusted issuer, and since when it holds, if it says so."""
    if not issuer.startswith("did:"):
        return await _fetch_key_set(context, issuer), None
    document: dict[str, Any]
    document, issued_at = (
        await fetch_did_history(context, issuer, kept, now)
        if _has_history(issuer)
        else (await fetch_did_document(context, issuer), None)
    )
    if document.get("id") != issuer:
        raise IssuerKeyUnknownError("The DID document is about another identifier.")
    return document, issued_at


async def _fetch_key_set(context: Context, issuer: str) -> dict[str, Any]:
    metadata = await fetch_object(context, build_metadata_url(issuer))
    if metadata.get("issuer") != issuer:
        raise IssuerKeyUnknownError("The issuer metadata are about another issuer.")
    if ("jwks" in metadata) == ("jwks_uri" in metadata):
        raise IssuerKeyUnknownError("The issuer metadata must have one of jwks and jwks_uri.")
    jwks = metadata["jwks"] if "jwks" in metadata else await fetch_object(context, str(metadata["jwks_uri"]))
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or len(keys) > MAX_KEYS:
        raise IssuerKeyUnknownError("The issuer's key set cannot be read.")
    return {"keys": keys}


def build_metadata_url(issuer: str) -> str:
    """Return where an https issuer publishes its keys: the well-known segment goes between host and path."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/jwt-vc-issuer{parts.path.rstrip('/')}"


def _select_key(document: dict[str, Any], issuer: str, kid: str | None, now: datetime) -> VerificationKey:
    if _has_history(issuer):
        check_active(document)
    if issuer.startswith("did:"):
        return select_from_did(document, issuer, kid, now)
    found = [key for key in document["keys"] if isinstance(key, dict) and key.get("kid") == kid]
    if kid is None or len(found) != 1:
        raise IssuerKeyUnknownError("The issuer publishes no such key, or several.")
    try:
        check_key_period(found[0], now=now)
        return load_key(found[0])
    except MalformedError as error:
        raise IssuerKeyUnknownError(f"The issuer's key cannot be used: {error.detail}") from error


def select_from_did(document: dict[str, Any], issuer: str, kid: str | None, now: datetime) -> VerificationKey:
    """Return the key of a DID document that may sign credentials now.

    Raises:
        IssuerKeyUnknownError: See there.
    """
    # did:key and did:jwk have one key, so a credential that names none can only mean that one.
    single = issuer.startswith(("did:key:", "did:jwk:"))
    name = document["verificationMethod"][0]["id"] if kid is None and single else kid
    try:
        return select_verification_key(document, name or "", relationship="assertionMethod", now=now)
    except (MalformedError, UnknownKeyError) as error:
        raise IssuerKeyUnknownError(f"The issuer publishes no such key: {error.detail}") from error
