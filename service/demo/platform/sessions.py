"""Who is at the other end: a cookie, and what this platform remembers of its browser, in memory."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from service.demo.platform.words import choose_language

COOKIE = "sample_platform"
MOST_SESSIONS = 10_000
MOST_REQUESTS = 5


@dataclass
class Session:
    """One investor's browser.

    Attributes:
        token: Value of the cookie.
        investor_ref: What this platform calls the investor; means nothing to anybody else.
        form_token: Stands in every form.
        language: ``en`` or ``zh``.
        requests: Ids of presentation requests, newest last; only these may be asked for.
        orders: Ids of decisions, newest last.
    """

    language: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    investor_ref: str = field(default_factory=lambda: f"web-{secrets.token_hex(6)}")
    form_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    requests: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)

    def remember_request(self, request_id: str) -> None:
        """Let this browser ask what came of a request."""
        self.requests = [*self.requests, request_id][-MOST_REQUESTS:]


class Sessions:
    """All sessions of the process; the oldest give way."""

    def __init__(self, *, is_secure: bool) -> None:
        self._by_token: OrderedDict[str, Session] = OrderedDict()
        self._is_secure = is_secure

    def find(self, request: Request) -> Session | None:
        """Return the session of a request that has one."""
        return self._by_token.get(request.cookies.get(COOKIE, ""))

    def open(self, request: Request) -> Session:
        """Return the session of a request, a new one if it has none."""
        found = self.find(request)
        if found is None:
            found = Session(choose_language(request.headers.get("accept-language", "")))
            self._by_token[found.token] = found
            if len(self._by_token) > MOST_SESSIONS:
                self._by_token.popitem(last=False)
        return found

    def close(self, session: Session) -> None:
        """Forget a session."""
        self._by_token.pop(session.token, None)

    def mark(self, response: Response, session: Session) -> None:
        """Have the browser bring the session along; ``Lax``, for it comes back from wallets of other sites."""
        response.set_cookie(COOKIE, session.token, httponly=True, samesite="lax", secure=self._is_secure)
