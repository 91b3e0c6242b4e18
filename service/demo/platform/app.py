"""The platform's pages and the two addresses of its button."""

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from service.demo.client import RefusedCallError
from service.demo.platform.backend import Backend
from service.demo.platform.button_calls import ButtonCalls
from service.demo.platform.pages import Pages
from service.demo.platform.sessions import Session, Sessions
from service.demo.platform.words import LANGUAGES
from service.fetch import FetchError

MOST_UNITS = 1_000_000
_STATIC = Path(__file__).parent / "static"
Handler = Callable[[Session, Any], Awaitable[Response]]


class Platform:
    """Handlers of the pages.

    Args:
        backend: Calls the API.
        pages: Renders.
        sessions: Who is at the other end.
        origin: Of these pages; every POST has to come from it.
    """

    def __init__(self, backend: Backend, pages: Pages, sessions: Sessions, origin: str) -> None:
        self._backend = backend
        self._pages = pages
        self._sessions = sessions
        self._origin = origin

    async def show_units(self, request: Request) -> Response:
        """``GET /``: the offering, the button, and a form to buy."""
        session = self._sessions.open(request)
        if (wanted := request.query_params.get("lang")) in LANGUAGES:
            session.language = str(wanted)
        coverage = await self._backend.read_coverage(session.investor_ref)
        response = self._pages.units(session, coverage, order=secrets.token_urlsafe(16))
        self._sessions.mark(response, session)
        return response

    async def buy(self, request: Request) -> Response:
        """``POST /orders``: ask the gate, then show what it said. A form that is sent twice is one order.

        Whoever goes back and sends it with another quantity wants another order.
        """
        session, form = await self._read_form(request)
        quantity, order = _read_quantity(form.get("quantity", "")), form.get("order", "")
        if quantity is None or not 0 < len(order) < 65:
            return self._pages.problem(session, "quantity", status=422)
        decision = await self._backend.buy(session.investor_ref, quantity, f"{order}-{quantity}")
        if decision["id"] not in session.orders:
            session.orders.append(decision["id"])
        return RedirectResponse(f"/orders/{decision['id']}", status_code=303)

    async def show_order(self, request: Request) -> Response:
        """``GET /orders/{id}``: the decision in plain words, and what can be done now."""
        session, transfer_id = self._find_order(request)
        return self._pages.decision(session, await self._backend.read_decision(transfer_id))

    async def end_order(self, request: Request, *, settle: bool) -> Response:
        """``POST /orders/{id}/settle`` and ``/void``: complete a permitted purchase, or give it up."""
        await self._read_form(request)
        session, transfer_id = self._find_order(request)
        try:
            await (self._backend.settle if settle else self._backend.void)(transfer_id)
        except RefusedCallError as error:
            if error.status != 409:
                raise
            return self._pages.problem(session, "too_late", status=409, back=f"/orders/{transfer_id}")
        return RedirectResponse(f"/orders/{transfer_id}", status_code=303)

    async def leave(self, request: Request) -> Response:
        """``POST /leave``: go on as another investor."""
        session, _ = await self._read_form(request)
        self._sessions.close(session)
        return RedirectResponse(f"/?lang={session.language}", status_code=303)

    async def answer_trouble(self, request: Request, error: Exception) -> Response:
        """Say in plain words what is wrong; pages of strangers get no more than the words."""
        session = self._sessions.open(request)
        if isinstance(error, HTTPException):
            name = "gone" if error.status_code == 404 else "stale"
            return self._pages.problem(session, name, status=error.status_code)
        return self._pages.problem(session, "unreachable", status=503)

    async def _read_form(self, request: Request) -> tuple[Session, dict[str, str]]:
        check_origin(request, self._origin)
        session = self._sessions.find(request)
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if session is None or not secrets.compare_digest(form.get("form_token", ""), session.form_token):
            raise HTTPException(403)
        return session, form

    def _find_order(self, request: Request) -> tuple[Session, str]:
        session, transfer_id = self._sessions.find(request), str(request.path_params["id"])
        if session is None or transfer_id not in session.orders:
            raise HTTPException(404)
        return session, transfer_id


def _read_quantity(text: str) -> int | None:
    """Return whole units that may be ordered at once; None for anything else."""
    digits = text.lstrip("0")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(MOST_UNITS))):
        return None
    quantity = int(digits)
    return quantity if quantity <= MOST_UNITS else None


def check_origin(request: Request, origin: str) -> None:
    """Refuse what another site's page sends; a browser names the page's origin with every POST."""
    if request.headers.get("origin") != origin:
        raise HTTPException(403)


def create_platform(backend: Backend, *, origin: str, deployment: str) -> Starlette:
    """Build the application.

    Args:
        backend: Calls the API.
        origin: Where these pages are, such as ``http://localhost:8001``.
        deployment: Base URL of the service whose button and wallet are offered.
    """
    sessions = Sessions(is_secure=origin.startswith("https:"))
    platform = Platform(backend, Pages(deployment), sessions, origin)
    calls = ButtonCalls(backend, sessions, partial(check_origin, origin=origin))
    routes = [
        Route("/", platform.show_units),
        Route("/orders", platform.buy, methods=["POST"]),
        Route("/orders/{id}", platform.show_order),
        Route("/orders/{id}/settle", partial(platform.end_order, settle=True), methods=["POST"]),
        Route("/orders/{id}/void", partial(platform.end_order, settle=False), methods=["POST"]),
        Route("/leave", platform.leave, methods=["POST"]),
        Route("/my/start", calls.start, methods=["POST"]),
        Route("/my/status", calls.read_status, methods=["GET"]),
        Route("/my/status", calls.take_status, methods=["POST"]),
        Route("/readyz", _tell_ready),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]
    troubles: dict[Any, Any] = dict.fromkeys((HTTPException, RefusedCallError, FetchError), platform.answer_trouble)
    return Starlette(routes=routes, exception_handlers=troubles)


async def _tell_ready(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})
