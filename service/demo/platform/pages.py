"""Pages as HTML, under a content policy that lets in the button and the picture it draws, and nothing else."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from service.demo.platform.backend import PRICE, PURPOSE
from service.demo.platform.sessions import Session
from service.demo.platform.words import load_words
from service.verifier.button_api import NEWEST, hash_button

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)

_MISSING = "INPUT_MISSING"


class Pages:
    """Renders for one deployment, whose button and wallet are offered."""

    def __init__(self, deployment: str) -> None:
        policy = f"default-src 'none'; script-src 'self' {deployment}; style-src 'self'; img-src {deployment}"
        self._headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": f"{policy}; connect-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'",
            "Referrer-Policy": "same-origin",  # without any, a browser would name no origin with its forms
            "X-Content-Type-Options": "nosniff",
        }
        self._shared = {
            "deployment": deployment,
            "button": f"{deployment}/button/{NEWEST}",
            "integrity": hash_button(),
            "purpose": PURPOSE,
            "price": PRICE,
        }

    def units(self, session: Session, coverage: Mapping[str, Any], *, order: str) -> Response:
        """Show the offering, what the investor has shown, and a form to buy."""
        return self._render("units.html", session, 200, coverage=coverage, order=order)

    def decision(self, session: Session, decision: Mapping[str, Any]) -> Response:
        """Show what the gate said."""
        reasons = [self._explain(session, reason) for reason in decision["reasons"]]
        duties = [_name_duty(session, each) for each in decision.get("obligations", ())]
        return self._render("decision.html", session, 200, decision=decision, reasons=reasons, duties=duties)

    def problem(self, session: Session, name: str, *, status: int, back: str = "/") -> Response:
        """Show what went wrong and a way on."""
        return self._render("problem.html", session, status, name=name, back=back)

    def _explain(self, session: Session, reason: Mapping[str, Any]) -> dict[str, Any]:
        """Put a reason into the investor's words; those that we have none for keep the API's, in English."""
        words = load_words(session.language)
        remedy = reason["remedy"]
        kind, basis = remedy["kind"], reason["basis"]
        field = str(reason["evidence"].get("field", "")).rpartition(".")[2]
        if reason["code"] == _MISSING and kind == "present":
            kind = basis = "missing"  # showing the same credential again would not help
        way_on = words[f"remedy.{kind}"].format(at=remedy.get("at", ""), field=field)
        known = words.get(f"reason.{reason['code']}")
        return {
            **reason,
            "words": known or reason["message"],
            "is_known": known is not None,
            "way_on": way_on,
            "basis": basis,
        }

    def _render(self, template: str, session: Session, status: int, **values: Any) -> Response:
        words = load_words(session.language)

        def t(key: str, **more: Any) -> str:
            return words[key].format(**more) if more else words[key]

        html = _TEMPLATES.get_template(template).render(
            **self._shared, **values, t=t, session=session, instant=_say_instant
        )
        return HTMLResponse(html, status_code=status, headers=self._headers)


def _name_duty(session: Session, duty: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a permit asks of whoever holds; that for which there are no words keeps the API's, in English."""
    known = load_words(session.language).get(f"duty.{duty['code']}")
    return {"words": known or duty["message"], "is_known": known is not None}


def _say_instant(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC")
