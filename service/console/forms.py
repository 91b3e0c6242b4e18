"""Forms of the pages: checked in one place before any of them is dealt with."""

import hmac
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from service.console.cookies import derive_form_token
from service.console.viewer import SignInNeededError, find_viewer
from service.errors import ForbiddenError, MalformedError
from service.web.context import Context
from service.web.dependencies import get_context
from service.web.uploads import UploadForm, read_upload

MAX_FIELDS = 300
TOKEN_HEADER = "X-Form-Token"  # noqa: S105  # the name of a header, for scripts that send JSON
_URLENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


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
    """Return the form; a file beside it waits in ``get_upload``, in memory alone.

    Raises:
        FormUnreadableError: No form, too many fields, or U+0000.
        SignInNeededError: A file from nobody who is signed in; it is not read.
        ServiceError: See ``read_upload``.
    """
    known: FormData | None = getattr(request.state, "form", None)
    if known is None:
        known = request.state.form = await _read_form(request)
    return known


def has_file(request: Request) -> bool:
    """Tell whether the form says that it brings a file."""
    return _media_type_of(request) == _MULTIPART


def get_upload(request: Request) -> UploadForm:
    """Return the form with its file.

    Raises:
        FormUnreadableError: It brings none.
    """
    upload: UploadForm | None = getattr(request.state, "upload", None)
    if upload is None:
        raise FormUnreadableError("The form brings no file.")
    return upload


async def _read_form(request: Request) -> FormData:
    if has_file(request):
        if await find_viewer(request) is None:
            raise SignInNeededError
        request.state.upload = await read_upload(request)
        form = FormData(list(request.state.upload.fields.items()))
    elif _media_type_of(request) in (_URLENCODED, ""):
        form = await request.form()
    else:
        raise FormUnreadableError("The form cannot be read.")
    if len(form.multi_items()) > MAX_FIELDS or any("\0" in name + str(value) for name, value in form.multi_items()):
        raise FormUnreadableError("The form cannot be read.")
    return form


def _media_type_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


FormDep = Annotated[FormData, Depends(read_form)]


def text_of(form: FormData, name: str) -> str:
    """Return a text field without the white space around it; empty where there is none."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def texts_of(form: FormData, name: str) -> list[str]:
    """Return every value of a field that may come several times, such as boxes that are ticked."""
    return [value for value in form.getlist(name) if isinstance(value, str)]
