"""``/wallet/``: the web wallet. The files it is made of are all that the server gives; nothing comes back to it.

Source: CSP Level 3; Trusted Types; RFC 9110, section 13.1.2 (``If-None-Match``).
"""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.transaction_data import STATEMENTS
from service.errors import NotFoundError
from service.rules.purposes import PURPOSES
from service.schema_files import load_type_metadata
from service.wallet.worker import build_worker
from service.web.dependencies import ContextDep

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
TRUSTED_TYPES_POLICY = "goodstanding-wallet"
WORKER = "sw.js"
_LOOPBACK = "http://localhost:* http://127.0.0.1:*"
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file of the wallet, ready to be sent; ``zipped`` is the same, compressed."""

    media_type: str
    content: bytes
    zipped: bytes
    etag: str


@cache
def load_files() -> dict[str, StaticFile]:
    """Read the wallet's files once, by their path below ``/wallet/``; only kinds that a browser needs."""
    found = {
        path.relative_to(FOLDER).as_posix(): _describe(path.suffix, path.read_bytes())
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }
    words = {"types.json": _list_types(), "statements.json": dict(STATEMENTS), "purposes.json": _list_purposes()}
    found |= {name: _describe(".json", json.dumps(value, ensure_ascii=False).encode()) for name, value in words.items()}
    shell = {path: file.content for path, file in found.items() if path != WORKER and not path.endswith(".txt")}
    return found | {WORKER: _describe(".js", build_worker(found[WORKER].content, shell))}


def build_policy(base_url: str) -> str:
    """Return the content security policy.

    Nothing inline runs, no text becomes code or markup, nobody frames the page. Issuers and platforms may be anywhere
    on the web; plain http is for a service that runs on this machine.

    Args:
        base_url: Of the deployment.
    """
    local = urlsplit(base_url).scheme == "http"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "media-src 'self' blob:",
            "manifest-src 'self'",
            "worker-src 'self'",
            f"connect-src 'self' https:{f' {_LOOPBACK}' if local else ''}",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            f"trusted-types {TRUSTED_TYPES_POLICY}",
        )
    )


@router.get("/wallet")
async def lead_to_wallet() -> Response:
    """Lead to the address that the page's own links are relative to; a browser keeps the fragment."""
    return Response(status_code=308, headers={"Location": "/wallet/"})


@router.get("/wallet/{name:path}")
async def read_wallet_file(name: str, request: Request, context: ContextDep) -> Response:
    """Return one file of the web wallet; a browser asks each time whether it has changed."""
    file = load_files().get(name or "index.html")
    if file is None:
        raise NotFoundError
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": build_policy(context.base_url),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": file.etag,
        "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.zipped, media_type=file.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)


def _describe(suffix: str, content: bytes) -> StaticFile:
    zipped = gzip.compress(content, mtime=0)
    return StaticFile(MEDIA_TYPES[suffix], content, zipped, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"')


def _list_purposes() -> dict[str, str]:
    """Return purposes by the titles that requests state: ``{title: purpose_id}``; of two with one title, the first."""
    return {purpose.title: purpose_id for purpose_id, purpose in reversed(list(PURPOSES.items()))}


def _list_types() -> dict[str, Any]:
    """Say in people's words what our credential types and their claims are: ``{vct: {language: {...}}}``."""
    return {kind.vct: _name_in_languages(load_type_metadata(kind.name)) for kind in CREDENTIAL_TYPES.values()}


def _name_in_languages(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        entry["locale"]: {
            "name": entry["name"],
            "description": entry["description"],
            "labels": _list_labels(metadata["claims"], entry["locale"]),
        }
        for entry in metadata["display"]
    }


def _list_labels(claims: list[dict[str, Any]], language: str) -> dict[str, str]:
    return {
        claim["path"][0]: shown["label"]
        for claim in claims
        for shown in claim["display"]
        if shown["locale"] == language
    }
