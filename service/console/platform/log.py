"""The log: its newest head, and receipts checked step by step."""

from typing import Any

from fastapi import Request, Response

from service.console.forms import FormDep, text_of
from service.console.pages import explain
from service.console.platform.access import Reader, sees_all
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.credentials.jose import MalformedJoseError, parse_json
from service.credentials.receipt import MalformedReceiptError, ReceiptPath, trace_receipt
from service.credentials.signed_note import VerifierKey
from service.errors import ServiceError
from service.gate.bundle_reading import check_receipt_readable
from service.gate.receipts import ReceiptPendingError, build_receipt
from service.gate.settlement import find_transfer
from service.log.identity import describe_log, list_log_keys
from service.storage.log import read_newest_checkpoint
from service.storage.tables import Transfer
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.problems import status_of

router = console_router()
_LONGEST = 65_536


@router.get("/console/log")
async def show_log(request: Request, viewer: Reader, context: ContextDep) -> Response:
    """Show the newest checkpoint, and the form for a receipt."""
    return await _show(request, viewer, context)


async def _show(request: Request, viewer: Any, context: Context, *, status: int = 200, **more: Any) -> Response:
    async with context.database.reading() as session:
        newest = await read_newest_checkpoint(session, published=True)
        log = await describe_log(session, context.base_url, context.clock())
    values = {"newest": newest, "log": log, "path_shown": None, "record": None, "typed": ""}
    return show_page(request, viewer, "log.html", status=status, **values | more)


@router.post("/console/log")
async def check_receipt(request: Request, viewer: Reader, context: ContextDep, form: FormDep) -> Response:
    """Check a receipt that was pasted."""
    typed = text_of(form, "receipt")
    try:
        receipt = _read_receipt(typed)
        found = trace_receipt(receipt, expected_keys=await _list_keys(context))
    except ServiceError as error:
        problem = explain(viewer.language, error)
        return await _show(request, viewer, context, status=status_of(type(error)), typed=typed, problem=problem)
    return await _show(request, viewer, context, typed=typed, path_shown=found, record=receipt["record"])


def _read_receipt(text: str) -> dict[str, Any]:
    try:
        receipt = parse_json(text.encode(), max_bytes=_LONGEST)
    except MalformedJoseError:
        raise MalformedReceiptError("This is no receipt.") from None
    if not isinstance(receipt, dict):
        raise MalformedReceiptError("This is no receipt.")
    return receipt


async def _list_keys(context: Context) -> list[VerifierKey]:
    async with context.database.reading() as session:
        return await list_log_keys(session, context.base_url, context.clock())


@router.get("/console/decisions/{transfer_id}/receipt")
async def show_receipt(request: Request, transfer_id: str, viewer: Reader, context: ContextDep) -> Response:
    """Check step by step that the log holds a decision."""
    async with context.database.reading() as session:
        transfer = await find_transfer(session, viewer.org_id, transfer_id)
        check_receipt_readable(transfer, sees_all=sees_all(viewer))
        try:
            receipt = await build_receipt(session, transfer)
        except ReceiptPendingError:
            return show_page(request, viewer, "receipt.html", id=transfer.id, path_shown=None)
    found = trace_receipt(receipt, expected_keys=await _list_keys(context))
    return show_page(
        request,
        viewer,
        "receipt.html",
        id=transfer.id,
        path_shown=found,
        record=receipt["record"],
        receipt=receipt,
        same_hash=_names(receipt, transfer, found),
    )


def _names(receipt: dict[str, Any], transfer: Transfer, found: ReceiptPath) -> bool:
    """Tell whether the logged record is about this decision, with the hash that it has here."""
    record = receipt["record"]
    is_it = record["subject_id"] == transfer.id and record["record"]["decision_hash"] == transfer.decision_hash
    return is_it and found.root == found.checkpoint.root
