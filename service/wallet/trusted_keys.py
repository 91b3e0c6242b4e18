"""Public keys of issuers and verifiers, from where their identifiers say."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.credentials.did import did_web_url, resolve_did_jwk, resolve_did_key, select_verification_key
from service.credentials.did_webvh import (
    MAX_LOG_BYTES,
    MAX_WITNESS_BYTES,
    did_webvh_url,
    verify_did_log,
    verify_witnesses,
)
from service.credentials.jose import MalformedJoseError, VerificationKey, load_key
from service.fetch import Fetcher
from service.wallet.errors import RejectedError, UnsupportedError, rejecting
from service.wallet.http import get_json, insert_well_known, refused


async def find_issuer_key(issuer: str, kid: str | None, *, fetcher: Fetcher, now: datetime) -> VerificationKey:
    """Find the key that a credential or status list of ``issuer`` must be signed with.

    Args:
        issuer: ``iss``: an https identifier with JWT VC issuer metadata, or a DID.
        kid: The token's ``kid``.
        fetcher: Fetches metadata and DID documents.
        now: Time of the check, aware.

    Raises:
        RejectedError: No such key, or the metadata are somebody else's.
        UnsupportedError: Another kind of issuer.
        FetchError: The metadata can't be had.

    Source: SD-JWT VC, sections "JWT VC Issuer Metadata" and "Issuer Signature Mechanisms".
    """
    if issuer.startswith("did:"):
        return await find_did_key(issuer, kid, relationship="assertionMethod", fetcher=fetcher, now=now)
    url = insert_well_known(issuer, "jwt-vc-issuer")
    metadata = await get_json(fetcher, url, subject="The issuer's key document")
    if metadata.get("issuer") != issuer:
        raise RejectedError("The issuer's key document belongs to another issuer.")
    return pick_key(await _read_jwks(metadata, fetcher), kid)


async def find_did_key(
    did: str, kid: str | None, *, relationship: str, fetcher: Fetcher, now: datetime
) -> VerificationKey:
    """Find the key of a DID that ``kid`` names for the use ``relationship``; errors as ``find_issuer_key``.

    Source: DID Core 1.0, sections 5.2 and 5.3.
    """
    if kid is None:
        raise RejectedError("The token doesn't say which key of its DID signed it.")
    document = await resolve_did(did, fetcher=fetcher, now=now)
    # A bare fragment without "#" is how some issuers name the key of their own DID.
    name = kid if kid.startswith("did:") else f"#{kid.removeprefix('#')}"
    with rejecting("The signature key"):
        return select_verification_key(document, name, relationship=relationship)


async def resolve_did(did: str, *, fetcher: Fetcher, now: datetime) -> Mapping[str, Any]:
    """Return the document of a did:web, did:webvh, did:key or did:jwk; errors as ``find_issuer_key``."""
    with rejecting("The identifier"):
        if did.startswith("did:key:"):
            return resolve_did_key(did)
        if did.startswith("did:jwk:"):
            return resolve_did_jwk(did)
        if did.startswith("did:webvh:"):
            return await _resolve_history(did, did_webvh_url(did), fetcher, now)
        if not did.startswith("did:web:"):
            raise UnsupportedError("This wallet resolves did:web, did:webvh, did:key and did:jwk only.")
        url = did_web_url(did)
    document = await get_json(fetcher, url, subject="The DID document")
    if document.get("id") != did:
        raise RejectedError("The DID document belongs to another identifier.")
    return document


async def _resolve_history(did: str, url: str, fetcher: Fetcher, now: datetime) -> Mapping[str, Any]:
    """Return the last document of a did:webvh, once all of its log is verified.

    No log is kept: one that was cut off since it was last looked at is taken for the whole.

    Source: did:webvh 1.0, section "Read (Resolve)".
    """
    log = verify_did_log(did, await _get_body(fetcher, url, MAX_LOG_BYTES), now=now)
    if log.needs_witnesses:
        place = url.removesuffix("did.jsonl") + "did-witness.json"
        verify_witnesses(log, await _get_body(fetcher, place, MAX_WITNESS_BYTES), now=now)
    if log.deactivated:
        raise RejectedError("The identifier was deactivated.")
    return log.versions[-1].document


async def _get_body(fetcher: Fetcher, url: str, max_bytes: int) -> bytes:
    fetched = await fetcher.get(url, accept="text/jsonl, application/json", max_bytes=max_bytes)
    if fetched.status != 200:
        raise refused(fetched, "The identifier's history")
    return fetched.body


async def _read_jwks(metadata: Mapping[str, Any], fetcher: Fetcher) -> list[Any]:
    if ("jwks" in metadata) == ("jwks_uri" in metadata):
        raise RejectedError("The issuer's key document must hold either jwks or jwks_uri.")
    jwks = metadata.get("jwks")
    if "jwks_uri" in metadata:
        jwks = await get_json(fetcher, str(metadata["jwks_uri"]), subject="The issuer's key set")
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list):
        raise RejectedError("The issuer's key set holds no keys.")
    return keys


def pick_key(keys: list[Any], kid: str | None) -> VerificationKey:
    """Return the one key of a set that ``kid`` names, or the only one; raises RejectedError."""
    named = [key for key in keys if isinstance(key, dict) and (kid is None or key.get("kid") == kid)]
    if len(named) != 1:
        raise RejectedError("The issuer's key set doesn't name exactly one such key.")
    try:
        return load_key(named[0])
    except MalformedJoseError as error:
        raise RejectedError(f"The issuer's key can't be used: {error.detail}") from error
