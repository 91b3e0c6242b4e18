"""``GET /docs``: the OpenAPI document for people, without script and with nothing loaded from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

_FOLDER = Path(__file__).parent / "templates"
_TEMPLATES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True)
_TEMPLATES.filters["pretty"] = lambda schema: json.dumps(schema, indent=2, ensure_ascii=False)
_CSS = (_FOLDER / "docs.css").read_text(encoding="utf-8")
_CSS_HASH = base64.b64encode(hashlib.sha256(_CSS.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_CSS_HASH}'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
router = APIRouter(include_in_schema=False)


@router.get("/docs", response_class=HTMLResponse)
async def show_docs(request: Request) -> HTMLResponse:
    """Show every call with its parameters, bodies and answers."""
    return HTMLResponse(render_docs(request.app.openapi()), headers=_HEADERS)


def render_docs(api: dict[str, Any]) -> str:
    """Render an OpenAPI document as one page.

    Args:
        api: A complete document; every operation has one tag.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(_describe(path, method, operation))
    page = _TEMPLATES.get_template("docs.html")
    return page.render(api=api, groups=groups.items(), css=Markup(_CSS))  # noqa: S704  # our own style sheet


def _describe(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": path,
        "method": method,
        "about": operation.get("description", "").partition("\n\n")[0],
        "parameters": operation.get("parameters", []),
        "bodies": list(_list_bodies(operation)),
    }


def _list_bodies(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for media_type, entry in operation.get("requestBody", {}).get("content", {}).items():
        yield "body", media_type, entry.get("schema", {})
    for status, response in operation["responses"].items():
        if status < "300":
            for media_type, entry in response.get("content", {"": {}}).items():
                yield f"answer {status}", media_type, entry.get("schema", {})
