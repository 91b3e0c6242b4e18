"""The cap table of a security, and the form for what was held before the register came here."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.console.forms import FormDep
from service.console.once import do_once
from service.console.platform.access import Reader, Writer, record_act
from service.console.platform.fields import Group
from service.console.platform.names import Id
from service.console.platform.paging import LENGTH, After, cut_page, next_address
from service.console.platform.security_fields import LOT_FIELDS
from service.console.platform.sheets import Sheet, save_sheet, show_sheet
from service.console.platform.shown import show_page
from service.console.routing import console_router
from service.gate import cap_table, securities
from service.gate.facts import zone_of
from service.gate.opening import add_opening_lots
from service.gate.rows import Holder
from service.gate.security_models import OpeningLot
from service.web.dependencies import ContextDep

router = console_router()


@router.get("/console/securities/{security_id}/positions")
async def show_positions(
    request: Request, security_id: Id, viewer: Reader, context: ContextDep, after: After = ""
) -> Response:
    """Show the cap table, holder by holder."""
    async with context.database.reading() as session:
        holders = await cap_table.describe_holders(session, viewer.org_id, security_id)
        positions = await cap_table.page_positions(
            session, viewer.org_id, security_id, after=_read_holder(after), limit=LENGTH + 1
        )
    page, last = cut_page(positions, lambda each: f"{each['org_id']} {each['investor_ref']}")
    return show_page(
        request,
        viewer,
        "positions.html",
        id=security_id,
        holders=holders,
        positions=page,
        following=next_address(request, last),
    )


def _read_holder(after: str) -> Holder | None:
    org_id, _, ref = after.partition(" ")
    return Holder(org_id, ref) if after else None


async def _build_sheet(session: AsyncSession, org_id: str, security_id: str) -> Sheet:
    await securities.find_security(session, org_id, security_id)
    offerings = [each["id"] for each in await securities.list_offerings(session, org_id, security_id)]
    fields = [replace(each, options=("", *offerings)) if each.path == "offering_id" else each for each in LOT_FIELDS]
    address = f"/console/securities/{security_id}"
    groups = (Group("lot", fields),)
    return Sheet("new_position", f"{address}/new-position", f"{address}/positions", groups, subject=security_id)


@router.get("/console/securities/{security_id}/new-position")
async def show_new_position(request: Request, security_id: Id, viewer: Writer, context: ContextDep) -> Response:
    """Show the form for an opening position."""
    async with context.database.reading() as session:
        sheet = await _build_sheet(session, viewer.org_id, security_id)
    return show_sheet(request, viewer, sheet)


@router.post("/console/securities/{security_id}/new-position")
async def open_position(
    request: Request, security_id: Id, viewer: Writer, context: ContextDep, form: FormDep
) -> Response:
    """Enter one opening position, once."""
    async with context.database.reading() as session:
        sheet = await _build_sheet(session, viewer.org_id, security_id)

    async def save(lot: OpeningLot) -> str:
        async def work(session: AsyncSession) -> Mapping[str, Any]:
            now = context.clock()
            today = now.astimezone(zone_of("us")).date()
            await add_opening_lots(session, viewer.org_id, security_id, [lot], now=now, today=today)
            record_act(session, context, viewer, "positions.open", security_id)
            return {}

        await do_once(request, viewer, form, work)
        return f"/console/securities/{security_id}/positions"

    return await save_sheet(request, viewer, sheet, form, OpeningLot, save)
