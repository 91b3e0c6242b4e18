"""``/button/``: the button that platforms put on their own pages. See docs/button.md."""

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from service.errors import NotFoundError

FOLDER = Path(__file__).parent / "button"
NEWEST = "v1.0.0.js"
_NAMES = {"v1.js": NEWEST, NEWEST: NEWEST}
_MOVES_ON = "public, max-age=3600"
_STAYS = "public, max-age=31536000, immutable"
router = APIRouter(include_in_schema=False)


@cache
def _load(name: str) -> tuple[bytes, bytes]:
    content = (FOLDER / name).read_bytes()
    return content, gzip.compress(content, mtime=0)


def hash_button(name: str = NEWEST) -> str:
    """Return the value of ``integrity`` for a version.

    Source: Subresource Integrity, section 3.5.
    """
    return "sha384-" + base64.b64encode(hashlib.sha384(_load(name)[0]).digest()).decode()


@router.get("/button/{name}")
async def read_button(name: str, request: Request) -> Response:
    """Return the script: ``v1.js`` gets its corrections, ``v1.0.0.js`` stays as it is, byte for byte."""
    if name not in _NAMES:
        raise NotFoundError
    content, zipped = _load(_NAMES[name])
    etag = f'W/"{hash_button(_NAMES[name])[7:39]}"'
    headers = {
        "Access-Control-Allow-Origin": "*",  # integrity is only checked of what the page may read
        "Cache-Control": _STAYS if name == _NAMES[name] else _MOVES_ON,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": etag,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    media_type = "text/javascript; charset=utf-8"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(zipped, media_type=media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(content, media_type=media_type, headers=headers)
