"""Forms that do a thing once, however often they are sent: by a double click, the back button, a lost answer."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import FormData

from service.console.forms import FormUnreadableError, text_of
from service.console.viewer import Viewer
from service.errors import ConflictError
from service.storage.database import is_duplicate
from service.storage.tables import IdempotencyRecord
from service.web.context import Context
from service.web.dependencies import get_context

_SEAL = "idempotency"
_OF_THE_PAGE = frozenset({"form_token", "once"})
Result = Mapping[str, Any]


class FormSentBeforeError(ConflictError):
    """The form was sent before with other entries, as after the back button; these were not dealt with."""

    code = "form_sent_before"


async def do_once(
    request: Request,
    viewer: Viewer,
    form: FormData,
    work: Callable[[AsyncSession], Awaitable[Result]],
    *,
    subject: str | None = None,
) -> Result:
    """Do a form's work in one transaction, or return what it came to before.

    Args:
        form: Has the hidden field ``once`` of the page that it is on.
        work: Returns JSON values, which are kept sealed for some days.
        subject: Whom the result tells of, as ``service.storage.subject_keys`` names them.

    Raises:
        FormSentBeforeError: See there.
        FormUnreadableError: The form has no ``once``.
        ServiceError: What ``work`` raises; nothing is kept then, so that the form can be sent again.
    """
    context, once = get_context(request), text_of(form, "once")
    if not once:
        raise FormUnreadableError("The form has no mark by which it is known again.")
    key, entries = _key_of(viewer, request.url.path, once), _digest_entries(form)
    try:
        return await _do(context, viewer, key, entries, work, subject)
    except DBAPIError as error:
        kept = await _find_result(context, viewer, key, entries) if is_duplicate(error) else None
        if kept is None:
            raise
        return kept


async def _do(
    context: Context,
    viewer: Viewer,
    key: str,
    entries: str,
    work: Callable[[AsyncSession], Awaitable[Result]],
    subject: str | None,
) -> Result:
    async with context.database.transaction() as session:
        record = IdempotencyRecord(
            org_id=viewer.org_id,
            key=key,
            request_sha256=entries,
            status=200,
            subject=subject,
            sealed_body=b"",
            created_at=context.clock(),
        )
        session.add(record)
        await session.flush()  # a second one waits here for the first to commit, and fails
        result = await work(session)
        record.sealed_body = context.signer.seal(json.dumps(result).encode(), purpose=_SEAL)
    return result


async def _find_result(context: Context, viewer: Viewer, key: str, entries: str) -> Result | None:
    async with context.database.reading() as session:
        record = await session.get(IdempotencyRecord, (viewer.org_id, key))
    if record is None:
        return None
    if record.request_sha256 != entries:
        raise FormSentBeforeError("This form was sent before with other entries; these were not dealt with.")
    result: Result = json.loads(context.signer.unseal(record.sealed_body, purpose=_SEAL))
    return result


def _key_of(viewer: Viewer, path: str, once: str) -> str:
    return "console:" + hashlib.sha256(f"{viewer.account_id}\n{path}\n{once}".encode()).hexdigest()


def _digest_entries(form: FormData) -> str:
    """Tell by a digest whether a form comes with the entries that it came with before."""
    entries = [(name, str(value)) for name, value in form.multi_items() if name not in _OF_THE_PAGE]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()
