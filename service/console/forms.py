"""Forms of the pages: checked in one place before any of them is dealt with."""

import hmac
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from service.console.cookies import derive_form_token
from service.errors import ForbiddenError, MalformedError
from service.web.context import Context
from service.web.dependencies import get_context

MAX_FIELDS = 300
MAX_FILES = 10
TOKEN_HEADER = "X-Form-Token"  # noqa: S105  # the name of a header, for scripts that send JSON
_MEDIA_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class ForeignFormError(ForbiddenError):
    """The form was not sent from a page of ours, opened in this browser at our own address."""

    code = "foreign_form"


class FormUnreadableError(MalformedError):
    """The form cannot be read."""

    code = "form_unreadable"


async def check_form(request: Request) -> None:
    """Let a POST through that comes from one of our own pages.

    Raises:
        ForeignFormError: Its origin is not ours, or its token is not this browser's.
        FormUnreadableError: See there.
    """
    if not _is_own_origin(request, get_context(request)):
        raise ForeignFormError("This form was not sent from a page of this service.")
    token = request.headers.get(TOKEN_HEADER)
    if token is None:
        token = text_of(await read_form(request), "form_token")
    if not hmac.compare_digest(token.encode(), derive_form_token(request).encode()):
        raise ForeignFormError("This form was not sent from a page that this browser opened.")


def _is_own_origin(request: Request, context: Context) -> bool:
    """Browsers name the origin of every POST; one without is sent by no page of ours."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin == context.base_url


async def read_form(request: Request) -> FormData:
    """Return the form; files wait in it, on disk when they are large, until the request ends.

    Raises:
        FormUnreadableError: No form, too many fields, or U+0000.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type not in _MEDIA_TYPES:
        raise FormUnreadableError("The form cannot be read.")
    form = await request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS)
    if len(form) > MAX_FIELDS or any("\0" in name + str(value) for name, value in form.multi_items()):
        raise FormUnreadableError("The form cannot be read.")
    return form


FormDep = Annotated[FormData, Depends(read_form)]


def text_of(form: FormData, name: str) -> str:
    """Return a text field without the white space around it; empty where there is none."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> list[str]:
    """Return every value of a field that may come several times, such as boxes that are ticked."""
    return [value for value in form.getlist(name) if isinstance(value, str)]
