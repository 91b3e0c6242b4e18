"""One decision: why, on what grounds, from which facts; made again; found in the log; settled or given up."""

import json
from typing import Any

from fastapi import Request, Response

from service.console.forms import FormDep, text_of
from service.console.pages import explain, redirect
from service.console.platform.access import Reader, Writer, as_caller, record_act, sees_all
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.console.viewer import Viewer
from service.errors import ConflictError, InvalidInputError, NotFoundError, ServiceError
from service.gate.bundle_reading import check_bundle_readable, list_facts, read_bundle
from service.gate.decisions import build_answer
from service.gate.pipeline import settle_transfer, void_transfer
from service.gate.receipts import read_log_state
from service.gate.replay import replay_text
from service.gate.settlement import SettlementRefusedError, find_transfer, read_reservation_state
from service.gate.transfer_models import Settlement, Voiding
from service.gate.transfers import read_signed
from service.storage.tables import Transfer
from service.web.accesses import record_access
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.problems import status_of

router = console_router()
_PATH = "/console/decisions/{transfer_id}"


class EndingTextError(InvalidInputError):
    """A reference has 1 to 200 characters, a reason 1 to 500."""

    code = "ending_text_invalid"


async def _find(context: Context, viewer: Viewer, transfer_id: str) -> Transfer:
    async with context.database.reading() as session:
        return await find_transfer(session, viewer.org_id, transfer_id)


async def _show(
    request: Request, viewer: Viewer, context: Context, transfer_id: str, *, status: int = 200, **more: Any
) -> Response:
    """Show a decision in the form that the viewer may see."""
    async with context.database.reading() as session:
        transfer = await find_transfer(session, viewer.org_id, transfer_id)
        state = await read_reservation_state(session, transfer, now=context.clock())
        log = await read_log_state(session, transfer)
    signed = read_signed(transfer, sees_all=sees_all(viewer))
    values = {
        "decision": build_answer(signed, reservation_state=state, log=log),
        "own": transfer.org_id == viewer.org_id,
        "parties": _name_parties(transfer, viewer),
        "registrar_is_viewer": transfer.registrar_org_id == viewer.org_id,
        "withheld": transfer.outward_payload is not None and not sees_all(viewer),
        "refusal": [],
        "decided_at": transfer.decided_at,
    }
    return show_page(request, viewer, "decision.html", status=status, **values | more)


def _name_parties(transfer: Transfer, viewer: Viewer) -> dict[str, str | None]:
    """Return the parties by the venue's names for them, which are for the venue alone."""
    if transfer.org_id != viewer.org_id:
        return {}
    pledgor = (transfer.request.get("pledgor") or {}).get("investor_ref")
    return {"seller": transfer.seller_ref, "buyer": transfer.buyer_ref, "pledgor": pledgor}


@router.get(_PATH)
async def show_decision(request: Request, transfer_id: str, viewer: Reader, context: ContextDep) -> Response:
    """Show a decision with every reason."""
    return await _show(request, viewer, context, transfer_id)


@router.get(_PATH + "/facts")
async def show_facts(request: Request, transfer_id: str, viewer: Reader, context: ContextDep) -> Response:
    """Show what the decision was made from and where each fact came from; the reading is recorded."""
    transfer = await _find(context, viewer, transfer_id)
    check_bundle_readable(transfer, sees_all=sees_all(viewer))
    await _record_reading(context, viewer, transfer)
    bundle = await read_bundle(context, transfer)
    parts = [(each["offering"], list(list_facts(each))) for each in bundle["evaluations"]]
    return show_page(
        request, viewer, "decision_facts.html", id=transfer.id, parts=parts, credentials=bundle["credentials"]
    )


async def _record_reading(context: Context, viewer: Viewer, transfer: Transfer) -> None:
    refs = [transfer.seller_ref, transfer.buyer_ref]
    await record_access(context, as_caller(viewer), object_kind="bundle", object_id=transfer.id, investor_refs=refs)


@router.post(_PATH + "/replay")
async def replay(request: Request, transfer_id: str, viewer: Reader, context: ContextDep) -> Response:
    """Make the decision again from its bundle and say whether the same comes out."""
    transfer = await _find(context, viewer, transfer_id)
    check_bundle_readable(transfer, sees_all=sees_all(viewer))
    await _record_reading(context, viewer, transfer)
    bundle = await read_bundle(context, transfer)
    mismatches = replay_text(json.dumps(bundle, ensure_ascii=False).encode())
    return await _show(request, viewer, context, transfer_id, replayed=True, mismatches=mismatches)


@router.post(_PATH + "/settle")
async def settle(request: Request, transfer_id: str, viewer: Writer, context: ContextDep, form: FormDep) -> Response:
    """Settle a permitted transfer, if everything still holds."""
    reference = text_of(form, "reference")
    try:
        _check_text(Settlement, reference=reference)
        await _begin(context, viewer, transfer_id, "transfer.settle")
        await settle_transfer(context, viewer.org_id, transfer_id, reference=reference, sees_all=sees_all(viewer))
    except SettlementRefusedError as error:
        return await _show_failure(request, viewer, context, transfer_id, error, refusal=error.errors)
    except (ConflictError, EndingTextError) as error:
        return await _show_failure(request, viewer, context, transfer_id, error, typed=reference)
    return redirect(f"/console/decisions/{transfer_id}")


@router.post(_PATH + "/void")
async def void(request: Request, transfer_id: str, viewer: Writer, context: ContextDep, form: FormDep) -> Response:
    """Give a reservation up."""
    reason = text_of(form, "reason")
    try:
        _check_text(Voiding, reason=reason)
        await _begin(context, viewer, transfer_id, "transfer.void")
        await void_transfer(context, viewer.org_id, transfer_id, reason=reason)
    except (ConflictError, EndingTextError) as error:
        return await _show_failure(request, viewer, context, transfer_id, error, typed=reason)
    return redirect(f"/console/decisions/{transfer_id}")


async def _begin(context: Context, viewer: Viewer, transfer_id: str, action: str) -> None:
    """Record who is about to end a reservation: the gate's own entry is written in the batch that ends it.

    Raises:
        NotFoundError: The viewer's organisation did not ask for such a transfer; whoever did ends it.
    """
    async with context.database.transaction() as session:
        transfer = await find_transfer(session, viewer.org_id, transfer_id)
        if transfer.org_id != viewer.org_id:
            raise NotFoundError
        record_act(session, context, viewer, action, transfer_id)


def _check_text(model: type[Settlement] | type[Voiding], **values: str) -> None:
    try:
        model(**values)
    except ValueError:
        raise EndingTextError("A reference has 1 to 200 characters, a reason 1 to 500.") from None


async def _show_failure(
    request: Request, viewer: Viewer, context: Context, transfer_id: str, error: ServiceError, **more: Any
) -> Response:
    problem = explain(viewer.language, error)
    return await _show(request, viewer, context, transfer_id, status=status_of(type(error)), problem=problem, **more)
