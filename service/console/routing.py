"""Routes of pages: forms are checked before they are dealt with, and every error becomes a page."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.console.forms import check_form, has_file, read_form
from service.console.pages import explain, language_of, redirect, render
from service.console.viewer import SignInNeededError, find_viewer, sign_in_address
from service.errors import ChangedMeanwhileError, InvalidInputError, MalformedError, ServiceError, UnavailableError
from service.storage.database import is_duplicate
from service.web.body_limit import BodyTooLargeError
from service.web.problems import status_of

_log = structlog.get_logger(__name__)


class ConsoleRoute(APIRoute):
    """A route whose POSTs come from our own pages, and whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                if request.method == "POST":
                    await check_form(request)
                return await handle(request)
            except SignInNeededError:
                return await _ask_to_sign_in(request)
            except ClientDisconnect:
                raise  # nobody is there to read a page
            except Exception as error:
                return await _answer_error(request, _as_service_error(error))
            finally:
                await request.close()

        return handle_page


def console_router() -> APIRouter:
    """Make a router for pages below ``/console``; they are no part of the API."""
    return APIRouter(route_class=ConsoleRoute, include_in_schema=False)


async def _ask_to_sign_in(request: Request) -> Response:
    """Lead to the sign-in page; what was typed into a form stays on a page from which it can be sent again."""
    address = sign_in_address(request)
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": address, "Cache-Control": "no-store"})
    if request.method == "GET":
        return redirect(address)
    form = FormData() if has_file(request) else await read_form(request)
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and name != "form_token"]
    return render(
        request, None, "signed_out.html", status=401, fields=fields, lost_files=has_file(request), address=address
    )


async def _answer_error(request: Request, error: ServiceError) -> Response:
    viewer = await _find_viewer_if_possible(request)
    status = status_of(type(error))
    text = explain(language_of(request, viewer), error)
    if request.headers.get("accept") == "application/json":
        return JSONResponse({"text": text}, status_code=status, headers={"Cache-Control": "no-store"})
    if "hx-request" in request.headers:  # the page shows it where errors go, and stays as it is
        response = render(request, viewer, "_problem.html", status=200, text=text)
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#problem", "innerHTML"
        return response
    response = render(request, viewer, "error.html", status=status, text=text, kind=str(status))
    if isinstance(error, BodyTooLargeError):
        response.headers["Connection"] = "close"  # the rest of the body is not read
    return response


async def _find_viewer_if_possible(request: Request) -> Any:
    try:
        return await find_viewer(request)
    except (DBAPIError, PoolTimeoutError, OSError, UnavailableError):
        return None


def _as_service_error(error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, RequestValidationError):
        return InvalidInputError("Something in the address or the form is missing or wrong.")
    if isinstance(error, HTTPException):
        return MalformedError("The form cannot be read.")
    if isinstance(error, DBAPIError) and is_duplicate(error):
        return ChangedMeanwhileError("Somebody else changed this at the same time; look at it again.")
    if isinstance(error, DBAPIError | PoolTimeoutError | OSError):
        _log.error("storage_unavailable", error=type(error).__name__)
        return UnavailableError("The database does not answer.")
    _log.error("unexpected_error", error=type(error).__name__, exc_info=error)
    return ServiceError("Something went wrong here.")
