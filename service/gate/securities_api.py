"""The register over HTTP: securities, offerings, grants, positions."""

from typing import Annotated, Any

from fastapi import Depends, Path, Request, Response
from fastapi.responses import JSONResponse
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate import cap_table, offerees, opening, securities
from service.gate.answer_models import (
    GrantAnswer,
    HoldersAnswer,
    LotsAnswer,
    OffereeAnswer,
    OfferingAnswer,
    PositionAnswer,
    SecurityAnswer,
)
from service.gate.facts import zone_of
from service.gate.past_register import list_positions_as_of
from service.gate.securities import Saved
from service.gate.security_models import GrantTerms, OffereeEntry, OfferingTerms, OpeningPositions, SecurityTerms
from service.web.auth import Caller, require_scope
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once
from service.web.instants import AsOf, resolve_as_of
from service.web.models import Page
from service.web.openapi import answers, takes_idempotency_key
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

GateCaller = Annotated[Caller, Depends(require_scope("gate"))]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
router = v1_router("gate")


def _answer(saved: Saved) -> JSONResponse:
    return JSONResponse(saved.body, status_code=201 if saved.created else 200)


@router.put("/securities/{security_id}", responses=answers(SecurityAnswer, 200, 201))
async def put_security(security_id: Id, body: SecurityTerms, context: ContextDep, caller: GateCaller) -> Response:
    """Create a security, or give it a new version."""
    async with context.database.transaction() as session:
        saved = await securities.put_security(session, caller.org_id, security_id, body, now=context.clock())
    return _answer(saved)


@router.get("/securities", responses=answers(Page[SecurityAnswer]))
async def list_securities(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: GateCaller,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List the caller's securities."""
    async with context.database.reading() as session:
        items = await securities.list_securities(session, caller.org_id, after=after, limit=limit + 1)
    return page_of(request, response, items, limit=limit)


@router.get("/securities/{security_id}", responses=answers(SecurityAnswer))
async def get_security(security_id: Id, context: ContextDep, caller: GateCaller) -> dict[str, Any]:
    """Return a security that the caller keeps, or was granted."""
    async with context.database.reading() as session:
        access = await securities.open_security(session, caller.org_id, security_id, lock=False)
    return securities.describe_security(access.head, access.terms)


@router.put("/securities/{security_id}/offerings/{offering_id}", responses=answers(OfferingAnswer, 200, 201))
async def put_offering(
    security_id: Id, offering_id: Id, body: OfferingTerms, context: ContextDep, caller: GateCaller
) -> Response:
    """Create an offering, or give it a new version."""
    async with context.database.transaction() as session:
        saved = await securities.put_offering(
            session, caller.org_id, security_id, offering_id, body, now=context.clock()
        )
    return _answer(saved)


@router.get("/securities/{security_id}/offerings", responses=answers(Page[OfferingAnswer]))
async def list_offerings(security_id: Id, context: ContextDep, caller: GateCaller) -> dict[str, Any]:
    """List a security's offerings."""
    async with context.database.reading() as session:
        access = await securities.open_security(session, caller.org_id, security_id, lock=False)
        items = await securities.list_offerings(session, access.head.org_id, security_id)
    return {"data": items, "next": None}


@router.get("/securities/{security_id}/offerings/{offering_id}", responses=answers(OfferingAnswer))
async def get_offering(security_id: Id, offering_id: Id, context: ContextDep, caller: GateCaller) -> dict[str, Any]:
    """Return one offering."""
    async with context.database.reading() as session:
        access = await securities.open_security(session, caller.org_id, security_id, lock=False)
        return await securities.get_offering(session, access.head.org_id, security_id, offering_id)


@router.post(
    "/securities/{security_id}/offerings/{offering_id}/offerees",
    responses=answers(OffereeAnswer, 200, 201),
    openapi_extra=takes_idempotency_key(),
)
async def record_offeree(
    security_id: Id, offering_id: Id, body: OffereeEntry, request: Request, context: ContextDep, caller: GateCaller
) -> Response:
    """Record an offer that was made; the same investor again changes nothing."""

    async def handle(session: AsyncSession) -> Answer:
        saved = await offerees.record_offeree(
            session, context, caller.org_id, (security_id, offering_id), body, now=context.clock()
        )
        return Answer(201 if saved.created else 200, saved.body)

    return await answer_once(context, request, caller, handle)


@router.get("/securities/{security_id}/offerings/{offering_id}/offerees", responses=answers(Page[OffereeAnswer]))
async def list_offerees(
    security_id: Id,
    offering_id: Id,
    request: Request,
    response: Response,
    context: ContextDep,
    caller: GateCaller,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List offers that were made: the registrar sees all of them, a venue its own."""
    async with context.database.reading() as session:
        items = await offerees.list_offerees(
            session, caller.org_id, (security_id, offering_id), after=after, limit=limit + 1
        )
    return page_of(request, response, items, limit=limit)


@router.put("/securities/{security_id}/grants/{org_id}", responses=answers(GrantAnswer, 200, 201))
async def put_grant(security_id: Id, org_id: Id, body: GrantTerms, context: ContextDep, caller: GateCaller) -> Response:
    """Let a venue gate on the caller's security."""
    async with context.database.transaction() as session:
        saved = await securities.put_grant(session, caller.org_id, security_id, org_id, body, now=context.clock())
    return _answer(saved)


@router.delete("/securities/{security_id}/grants/{org_id}", status_code=204)
async def delete_grant(security_id: Id, org_id: Id, context: ContextDep, caller: GateCaller) -> None:
    """Withdraw a venue's grant; its next transfer is denied."""
    async with context.database.transaction() as session:
        await securities.withdraw_grant(session, caller.org_id, security_id, org_id, now=context.clock())


@router.post(
    "/securities/{security_id}/positions",
    status_code=201,
    responses=answers(LotsAnswer, 201),
    openapi_extra=takes_idempotency_key(),
)
async def open_positions(
    security_id: Id, body: OpeningPositions, request: Request, context: ContextDep, caller: GateCaller
) -> Response:
    """Enter opening balances: all lots or none."""

    async def handle(session: AsyncSession) -> Answer:
        return Answer(201, {"lots": await _enter(session, context, caller, security_id, body)})

    return await answer_once(context, request, caller, handle)


async def _enter(
    session: AsyncSession, context: Context, caller: Caller, security_id: str, body: OpeningPositions
) -> list[dict[str, Any]]:
    now = context.clock()
    today = now.astimezone(zone_of("us")).date()
    return await opening.add_opening_lots(session, caller.org_id, security_id, body.lots, now=now, today=today)


@router.get("/securities/{security_id}/positions", responses=answers(Page[PositionAnswer]))
async def list_positions(
    security_id: Id, context: ContextDep, caller: GateCaller, as_of: AsOf = None
) -> dict[str, Any]:
    """Return the cap table; with `as_of`, as it stood at that instant."""
    at = None if as_of is None else resolve_as_of(as_of, context.clock())
    async with context.database.reading() as session:
        if at is None:
            data = await cap_table.list_positions(session, caller.org_id, security_id)
        else:
            data = await list_positions_as_of(session, caller.org_id, security_id, at)
    return {"data": data, "next": None}


@router.get("/securities/{security_id}/holders", responses=answers(HoldersAnswer))
async def count_holders(security_id: Id, context: ContextDep, caller: GateCaller) -> dict[str, Any]:
    """Return the counters of holders, by category against the issuer's caps, and of quantities."""
    async with context.database.reading() as session:
        return await cap_table.describe_holders(session, caller.org_id, security_id)
