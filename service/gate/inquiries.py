"""Open what was read for one request: its security, its instant, its parties. Deciding, previewing and settling share
this.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import UnavailableError
from service.gate.assessment import Inquiry, describe_window, list_candidates
from service.gate.material import Material, Question
from service.gate.requests import check_request, resolve_trade_date
from service.gate.reservations import expire_overdue
from service.gate.rows import Head
from service.gate.windows import list_window_facts, read_windows

CLOCK_TOLERANCE = timedelta(seconds=10)


class ClockBehindError(UnavailableError):
    """This process's clock, or the database's, runs behind decisions that were already made."""

    code = "clock_behind"


class ClockSkewedError(UnavailableError):
    """This process's clock and the database's differ by more than 10 s, so one of them is wrong."""

    code = "clock_skewed"


def check_process_clock(reading: datetime, database_reading: datetime) -> None:
    """Refuse to decide by a clock that other processes would not agree with.

    Raises:
        ClockSkewedError: See ``code``.
    """
    if abs(reading - database_reading) > CLOCK_TOLERANCE:
        raise ClockSkewedError("The clocks of this process and of the database differ; nothing was decided.")


def advance_clock(head: Head, reading: datetime) -> datetime:
    """Return and keep the instant of a decision: never before the security's latest one, whatever the clock says.

    Raises:
        ClockBehindError: The clock is more than 10 s behind.
    """
    latest = head.decided_at
    if latest is not None and reading < latest:
        if latest - reading > CLOCK_TOLERANCE:
            raise ClockBehindError("The clock of this process is behind; nothing was decided.")
        return latest
    head.decided_at = reading
    return reading


def open_inquiry(material: Material, question: Question, *, now: datetime) -> Inquiry:
    """Put together what was read for a request that is to be decided, in its turn.

    Raises:
        NotFoundError, SecurityAmbiguousError: See ``Material.open``.
        InvalidInputError: The request contradicts itself or the security.
        ClockBehindError: See ``code``.
    """
    register = material.open(question).register
    check_request(question.request, currency=register.terms["currency"], now=now)
    instant = advance_clock(register.head, now)
    register.mark_head()
    expire_overdue(register, instant)
    asked, within = question.request.trade_date, register.terms["settle_within"]
    dates = resolve_trade_date(asked, now=instant, settle_within=within)
    return build_inquiry(material, question, now=instant, trade_date_in=dates)


def build_inquiry(
    material: Material, question: Question, *, now: datetime, trade_date_in: Callable[[str], date]
) -> Inquiry:
    """Put together what was read for a request.

    Raises:
        NotFoundError, SecurityAmbiguousError: See ``Material.open``.
    """
    access = material.open(question)
    return Inquiry(
        signer=material.signer,
        organization=material.organizations[question.org_id],
        registrar=material.organizations[access.register.head.org_id],
        access=access,
        records=material.records,
        holders=material.find_holders(access.register, question),
        pledges=material.pledges,
        request=question.request,
        now=now,
        trade_date_in=trade_date_in,
    )


async def look_back(connection: AsyncConnection, inquiry: Inquiry) -> Inquiry:
    """Add what limits over time look at, where the offering's rules have such limits.

    Raises:
        NotFoundError, NoOfferingError: See ``list_candidates``.
    """
    offerings = list_candidates(inquiry)
    if not any(list_window_facts(each["regime"]) for each in offerings):
        return inquiry
    window = describe_window(inquiry)
    return inquiry if window is None else replace(inquiry, windows=await read_windows(connection, window, offerings))
