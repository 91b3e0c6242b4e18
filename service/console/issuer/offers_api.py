"""An offer: its QR code and link, and whether the investor has come for it."""

from typing import Any

from fastapi import Request, Response

from service.console.issuer.access import Officer, Reader
from service.console.issuer.claims_form import name_type
from service.console.once import Result
from service.console.pages import redirect, render
from service.console.routing import console_router
from service.console.translation import translate
from service.console.viewer import Viewer
from service.credentials.configurations import CONFIGURATIONS
from service.issuer.identity import get_issuer
from service.issuer.offers import PENDING, cancel_offer, describe_offer, get_offer, load_offer
from service.web.context import Context
from service.web.dependencies import ContextDep
from service.web.qr_code import draw_qr_code

ADDRESS = "/console/offers"
router = console_router()


@router.get(ADDRESS + "/{offer_id}")
async def show_offer(offer_id: str, request: Request, context: ContextDep, viewer: Reader) -> Response:
    """Show an offer; its code was shown when it was made, and is not known here any more."""
    return await render_offer(request, context, viewer, offer_id)


@router.get(ADDRESS + "/{offer_id}/state")
async def show_state(offer_id: str, request: Request, context: ContextDep, viewer: Reader) -> Response:
    """Show what became of the offer, as the part of its page that renews itself."""
    async with context.database.reading() as session:
        view = await get_offer(session, viewer.org_id, offer_id, now=context.clock())
    return render(request, viewer, "issuer/_offer_state.html", offer=view, is_pending=view.state == PENDING)


@router.post(ADDRESS + "/{offer_id}/cancel")
async def cancel(offer_id: str, context: ContextDep, viewer: Officer) -> Response:
    """Make an offer useless that nobody has come for."""
    async with context.database.transaction() as session:
        await cancel_offer(session, viewer.org_id, offer_id, now=context.clock())
    return redirect(f"{ADDRESS}/{offer_id}")


async def render_made(request: Request, context: Context, viewer: Viewer, made: Result) -> Response:
    """Render a new offer with its code.

    Args:
        made: ``offer_id`` and ``tx_code``, as ``do_once`` keeps them; the same form sent again comes here again.
    """
    return await render_offer(request, context, viewer, made["offer_id"], tx_code=made["tx_code"], is_new=True)


async def render_offer(request: Request, context: Context, viewer: Viewer, offer_id: str, **more: Any) -> Response:
    """Render an offer.

    Raises:
        NotFoundError: None of this id, or another organisation's.
    """
    async with context.database.reading() as session:
        view = await get_offer(session, viewer.org_id, offer_id, now=context.clock())
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=viewer.org_id)
        row = await load_offer(session, viewer.org_id, offer_id)
    is_pending = view.state == PENDING
    links = describe_offer(context.signer, issuer, row)
    kind = CONFIGURATIONS[view.credential_configuration_id].kind.name
    values: dict[str, Any] = {
        "offer": view,
        "is_pending": is_pending,
        "type_name": name_type(kind, viewer.language),
        "needs_code": row.tx_code_digest is not None,
        "links": links,
        "qr_code": await draw_qr_code(links.deep_link, title=translate(viewer.language, "offers.qr"))
        if is_pending
        else "",
        "tx_code": None,
        "is_new": False,
    }
    return render(request, viewer, "issuer/offer.html", **values | more)
