"""The two cookies: who is signed in, and which browser this is, from which the token of every form is derived.

The browser's cookie outlives a session, so that a form that was filled in before a session ended can still be sent
after signing in again.
"""

import hashlib
import hmac
import re
import secrets

from fastapi import Request, Response

from service.web.dependencies import get_context

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_SESSION, _BROWSER, _LANGUAGE = "goodstanding-console", "goodstanding-browser", "goodstanding-language"
_LANGUAGE_KEPT_S = 365 * 24 * 3600


def read_session_secret(request: Request) -> str | None:
    """Return the secret of the session cookie."""
    return request.cookies.get(_name(request, _SESSION))


def set_session_cookie(request: Request, response: Response, secret: str) -> None:
    """Sign the browser in; the cookie goes when the browser closes, and the session ends before that."""
    _set(request, response, _SESSION, secret)


def clear_session_cookie(request: Request, response: Response) -> None:
    """Sign the browser out."""
    name = _name(request, _SESSION)
    response.delete_cookie(name, path="/", secure=_is_secure(request), httponly=True, samesite="lax")


def read_browser_secret(request: Request) -> str:
    """Return this browser's secret; a new one where it has none, which ``keep_browser_secret`` gives it."""
    known: str | None = getattr(request.state, "browser_secret", None)
    if known is None:
        sent = request.cookies.get(_name(request, _BROWSER), "")
        known = sent if _SECRET.fullmatch(sent) else secrets.token_urlsafe(32)
        request.state.browser_secret = known
    return known


def keep_browser_secret(request: Request, response: Response) -> None:
    """Give the browser its secret, unless it has sent it."""
    secret = read_browser_secret(request)
    if request.cookies.get(_name(request, _BROWSER)) != secret:
        _set(request, response, _BROWSER, secret)


def derive_form_token(request: Request) -> str:
    """Return the token that every form of this browser carries; no other site can know it."""
    return hmac.new(read_browser_secret(request).encode(), b"form-token", hashlib.sha256).hexdigest()


def read_language(request: Request) -> str:
    """Return the language that was chosen in this browser before anybody signed in, or nothing."""
    return request.cookies.get(_LANGUAGE, "")


def keep_language(request: Request, response: Response, language: str) -> None:
    """Remember the language of the pages before sign-in."""
    response.set_cookie(
        _LANGUAGE,
        language,
        max_age=_LANGUAGE_KEPT_S,
        path="/console",
        secure=_is_secure(request),
        httponly=True,
        samesite="lax",
    )


def _set(request: Request, response: Response, name: str, value: str) -> None:
    secure = _is_secure(request)
    response.set_cookie(_name(request, name), value, path="/", secure=secure, httponly=True, samesite="lax")


def _is_secure(request: Request) -> bool:
    return get_context(request).base_url.startswith("https://")


def _name(request: Request, name: str) -> str:
    # A __Host- cookie is set by this host alone, over TLS; browsers refuse the prefix over plain http.
    return f"__Host-{name}" if _is_secure(request) else name
