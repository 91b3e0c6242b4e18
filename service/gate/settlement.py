"""End a reservation on the venue's word, in its turn: settle it, after checking again, or give it up."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlmodel import or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, NotFoundError
from service.gate.assessment import Assessment, Inquiry, Own, assess
from service.gate.facts import zone_of
from service.gate.inquiries import advance_clock, build_inquiry, look_back
from service.gate.material import Question
from service.gate.purchases import give_up_sales, settle_sale
from service.gate.redaction import redact
from service.gate.register import Held, Register
from service.gate.reservations import EXPIRED, HELD, SETTLED, VOID, Ending, expire_overdue, release, settle
from service.gate.rows import TransferRow
from service.gate.turn import Turn
from service.storage.tables import ReservationEnding, Transfer


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

    transfer: TransferRow
    state: str
    refusal: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class _Open:
    """A reservation that is held."""

    question: Question
    transfer: TransferRow
    register: Register
    held: Held
    now: datetime


async def settle_in_turn(turn: Turn, question: Question, *, reference: str, sees_all: bool) -> Ended:
    """Turn a reservation into lots, if everything still holds; settling again changes nothing.

    Args:
        sees_all: Whether the caller may see AML and sanctions reasons of a refusal.

    Raises:
        NoReservationError: See ``code``.
    """
    opened = _open_reservation(turn, question)
    if isinstance(opened, Ended):
        return opened
    inquiry = await look_back(turn.connection, _ask_again(turn, opened))
    assessment = assess(inquiry)
    if assessment.verdict.outcome != "permit":
        await _release(turn, opened, Ending(VOID, opened.now, reason=SettlementRefusedError.code))
        seen = assessment.verdict if sees_all else redact(assessment.verdict)
        return Ended(opened.transfer, VOID, list(seen.reasons))
    await _settle(turn, opened, inquiry, assessment, reference)
    return Ended(opened.transfer, SETTLED)


async def void_in_turn(turn: Turn, question: Question, *, reason: str) -> Ended:
    """Give a reservation up; voiding again changes nothing.

    Raises:
        NoReservationError: See ``code``.
    """
    opened = _open_reservation(turn, question)
    if isinstance(opened, Ended):
        return opened
    await _release(turn, opened, Ending(VOID, opened.now, reason=reason))
    return Ended(opened.transfer, VOID)


def require_state(ended: Ended, state: str) -> Ended:
    """Return how a reservation ended, if that is what was asked for.

    Raises:
        ReservationEndedError, SettlementRefusedError: See ``code``.
    """
    if ended.refusal is not None:
        raise SettlementRefusedError("The transfer is no longer permitted.", errors=ended.refusal)
    if ended.state != state:
        raise ReservationEndedError(f"The reservation ended: {ended.state}.")
    return ended


def _open_reservation(turn: Turn, question: Question) -> _Open | Ended:
    transfer = question.transfer
    assert transfer is not None  # who asks to end a reservation named it
    register = turn.material.open(question).register
    now = advance_clock(register.head, turn.material.now)
    register.mark_head()
    key = (transfer.org_id, transfer.id)
    if key in {held.key for held in expire_overdue(register, now)}:
        return Ended(transfer, EXPIRED)
    if transfer.outcome != "permit":
        raise NoReservationError("The decision reserved nothing.")
    held = register.held.get(key)
    if held is None:
        return Ended(transfer, turn.find_ending(key))
    return _Open(question, transfer, register, held, now)


async def _release(turn: Turn, opened: _Open, ending: Ending) -> None:
    release(opened.register, opened.held, ending)
    # At once: requests of the same batch may look back at sales.
    await give_up_sales(turn.connection, [(opened.register.head.org_id, opened.transfer.id)])


def _ask_again(turn: Turn, opened: _Open) -> Inquiry:
    """Ask the same with what is known now.

    The trade date stays: what the law counts from the sale is counted from there. But who settles earlier has sold
    earlier, and a holding period that would be over on the trade date may still be running.
    """
    transfer = opened.transfer

    def find_sale_date(regime: str) -> date:
        return min(transfer.trade_date, opened.now.astimezone(zone_of(regime)).date())

    inquiry = build_inquiry(turn.material, opened.question, now=opened.now, trade_date_in=find_sale_date)
    taker = opened.held.row.taker
    promised = {transfer.buyer_ref: taker} if transfer.buyer_ref is not None and taker is not None else {}
    return replace(inquiry, own=Own(transfer, opened.held), holders={**inquiry.holders, **promised})


async def _settle(turn: Turn, opened: _Open, inquiry: Inquiry, assessment: Assessment, reference: str) -> None:
    transfer, register = opened.transfer, opened.register
    zone = zone_of(assessment.parts[0].offering["regime"])
    obligations = {each["code"] for each in assessment.verdict.obligations}
    settle(
        register,
        transfer,
        opened.held,
        Ending(SETTLED, opened.now, reference=reference),
        category=assessment.category,
        today=max(transfer.trade_date, opened.now.astimezone(zone).date()),
        taker=inquiry.holders[transfer.buyer_ref] if transfer.buyer_ref is not None else None,
        hold_only="OBL_HOLD_ONLY" in obligations,
    )
    if transfer.action == "primary":
        await settle_sale(turn.connection, register.head.org_id, transfer.id)


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
