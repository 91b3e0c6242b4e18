"""What OpenAPI says beyond the routes themselves: answers as named objects, problems, forms, and error shapes."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from service.web.openapi_links import link_operations
from service.web.problems import MEDIA_TYPE

PROBLEM_STATUSES = (400, 401, 403, 404, 409, 413, 422, 429, 503)
_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457; docs/problems.md lists the codes.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "instance", "errors"],
    "properties": {
        "type": {"type": "string", "pattern": "^urn:goodstanding:problem:[a-z0-9_]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "instance": {"type": "string", "description": "The request id."},
        "errors": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
    },
}
_PROTOCOL_ERROR = {
    "title": "ProtocolError",
    "description": "Error of OAuth, OpenID4VCI and OpenID4VP; docs/problems.md lists the values.",
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}


def answers(model: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of a route that answers ``model``; documentation only, nothing is filtered by it."""
    return {status: {"model": model} for status in statuses or (200,)}


def answers_media(*media_types: str, statuses: tuple[int, ...] = (200,)) -> dict[int | str, dict[str, Any]]:
    """Return ``responses`` of a route whose answer has one of these media types."""
    return {status: {"content": {each: {"schema": _schema_of(each)} for each in media_types}} for status in statuses}


def _schema_of(media_type: str) -> dict[str, Any]:
    return {"type": "object"} if media_type.endswith("json") else {"type": "string"}


def takes_idempotency_key(*, required: bool = False) -> dict[str, Any]:
    """Return ``openapi_extra`` of a route that answers a repeated request once."""
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return {"parameters": [{"name": "Idempotency-Key", "in": "header", "required": required, "schema": schema}]}


def takes_form(**fields: str) -> dict[str, Any]:
    """Return ``openapi_extra`` of a route that reads a form by itself; every field is text, described by its value."""
    properties = {name: {"type": "string", "description": meaning} for name, meaning in fields.items()}
    return _takes("application/x-www-form-urlencoded", {"type": "object", "properties": properties})


def takes_file(**fields: str) -> dict[str, Any]:
    """Return ``openapi_extra`` of a route that reads a form with one ``file``; further fields are required text."""
    properties: dict[str, Any] = {"file": {"type": "string", "contentMediaType": "application/octet-stream"}}
    properties |= {name: {"type": "string", "description": meaning} for name, meaning in fields.items()}
    return _takes("multipart/form-data", {"type": "object", "required": list(properties), "properties": properties})


def takes_json(schema: dict[str, Any]) -> dict[str, Any]:
    """Return ``openapi_extra`` of a route that reads JSON by itself."""
    return _takes("application/json", schema)


def takes_json_or_jwt(schema: dict[str, Any]) -> dict[str, Any]:
    """Return ``openapi_extra`` of a route that reads JSON by itself, or an encrypted JWT with the same inside."""
    taken = _takes("application/json", schema)
    taken["requestBody"]["content"]["application/jwt"] = {"schema": {"type": "string"}}
    return taken


def _takes(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


def install_openapi(app: FastAPI) -> None:
    """Make ``app.openapi`` complete: no route has to repeat how errors look."""
    build = app.openapi

    def build_complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(build())
        return app.openapi_schema

    app.openapi = build_complete  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= {"Problem": _PROBLEM, "ProtocolError": _PROTOCOL_ERROR}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation)
    link_operations(document)
    return document


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for response in responses.values():
        _prefer_media_type(response.get("content", {}))
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if not path.startswith("/v1/"):
        content["application/json"] = {"schema": {"$ref": "#/components/schemas/ProtocolError"}}
    if "text/html" in responses.get("200", {}).get("content", {}):  # a page stays a page when it has bad news
        content["text/html"] = {"schema": {"type": "string"}}
    for status in PROBLEM_STATUSES:
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}


def _prefer_media_type(content: dict[str, Any]) -> None:
    """Drop what FastAPI adds beside a declared answer: the untyped schema, or JSON next to another media type."""
    if len(content) > 1 and content.get("application/json", {}).get("schema") in ({}, None):
        content.pop("application/json", None)
    for entry in content.values():
        if "$ref" in entry.get("schema", {}):
            entry["schema"] = {"$ref": entry["schema"]["$ref"]}
