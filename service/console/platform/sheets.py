"""Forms for terms: shown, checked as the API checks them, saved, and shown again with what was typed if that fails."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.datastructures import FormData

from service.console.forms import text_of
from service.console.pages import explain, redirect
from service.console.platform.fields import Group, check_document, keep_typed, list_fields, read_document
from service.console.platform.shown import show_page
from service.console.translation import translate
from service.console.viewer import Viewer
from service.errors import ConflictError, InvalidInputError, ServiceError
from service.web.problems import status_of

_Model = TypeVar("_Model", bound=BaseModel)


class IdTakenError(ConflictError):
    """There is one of this id already; it is changed on its own page."""

    code = "id_taken"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form with its fields.

    Attributes:
        key: Its texts are ``platform.<key>.title``, ``.intro`` and ``.send``.
        action: Where it is sent.
        back: Address of the page to go back to.
        subject: What it is about, shown beside the title.
        asks_id: Whether it has a field ``id`` for the name of what is made.
        version: Of what is changed, so that no change of somebody else is undone; 0 if nothing is.
        ends: Whether what is changed can also be ended, at ``action`` and ``/end``.
    """

    key: str
    action: str
    back: str
    groups: Sequence[Group]
    subject: str = ""
    asks_id: bool = False
    version: int = 0
    ends: bool = False
    typed: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def show_sheet(
    request: Request, viewer: Viewer, sheet: Sheet, *, problem: str | None = None, status: int = 200
) -> Response:
    """Show the form."""
    return show_page(request, viewer, "sheet.html", status=status, sheet=sheet, problem=problem)


async def save_sheet(
    request: Request,
    viewer: Viewer,
    sheet: Sheet,
    form: FormData,
    model: type[_Model],
    save: Callable[[_Model], Awaitable[str]],
    *,
    read: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document,
) -> Response:
    """Save what was typed, and lead on; or show it again with what is wrong.

    Args:
        model: What the API takes.
        save: Returns the address to go on at; raises what the use case raises.
        read: Makes of the fields what ``model`` takes.
    """
    fields = list_fields(sheet.groups)
    typed = keep_typed(form, fields) | ({"id": text_of(form, "id")} if sheet.asks_id else {})
    sheet = replace(sheet, typed=typed)
    body, problems = check_document(model, read(read_document(form, fields)), fields, viewer.language)
    if body is None:
        sheet = replace(sheet, problems=problems)
        problem = translate(viewer.language, "platform.wrong.fields", count=len(problems))
        return show_sheet(request, viewer, sheet, problem=problem, status=status_of(InvalidInputError))
    try:
        return redirect(await save(body))
    except ServiceError as error:
        problem = explain(viewer.language, error)
        return show_sheet(request, viewer, sheet, problem=problem, status=status_of(type(error)))
