"""Errors as RFC 9457 problem documents; the only place that maps codes to HTTP statuses."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.credentials.dpop import InvalidDpopProofError
from service.errors import (
    ChangedMeanwhileError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    MalformedError,
    NotFoundError,
    ProtocolError,
    RateLimitedError,
    ServiceError,
    UnauthorizedError,
    UnavailableError,
    VerificationError,
)
from service.storage.database import is_duplicate, is_outage
from service.web.dpop import UseDpopNonceError, challenge_dpop
from service.web.request_id import HEADER, get_request_id, read_request_id

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 100  # more than a caller can use; a body can hold thousands of members that nobody knows
_STATUS_BY_FAMILY: Sequence[tuple[type[ServiceError], int]] = (
    (MalformedError, 400),
    (UnauthorizedError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (InvalidInputError, 422),
    (VerificationError, 422),
    (RateLimitedError, 429),
    (UnavailableError, 503),
)
_CHANGED = "Another request changed this at the same time; try again."
_REALM = "goodstanding"
_STATUS_BY_CODE = {"body_too_large": 413}
_log = structlog.get_logger(__name__)


def status_of(kind: type[ServiceError]) -> int:
    """Return the HTTP status of a kind of deliberate error; 500 if it belongs to no family."""
    if kind.code in _STATUS_BY_CODE:
        return _STATUS_BY_CODE[kind.code]
    return next((status for family, status in _STATUS_BY_FAMILY if issubclass(kind, family)), 500)


def problem_document(
    *, status: int, code: str, detail: str, errors: Sequence[dict[str, Any]] = (), instance: str | None = None
) -> dict[str, Any]:
    """Build the document; ``instance`` is the request id."""
    return {
        "type": f"urn:goodstanding:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance or get_request_id(),
        "errors": list(errors),
    }


def problem_of(error: ServiceError) -> dict[str, Any]:
    """Build the problem document of a deliberate error, for single answers and for items of a batch."""
    return problem_document(status=status_of(type(error)), code=error.code, detail=error.detail, errors=error.errors)


def shape_problem(found: Iterable[Mapping[str, Any]], *, detail: str) -> dict[str, Any]:
    """Build the problem document of a body, or an item of one, that has another shape than the call takes.

    Args:
        found: What pydantic found. The offending value stays out of the answer: it may be personal data or a secret.
        detail: What has the wrong shape, in one sentence.
    """
    errors = [
        {"path": "/" + "/".join(map(str, each["loc"])), "detail": str(each["msg"]).removeprefix("Value error, ")}
        for each in islice(found, MAX_ERRORS)
    ]
    return problem_document(status=422, code="invalid_input", detail=detail, errors=errors)


def problem_response(document: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer with a problem document."""
    return JSONResponse(document, status_code=document["status"], media_type=MEDIA_TYPE, headers=headers)


def rate_limit_headers(error: RateLimitedError) -> dict[str, str]:
    """Return ``Retry-After``, ``RateLimit`` and ``RateLimit-Policy`` of an answer 429.

    Source: draft-ietf-httpapi-ratelimit-headers, sections 3 and 4.
    """
    return {
        "Retry-After": str(error.retry_after),
        "RateLimit": f'"{error.code}";r=0;t={error.retry_after}',
        "RateLimit-Policy": f'"{error.code}";q={error.quota};w={error.window_s}',
    }


def _challenge(error: UnauthorizedError) -> str:
    """Return the challenge of an answer 401: DPoP's own where the proof is what failed, else both that are taken."""
    if isinstance(error, InvalidDpopProofError | UseDpopNonceError):
        return challenge_dpop(realm=_REALM, error=error.code)
    return f'Bearer realm="{_REALM}", {challenge_dpop(realm=_REALM)}'


async def _answer_service_error(_request: Request, error: ServiceError) -> JSONResponse:
    headers = {}
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = _challenge(error)
    if isinstance(error, RateLimitedError):
        headers |= rate_limit_headers(error)
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = "1"
    if isinstance(error, ConflictError) and error.code in ("request_in_progress", ChangedMeanwhileError.code):
        headers["Retry-After"] = "1"
    if status_of(type(error)) >= 500:
        _log.warning("request_failed", code=error.code)
    return problem_response(problem_of(error), headers)


async def _answer_protocol_error(_request: Request, error: ProtocolError) -> JSONResponse:
    headers = {"Cache-Control": "no-store", **error.headers}
    if error.challenge:
        headers["WWW-Authenticate"] = error.challenge
    body = {"error": error.error, "error_description": error.detail}
    return JSONResponse(body, status_code=error.status, headers=headers)


async def _answer_validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
    detail = "The request does not have the expected shape."
    return problem_response(shape_problem(error.errors(), detail=detail))


async def _answer_http_exception(_request: Request, error: HTTPException) -> JSONResponse:
    codes = {404: "not_found", 405: "method_not_allowed"}
    code = codes.get(error.status_code, "http_error")
    detail = "No such resource." if error.status_code == 404 else HTTPStatus(error.status_code).phrase
    document = problem_document(status=error.status_code, code=code, detail=detail)
    return problem_response(document, dict(error.headers or {}))


async def _answer_storage_failure(_request: Request, error: Exception) -> JSONResponse:
    _log.error("storage_unavailable", error=type(error).__name__)
    document = problem_document(status=503, code="storage_unavailable", detail="The database does not answer.")
    return problem_response(document, {"Retry-After": "1"})


async def _answer_database_error(request: Request, error: DBAPIError) -> JSONResponse:
    if error.connection_invalidated or is_outage(error):
        return await _answer_storage_failure(request, error)
    if is_duplicate(error):  # the row came into being after we looked
        return await _answer_service_error(request, ChangedMeanwhileError(_CHANGED))
    return await answer_unexpected(request, error)


async def _answer_disconnected(_request: Request, _error: ClientDisconnect) -> Response:
    """End a request whose caller hung up before its end; nobody reads this, and nothing of ours is wrong."""
    return Response(status_code=400)


async def answer_unexpected(request: Request, error: Exception) -> JSONResponse:
    """Answer a defect: logged with its trace, nothing of it shown.

    This runs outside the middleware, which has forgotten the request's id by then; the request itself still knows it.
    """
    request_id = read_request_id(request.scope)
    _log.error("unexpected_error", error=type(error).__name__, exc_info=error, request_id=request_id)
    document = problem_document(
        status=500, code="internal_error", detail="Something went wrong here.", instance=request_id
    )
    return problem_response(document, {HEADER: request_id})


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of the application a problem document or the protocol's own shape."""
    handlers: list[tuple[type[Exception], Any]] = [
        (ServiceError, _answer_service_error),
        (ProtocolError, _answer_protocol_error),
        (RequestValidationError, _answer_validation_error),
        (HTTPException, _answer_http_exception),
        (ClientDisconnect, _answer_disconnected),
        (DBAPIError, _answer_database_error),
        *((kind, _answer_storage_failure) for kind in (OperationalError, InterfaceError, PoolTimeoutError, OSError)),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
