"""What anybody may read about an issuer: metadata, keys, type metadata, status lists."""

import gzip
import re
from datetime import datetime
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from service.credentials.bitstring_status_list import PUBLISHED_PURPOSES
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.encoding import write_json
from service.credentials.ldp_vc import CLAIMS_CONTEXT, CLAIMS_CONTEXT_1
from service.credentials.status_list_credential import LINKED_MEDIA_TYPE
from service.credentials.status_list_credential import MEDIA_TYPE as BITSTRING_MEDIA_TYPE
from service.errors import NotFoundError
from service.issuer.bitstrings import read_bitstring_credential, read_linked_bitstring_credential
from service.issuer.encryption import list_encryption_keys
from service.issuer.identity import find_issuer
from service.issuer.key_attestations import read_policy
from service.issuer.metadata import (
    build_authorization_server_metadata,
    build_issuer_metadata,
    build_jwks,
    build_jwt_vc_issuer_metadata,
)
from service.issuer.status import list_status_list_uris, read_status_list_token, seconds_to_next_tick
from service.issuer.wallet_registration import page_wallet_providers
from service.linked_data.bundled_contexts import read_claims_context
from service.schema_files import load_type_metadata
from service.web.dependencies import ContextDep
from service.web.openapi import answers_media
from service.web.signing import ISSUER, get_active_key, list_published_keys, sign_token

STATUS_LIST_MEDIA_TYPE = "application/statuslist+jwt"
SIGNED_METADATA_TYP = "openidvci-issuer-metadata+jwt"
_PUBLIC = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=60"}
_LASTING = _PUBLIC | {"Cache-Control": "public, max-age=86400"}
LINKED_DATA_MEDIA_TYPE = "application/ld+json"
_LINKED_MEDIA_TYPES = (LINKED_MEDIA_TYPE, LINKED_DATA_MEDIA_TYPE, "application/json")
router = APIRouter(tags=["issuer publications"])
_QUALITY = re.compile(r"[01](\.[0-9]{0,3})?")  # RFC 9110, section 12.4.2


def _read_weights(header: str) -> dict[str, float]:
    """Read ``Accept`` or ``Accept-Encoding`` into names and their weights. Source: RFC 9110, section 12.4.2."""
    weights = {}
    for part in header.split(","):
        name, _, parameters = part.strip().partition(";")
        quality = parameters.replace(" ", "").partition("q=")[2]
        weights[name.strip().lower()] = float(quality) if _QUALITY.fullmatch(quality) else 1.0
    return weights


def _weight_of(request: Request, media_type: str) -> float:
    accepted = _read_weights(request.headers.get("accept", "*/*"))
    names = (media_type, media_type.partition("/")[0] + "/*", "*/*")
    return next((accepted[name] for name in names if name in accepted), 0.0)


@router.get(
    "/.well-known/openid-credential-issuer/issuers/{slug}",
    responses=answers_media("application/json", "application/jwt"),
)
async def read_issuer_metadata(slug: str, request: Request, context: ContextDep) -> Response:
    """Return the Credential Issuer Metadata, signed if the caller prefers ``application/jwt``."""
    async with context.database.reading() as session:
        issuer = await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
        key = await get_active_key(session, issuer.org_id, ISSUER)
        encryption_keys = await list_encryption_keys(session, issuer.org_id)
        policy = await read_policy(await session.connection(), issuer.org_id)
    metadata = build_issuer_metadata(issuer, encryption_keys=encryption_keys, policy=policy)
    headers = _PUBLIC | {"Vary": "Accept"}
    if _weight_of(request, "application/jwt") <= _weight_of(request, "application/json"):
        return JSONResponse(metadata, headers=headers)
    now = context.clock()
    claims = metadata | {"iss": issuer.identifier, "sub": issuer.identifier, "iat": int(now.timestamp())}
    token = sign_token(context.signer, key, typ=SIGNED_METADATA_TYP, claims=claims, certified_at=now)
    return Response(token, media_type="application/jwt", headers=headers)


@router.get("/.well-known/oauth-authorization-server/issuers/{slug}")
async def read_authorization_server_metadata(slug: str, context: ContextDep) -> JSONResponse:
    """Return the metadata of the issuer's token endpoint."""
    async with context.database.reading() as session:
        issuer = await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
        trusting = bool(await page_wallet_providers(session, issuer.org_id, after=None, limit=1))
    metadata = build_authorization_server_metadata(issuer, trusts_attestations=trusting)
    return JSONResponse(metadata, headers=_PUBLIC)


@router.get("/.well-known/jwt-vc-issuer/issuers/{slug}")
async def read_jwt_vc_issuer_metadata(slug: str, context: ContextDep) -> JSONResponse:
    """Return the keys that the issuer signs credentials with."""
    async with context.database.reading() as session:
        issuer = await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
        keys = await list_published_keys(session, issuer.org_id, [ISSUER], context.clock())
    return JSONResponse(build_jwt_vc_issuer_metadata(issuer, keys), headers=_PUBLIC)


@router.get("/issuers/{slug}/jwks", responses=answers_media("application/jwk-set+json"))
async def read_jwks(slug: str, context: ContextDep) -> JSONResponse:
    """Return the same keys as a JWK Set."""
    async with context.database.reading() as session:
        issuer = await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
        keys = await list_published_keys(session, issuer.org_id, [ISSUER], context.clock())
    return JSONResponse(build_jwks(keys), media_type="application/jwk-set+json", headers=_PUBLIC)


@router.get("/issuers/{slug}/type-metadata/{name}")
async def read_type_metadata(slug: str, name: str, context: ContextDep) -> JSONResponse:
    """Return the SD-JWT VC type metadata of a credential type."""
    async with context.database.reading() as session:
        await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
    if name not in CREDENTIAL_TYPES:
        raise NotFoundError
    return JSONResponse(load_type_metadata(name), headers=_PUBLIC)


@router.get("/contexts/goodstanding-v1.json", responses=answers_media(LINKED_DATA_MEDIA_TYPE))
async def read_context() -> Response:
    """Return the JSON-LD context `urn:goodstanding:context:1` of our credentials."""
    return Response(read_claims_context(CLAIMS_CONTEXT), media_type=LINKED_DATA_MEDIA_TYPE, headers=_LASTING)


@router.get("/contexts/goodstanding-vcdm11-v1.json", responses=answers_media(LINKED_DATA_MEDIA_TYPE))
async def read_context_of_version_1() -> Response:
    """Return the JSON-LD context `urn:goodstanding:context:vcdm-1.1:1` of our credentials in version 1.1."""
    return Response(read_claims_context(CLAIMS_CONTEXT_1), media_type=LINKED_DATA_MEDIA_TYPE, headers=_LASTING)


@router.get("/issuers/{slug}/status-lists")
async def list_status_lists(slug: str, context: ContextDep) -> JSONResponse:
    """Return where the issuer's status lists are."""
    async with context.database.reading() as session:
        issuer = await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
        uris: list[Any] = list(await list_status_list_uris(session, issuer))
    return JSONResponse({"status_lists": uris}, headers=_PUBLIC)


@router.get("/issuers/{slug}/status-lists/{list_id}", responses=answers_media(STATUS_LIST_MEDIA_TYPE))
async def read_status_list(slug: str, list_id: str, request: Request, context: ContextDep) -> Response:
    """Return a Status List Token; only the present one, only as a JWT."""
    _check_asked(request, STATUS_LIST_MEDIA_TYPE, history="time")
    async with context.database.reading() as session:
        issuer = await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
    now = context.clock()
    token = await read_status_list_token(context.database, context.signer, issuer, list_id, now)
    return _until_next_tick(request, token, STATUS_LIST_MEDIA_TYPE, now)


@router.get(
    "/issuers/{slug}/status-lists/{list_id}/{purpose}",
    responses=answers_media(BITSTRING_MEDIA_TYPE, LINKED_MEDIA_TYPE),
)
async def read_bitstring(slug: str, list_id: str, purpose: str, request: Request, context: ContextDep) -> Response:
    """Return what the same list says for ``revocation`` or ``suspension``, as a BitstringStatusListCredential.

    A JWT VC, or under a Data Integrity proof for those who rather want JSON.
    """
    if purpose not in PUBLISHED_PURPOSES:
        raise NotFoundError
    _check_asked(request, BITSTRING_MEDIA_TYPE, *_LINKED_MEDIA_TYPES, history="timestamp")
    async with context.database.reading() as session:
        issuer = await find_issuer(await session.connection(), base_url=context.base_url, slug=slug)
    now = context.clock()
    asked = context.database, context.signer, issuer, list_id, purpose, now
    weight, media_type = max((_weight_of(request, name), name) for name in _LINKED_MEDIA_TYPES)
    if weight <= _weight_of(request, BITSTRING_MEDIA_TYPE):
        return _until_next_tick(request, await read_bitstring_credential(*asked), BITSTRING_MEDIA_TYPE, now)
    linked = write_json(await read_linked_bitstring_credential(*asked)).decode()
    return _until_next_tick(request, linked, media_type, now)


def _check_asked(request: Request, *media_types: str, history: str) -> None:
    if history in request.query_params:
        raise HTTPException(501, headers=_PUBLIC)
    if max(_weight_of(request, each) for each in media_types) <= 0:
        raise HTTPException(406, headers=_PUBLIC)


def _until_next_tick(request: Request, signed: str, media_type: str, now: datetime) -> Response:
    """Answer with a list, compressed where that is asked for. Source: draft-ietf-oauth-status-list-20, section 8.2."""
    headers = _PUBLIC | {
        "Cache-Control": f"public, max-age={seconds_to_next_tick(now)}",
        "Vary": "Accept, Accept-Encoding",
    }
    encodings = _read_weights(request.headers.get("accept-encoding", "identity"))
    if encodings.get("gzip", encodings.get("*", 0.0)) <= 0:
        return Response(signed, media_type=media_type, headers=headers)
    return Response(_compress(signed), media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})


@lru_cache(maxsize=16)  # a list is the same for whoever asks until the next tick
def _compress(signed: str) -> bytes:
    return gzip.compress(signed.encode(), mtime=0)
