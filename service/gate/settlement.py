"""End a reservation on the venue's word: settle it, after checking again, or give it up."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.gate.assessment import Assessment, Inquiry, Own, assess
from service.gate.facts import zone_of
from service.gate.redaction import redact
from service.gate.reservations import Ending, expire_overdue, list_reserved_parts, release, settle
from service.gate.securities import Access, find_security, open_security, read_security_terms
from service.gate.transfer_models import TransferRequest
from service.gate.transfers import advance_clock
from service.storage.tables import Organization, Reservation, ReservationEnding, Transfer
from service.web.context import Context

SETTLED, VOID, EXPIRED, HELD = "settled", "void", "expired", "held"


class NoReservationError(ConflictError):
    """The decision was no permit, so there is nothing to settle or void."""

    code = "no_reservation"


class ReservationEndedError(ConflictError):
    """The reservation ended in another way."""

    code = "reservation_ended"


class SettlementRefusedError(ConflictError):
    """What the permit rested on no longer holds. The reservation is void; ``errors`` hold the reasons."""

    code = "settlement_refused"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a reservation ended, and the reasons if a settlement was refused."""

    transfer: Transfer
    ending: ReservationEnding
    refusal: list[dict[str, Any]] | None = None


async def settle_transfer(context: Context, org_id: str, transfer_id: str, *, reference: str, sees_all: bool) -> Ended:
    """Turn a reservation into lots, if everything still holds; settling again changes nothing.

    Args:
        sees_all: Whether the caller may see AML and sanctions reasons of a refusal.

    Raises:
        NotFoundError: The caller asked for no such transfer.
        NoReservationError, ReservationEndedError, SettlementRefusedError: See ``code``.
    """
    async with context.database.transaction() as session:
        ended = await _settle(session, context, org_id, transfer_id, reference, sees_all=sees_all)
    # Raised after the commit: the refusal itself, and an expiry found on the way, are kept.
    if ended.refusal is not None:
        raise SettlementRefusedError("The transfer is no longer permitted.", errors=ended.refusal)
    return _require_state(ended, SETTLED)


async def void_transfer(context: Context, org_id: str, transfer_id: str, *, reason: str) -> Ended:
    """Give a reservation up; voiding again changes nothing.

    Raises:
        NotFoundError: The caller asked for no such transfer.
        NoReservationError, ReservationEndedError: See ``code``.
    """
    async with context.database.transaction() as session:
        opened = await _open_reservation(session, context, org_id, transfer_id)
        if isinstance(opened, Ended):
            ended = opened
        else:
            await release(session, opened.access.head, opened.reservation, Ending(VOID, opened.now, reason=reason))
            ended = await _find_ended(session, opened.transfer)
    return _require_state(ended, VOID)


def _require_state(ended: Ended, state: str) -> Ended:
    if ended.ending.state != state:
        raise ReservationEndedError(f"The reservation ended: {ended.ending.state}.")
    return ended


@dataclass(frozen=True, slots=True)
class _Open:
    """A reservation that is held, under the lock of its security."""

    transfer: Transfer
    reservation: Reservation
    access: Access
    now: datetime


async def _open_reservation(session: AsyncSession, context: Context, org_id: str, transfer_id: str) -> _Open | Ended:
    transfer = await session.get(Transfer, (org_id, transfer_id))
    if transfer is None:
        raise NotFoundError
    head = await find_security(session, transfer.registrar_org_id, transfer.security_id, lock=True)
    now = advance_clock(head, context.clock())
    await expire_overdue(session, head, now)
    reservation = await session.get(Reservation, (org_id, transfer_id))
    if reservation is None:
        raise NoReservationError("The decision reserved nothing.")
    if not reservation.held:
        return await _find_ended(session, transfer)
    access = Access(head, await read_security_terms(session, head), None)
    return _Open(transfer, reservation, access, now)


async def _find_ended(session: AsyncSession, transfer: Transfer) -> Ended:
    await session.flush()
    return Ended(transfer, await session.get_one(ReservationEnding, (transfer.org_id, transfer.id)))


async def _settle(
    session: AsyncSession, context: Context, org_id: str, transfer_id: str, reference: str, *, sees_all: bool
) -> Ended:
    opened = await _open_reservation(session, context, org_id, transfer_id)
    if isinstance(opened, Ended):
        return opened
    assessment = await _assess_again(session, context, opened)
    head, transfer, reservation = opened.access.head, opened.transfer, opened.reservation
    if assessment.verdict.outcome != "permit":
        await release(session, head, reservation, Ending(VOID, opened.now, reason=SettlementRefusedError.code))
        found = await _find_ended(session, transfer)
        seen = assessment.verdict if sees_all else redact(assessment.verdict)
        return Ended(transfer, found.ending, list(seen.reasons))
    zone = zone_of(assessment.parts[0].offering["regime"])
    today = max(transfer.trade_date, opened.now.astimezone(zone).date())
    ending = Ending(SETTLED, opened.now, reference=reference)
    obligations = {each["code"] for each in assessment.verdict.obligations}
    hold_only = "OBL_HOLD_ONLY" in obligations
    await settle(
        session,
        head,
        transfer,
        reservation,
        ending,
        category=assessment.category,
        today=today,
        hold_only=hold_only,
    )
    return await _find_ended(session, transfer)


async def _assess_again(session: AsyncSession, context: Context, opened: _Open) -> Assessment:
    """Evaluate the same request with what is known now.

    The trade date stays: what the law counts from the sale is counted from there. But who settles earlier has sold
    earlier, and a holding period that would be over on the trade date may still be running.
    """
    transfer, reservation = opened.transfer, opened.reservation

    def find_sale_date(regime: str) -> date:
        return min(transfer.trade_date, opened.now.astimezone(zone_of(regime)).date())

    inquiry = Inquiry(
        session=session,
        context=context,
        organization=await session.get_one(Organization, transfer.org_id),
        access=await open_security(session, transfer.org_id, transfer.security_id, lock=False),
        request=TransferRequest.model_validate(transfer.request),
        now=opened.now,
        trade_date_in=find_sale_date,
        decides=True,
    )
    own = Own(
        parts=await list_reserved_parts(session, reservation),
        quantity=reservation.quantity if reservation.taker_ref is not None else 0,
        new_quantity=reservation.new_quantity,
        transfer_id=transfer.id,
        offering_id=transfer.offering_id,
    )
    return await assess(inquiry, own=own)


async def find_transfer(session: AsyncSession, org_id: str, transfer_id: str) -> Transfer:
    """Return a transfer that the organisation asked for, or that was made on its register.

    Raises:
        NotFoundError: Neither.
    """
    query = select(Transfer).where(
        Transfer.id == transfer_id, or_(Transfer.org_id == org_id, Transfer.registrar_org_id == org_id)
    )
    transfer = (await session.exec(query)).first()
    if transfer is None:
        raise NotFoundError
    return transfer


async def read_reservation_state(session: AsyncSession, transfer: Transfer, *, now: datetime) -> str | None:
    """Return ``held``, ``settled``, ``void`` or ``expired``; None if nothing was reserved."""
    if transfer.outcome != "permit":
        return None
    ending = await session.get(ReservationEnding, (transfer.org_id, transfer.id))
    if ending is not None:
        return ending.state
    return HELD if now < transfer.expires_at else EXPIRED
