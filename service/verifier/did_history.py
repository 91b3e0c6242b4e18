"""Documents of did:webvh issuers: the log is fetched, verified from its first entry on, and never believed backwards.

Whoever serves a log can leave out its end, and so bring back a key that was withdrawn or an identifier that ended. So
the version that was seen last is kept, and every later log must contain it.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.did import list_document_keys
from service.credentials.did_webvh import (
    MAX_LOG_BYTES,
    MAX_WITNESS_BYTES,
    DidLog,
    DidVersion,
    did_webvh_url,
    verify_did_log,
    verify_witnesses,
)
from service.credentials.did_webvh_parameters import DidLogInvalidError
from service.credentials.jose import VerificationKey, jwk_thumbprint
from service.errors import MalformedError, VerificationError
from service.verifier.foreign_documents import fetch_body
from service.verifier.issuer_keys import DidDeactivatedError, IssuerKeyUnknownError
from service.web.context import Context


class DidLogRewrittenError(VerificationError):
    """The log does not contain the version that it had when it was last looked at."""

    code = "did_log_rewritten"
    check = "issuer"


async def fetch_did_history(
    context: Context, did: str, held: Mapping[str, Any] | None, now: datetime
) -> tuple[dict[str, Any], datetime]:
    """Return the last document of a did:webvh, and since when it holds.

    Args:
        context: Has the fetcher.
        did: The identifier of a trusted issuer.
        held: What this returned when it was last called for the same identifier, if that was kept.
        now: Time of the check, aware.

    Returns:
        The DID document with two members of ours, which go before any that it has itself: ``versionId``, and
        ``keysSince``, the time of the version since which each key has been in it without a break, by its thumbprint.
        A deactivated one has only ``id``, ``versionId`` and ``deactivated``.

    Raises:
        DidLogInvalidError, DidLogRewrittenError, IssuerKeyUnknownError, IssuerUnavailableError: See there.
    """
    try:
        url = did_webvh_url(did)
    except MalformedError as error:
        raise IssuerKeyUnknownError("The issuer's identifier is no did:webvh with an address.") from error
    # Up to hundreds of signatures: other requests must not wait for them.
    log = await asyncio.to_thread(verify_did_log, did, await _fetch(context, url, MAX_LOG_BYTES), now=now)
    if log.needs_witnesses:
        place = url.removesuffix("did.jsonl") + "did-witness.json"
        await asyncio.to_thread(verify_witnesses, log, await _fetch(context, place, MAX_WITNESS_BYTES), now=now)
    if held is not None and held["versionId"] not in {version.version_id for version in log.versions}:
        raise DidLogRewrittenError("The issuer's log lacks the version that it had before.")
    last = log.versions[-1]
    if log.deactivated:
        return {"id": did, "versionId": last.version_id, "deactivated": True}, last.version_at
    since = await asyncio.to_thread(_date_keys, log)
    return {**last.document, "versionId": last.version_id, "keysSince": since}, last.version_at


def check_active(document: Mapping[str, Any]) -> None:
    """Refuse a document of ``fetch_did_history`` that its issuer ended.

    Raises:
        DidDeactivatedError: See there.
    """
    if "keysSince" not in document:
        raise DidDeactivatedError("The issuer's identifier was deactivated.")


def read_key_date(document: Mapping[str, Any], thumbprint: str) -> datetime:
    """Return since when a key of a document of ``fetch_did_history`` has been in it."""
    return datetime.fromisoformat(document["keysSince"][thumbprint])


def _date_keys(log: DidLog) -> dict[str, str]:
    since: dict[str, str] = {}
    for version in log.versions:
        thumbprints = {jwk_thumbprint(key.jwk) for key in _list_keys(version)}
        since = {each: since.get(each, version.version_at.isoformat()) for each in thumbprints}
    return since


def _list_keys(version: DidVersion) -> list[VerificationKey]:
    try:
        return list_document_keys(version.document)
    except MalformedError as error:
        raise DidLogInvalidError(f"A document of the log cannot be read: {error.detail}") from error


async def _fetch(context: Context, url: str, max_bytes: int) -> bytes:
    return await fetch_body(context, url, accept="text/jsonl, application/json", max_bytes=max_bytes)
