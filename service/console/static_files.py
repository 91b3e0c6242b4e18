"""Style, scripts and pictures of the pages: read once, with a hash in their address so that they keep for good."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from service.errors import NotFoundError

FOLDER = Path(__file__).parent / "static"
ADDRESS = "/console/static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    version: str


@cache
def _load_files() -> dict[str, _File]:
    found = {}
    for path in sorted(FOLDER.iterdir()):
        content = path.read_bytes()
        found[path.name] = _File(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])
    return found


def static_address(name: str) -> str:
    """Return the address of a file in ``static/``; another one as soon as its content is another."""
    return f"{ADDRESS}/{name}?v={_load_files()[name].version}"


@router.get(ADDRESS + "/{name}")
async def read_static_file(name: str, request: Request) -> Response:
    """Return a file; it may be kept for good at the address that carries its hash."""
    file = _load_files().get(name)
    if file is None:
        raise NotFoundError
    is_current = request.query_params.get("v") == file.version
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if is_current else "no-cache",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(file.content, media_type=file.media_type, headers=headers)
