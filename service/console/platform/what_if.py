"""What if: the answer that a transfer would get, with nothing reserved or recorded."""

import json
from typing import Any

from fastapi import Request, Response

from service.console.forms import FormDep
from service.console.pages import explain
from service.console.platform.access import Reader, sees_all
from service.console.platform.fields import (
    CHOICE,
    DAY,
    LINES,
    MAYBE,
    Field,
    Group,
    check_document,
    keep_typed,
    list_fields,
    read_document,
)
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.console.translation import translate
from service.errors import ServiceError
from service.gate.previews import preview_transfer
from service.gate.transfer_models import TransferPreview
from service.rules.law import PENDING, RELEASES
from service.rules.rule import ACTIONS
from service.web.dependencies import ContextDep
from service.web.problems import status_of

router = console_router()
_PARTIES = ("seller", "buyer", "pledgor")
_VERSIONS = ("", *RELEASES, *(f"{version}+{pending}" for version in RELEASES for pending in PENDING))
GROUPS = (
    Group(
        "transfer",
        (
            Field("security_id", required=True),
            Field("action", CHOICE, tuple(ACTIONS), worded=True),
            Field("offering_id", hint=True),
            Field("quantity", required=True),
            Field("price.amount", required=True, hint=True),
            Field("price.currency", required=True),
            Field("trade_date", DAY),
        ),
    ),
    Group("parties", (Field("seller"), Field("buyer"), Field("pledgor", hint=True))),
    Group(
        "said",
        (
            Field("trade.seller.affiliate", MAYBE, hint=True),
            Field("trade.buyer.offshore", MAYBE),
            Field("trade.buyer.regs_certified", MAYBE),
            Field("trade.general_solicitation", MAYBE),
        ),
    ),
    Group(
        "assumed",
        (
            Field("as_of", DAY, hint=True),
            Field("rules_version", CHOICE, _VERSIONS, hint=True),
            Field("facts", LINES, hint=True, empty=[]),
        ),
    ),
)
_FIELDS = list_fields(GROUPS)


@router.get("/console/what-if")
async def show_form(request: Request, viewer: Reader) -> Response:
    """Show the form, filled in as far as the link that led here says."""
    asked = request.query_params
    typed = {
        "security_id": asked.get("security", ""),
        "buyer": asked.get("buyer", ""),
        "seller": asked.get("seller", ""),
        "price.currency": "USD",
    }
    return show_page(request, viewer, "what_if.html", groups=GROUPS, typed=typed, problems={}, decision=None)


@router.post("/console/what-if")
async def answer(request: Request, viewer: Reader, context: ContextDep, form: FormDep) -> Response:
    """Answer under the form."""
    shown: dict[str, Any] = {"groups": GROUPS, "typed": keep_typed(form, _FIELDS), "problems": {}, "decision": None}
    document = _read(read_document(form, _FIELDS))
    preview, problems = check_document(TransferPreview, document, _FIELDS, viewer.language)
    if preview is None:
        problem = translate(viewer.language, "platform.wrong.fields", count=len(problems))
        return show_page(
            request, viewer, "what_if.html", status=422, **shown | {"problems": problems, "problem": problem}
        )
    try:
        decision = await preview_transfer(context, viewer.org_id, preview, sees_all=sees_all(viewer))
    except ServiceError as error:
        problem = explain(viewer.language, error)
        details = [f"{each.get('path', '')} {each['detail']}".strip() for each in error.errors]
        more = {"problem": " ".join([problem, *details])}
        return show_page(request, viewer, "what_if.html", status=status_of(type(error)), **shown | more)
    return show_page(request, viewer, "what_if.html", **shown | {"decision": decision})


def _read(document: dict[str, Any]) -> dict[str, Any]:
    """Make a request of the fields: parties by their refs, the date of asking, assumptions as a mapping."""
    parties = {name: {"investor_ref": document[name]} if document[name] else None for name in _PARTIES}
    optional = {name: document[name] for name in ("offering_id", "trade_date", "as_of", "rules_version")}
    kept = {name: value for name, value in optional.items() if value is not None}
    trade = document["trade"]
    trade["seller"] = trade["seller"] if trade["seller"]["affiliate"] is not None else None
    facts = dict(_read_assumption(line) for line in document["facts"])
    plain = {name: document[name] for name in ("security_id", "action", "quantity", "price")}
    return plain | kept | parties | {"trade": trade, "facts": facts}


def _read_assumption(line: str) -> tuple[str, Any]:
    """Read ``buyer.accredited = true``; what is no JSON is text."""
    path, _, text = line.partition("=")
    try:
        value = json.loads(text)
    except ValueError:
        value = text.strip()
    return path.strip(), value
