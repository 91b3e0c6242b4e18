"""``/my/start`` and ``/my/status``: what the button on the page calls. See docs/button.md, sections 2 and 3."""

import json
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.demo.client import RefusedCallError
from service.demo.platform.backend import Backend
from service.demo.platform.sessions import Session, Sessions
from service.fetch import FetchError

WAYS = ("web", "app", "phone", "browser")
MAX_BYTES = 300_000
_NO_STORE = {"Cache-Control": "no-store"}


class ButtonCalls:
    """The two addresses.

    Args:
        backend: Calls the API.
        sessions: Whose requests may be asked for.
        check_origin: Refuses other sites' pages.
    """

    def __init__(self, backend: Backend, sessions: Sessions, check_origin: Callable[[Request], None]) -> None:
        self._backend = backend
        self._sessions = sessions
        self._check_origin = check_origin

    async def start(self, request: Request) -> Response:
        """Ask for a presentation; what is asked for is this platform's to say, whatever the page sends."""
        session, body = await self._read(request)
        if body.get("way") not in WAYS:
            return _refuse(422)
        try:
            made = await self._backend.ask(session.investor_ref, body["way"])
        except (RefusedCallError, FetchError):
            return _refuse(503)
        session.remember_request(made["id"])
        return JSONResponse(made, headers=_NO_STORE)

    async def read_status(self, request: Request) -> Response:
        """Tell what came of one of this browser's own requests."""
        session, request_id = self._sessions.find(request), request.query_params.get("id", "")
        if session is None or request_id not in session.requests:
            return _refuse(404)
        try:
            return _tell(await self._backend.read_request(request_id))
        except (RefusedCallError, FetchError):
            return _refuse(503)

    async def take_status(self, request: Request) -> Response:
        """Take what the browser came back with: a code, or an answer of a wallet that it found itself."""
        session, body = await self._read(request)
        try:
            answer = await (
                self._take_code(session, body) if "response_code" in body else self._take_answer(session, body)
            )
        except RefusedCallError as error:
            return _refuse(422 if error.status < 500 else 503)
        except FetchError:
            return _refuse(503)
        return _refuse(422) if answer is None else _tell(answer)

    async def _take_code(self, session: Session, body: dict[str, Any]) -> Any:
        code, named = str(body["response_code"]), body.get("id")
        for request_id in [named] if named in session.requests else reversed(session.requests):
            answer = await self._backend.bring_code(str(request_id), code)
            if answer is not None:
                return answer
        return None

    async def _take_answer(self, session: Session, body: dict[str, Any]) -> Any:
        request_id, credential = body.get("id"), body.get("dc_api")
        if request_id not in session.requests or not isinstance(credential, dict):
            return None
        return await self._backend.bring_answer(str(request_id), credential.get("data"))

    async def _read(self, request: Request) -> tuple[Session, dict[str, Any]]:
        self._check_origin(request)
        session = self._sessions.find(request)
        raw = await request.body()
        if session is None or request.headers.get("content-type") != "application/json" or len(raw) > MAX_BYTES:
            raise HTTPException(403)
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise HTTPException(422)
        return session, body


def _tell(answer: dict[str, Any]) -> Response:
    """Return what the page needs; what was shown stays with the back end."""
    return JSONResponse({name: answer[name] for name in ("id", "state", "checks")}, headers=_NO_STORE)


def _refuse(status: int) -> Response:
    return JSONResponse({}, status_code=status, headers=_NO_STORE)
