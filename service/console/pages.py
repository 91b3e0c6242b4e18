"""Render a page: its template, its words, its headers."""

import secrets
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.accounts.accounts import LANGUAGES
from service.console.cookies import derive_form_token, keep_browser_secret, keep_language
from service.console.navigation import list_entries
from service.console.static_files import static_address
from service.console.text import cut, finalize
from service.console.translation import find_text, translate
from service.console.values import name_value
from service.console.viewer import Viewer, language_of_browser
from service.console.wordings import say_wording
from service.errors import ServiceError

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not no-referrer, under which browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    finalize=finalize,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def language_of(request: Request, viewer: Viewer | None) -> str:
    """Return the language of a page: the viewer's, else what was chosen in this browser, else what it asks for."""
    return language_of_browser(request) if viewer is None else viewer.language


def render(request: Request, viewer: Viewer | None, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page, or a part of one that htmx asked for.

    Args:
        viewer: None where nobody is signed in.
        template: Below ``templates/``; those of parts begin with ``_``.
        status: HTTP status.
        values: For the template, beside ``t``, ``viewer``, ``language``, ``entries``, ``path``, ``form_token``,
            ``once``, ``name_value``, ``say`` and the filters ``instant``, ``day`` and ``cut``.
    """
    language = language_of(request, viewer)
    text = _TEMPLATES.get_template(template).render(_shared_values(request, viewer, language) | values)
    response = HTMLResponse(text, status_code=status, headers=HEADERS)
    keep_browser_secret(request, response)
    if viewer is None and request.query_params.get("language") in LANGUAGES:
        keep_language(request, response, language)
    return response


def redirect(address: str) -> RedirectResponse:
    """Lead on after a form was dealt with, so that loading the page again sends nothing twice."""
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})


def answer_json(text: str) -> Response:
    """Answer a script of ours with a JSON document."""
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


def explain(language: str, error: ServiceError) -> str:
    """Say in plain words what is wrong: ``errors.<code>`` in the language, else the error's own sentence."""
    return find_text(language, f"errors.{error.code}") or error.detail


def _shared_values(request: Request, viewer: Viewer | None, language: str) -> dict[str, Any]:
    return {
        "t": partial(translate, language),
        "name_value": partial(name_value, language),
        "say": partial(say_wording, language),
        "viewer": viewer,
        "language": language,
        "entries": [] if viewer is None else list_entries(viewer),
        "path": request.url.path,
        "form_token": _hidden("form_token", derive_form_token(request)),
        "once": _hidden("once", secrets.token_urlsafe(16)),
        "problem": None,
    }


def _hidden(name: str, value: str) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, value)


def _show_instant(value: datetime) -> Markup:
    text = value.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec="seconds"), text)


def _say_in(wording: str, language: str) -> str:
    return say_wording(language, wording)


def _show_day(value: date) -> Markup:
    return Markup('<time datetime="{0}">{0}</time>').format(value.isoformat())


_TEMPLATES.globals["static"] = static_address
_TEMPLATES.filters |= {"instant": _show_instant, "day": _show_day, "cut": cut, "said_in": _say_in}
