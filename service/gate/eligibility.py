"""Which investors may take part in which securities, as far as that can be told before there is a trade.

The same reading and the same rules as a decision's, many at once; nothing is reserved or recorded. What nobody can know
yet, such as the price or who sells, is left out: a rule that needs it is reported as open, and never passes for it.

Source: api.md section 4, ``POST /v1/eligibility``.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ForbiddenError, NotFoundError
from service.gate.assessment import Assessment, Inquiry, NoOfferingError, assess_each_offering
from service.gate.decisions import format_instant
from service.gate.eligibility_end import find_end
from service.gate.eligibility_models import EligibilityRequest
from service.gate.inquiries import build_inquiry, look_back
from service.gate.material import Material, Question, find_securities, read_material
from service.gate.past_material import COUNTED, step_back
from service.gate.pipeline import pipeline_of
from service.gate.redaction import ASK_FOR_REVIEW, redact
from service.gate.requests import WITHOUT_BUYER, InvalidTransferError, resolve_trade_date
from service.gate.reservations import expire_overdue
from service.gate.transfer_models import PartyInTrade, PartyRef, Price, TransferRequest
from service.gate.verdict import SEVERITY
from service.rules.law import Law, choose_law, choose_law_on
from service.web.context import Context
from service.web.instants import resolve_as_of

_CELLS_AT_A_TIME = 16
_MISSING = "INPUT_MISSING"
_NO_PRICE = Price(amount="0", currency="USD")
"""Stands where none is asked about; it is withheld from the rules."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One investor and one security, evaluated under the offering that answers most mildly.

    Attributes:
        open: Facts that nobody can supply before there is a trade, and on which rules would still depend.
    """

    assessment: Assessment
    reasons: Sequence[dict[str, Any]]
    open: Sequence[str]

    @property
    def outcome(self) -> str:
        """``permit`` if nothing that is known stands against it."""
        if not self.reasons:
            return "permit"
        return "review" if {each["code"] for each in self.reasons} <= ASK_FOR_REVIEW else "deny"


class EligibilityRestrictedError(ForbiddenError):
    """The past would tell apart what is withheld today."""

    code = "eligibility_restricted"


async def check_eligibility(
    context: Context, org_id: str, asked: EligibilityRequest, *, sees_all: bool
) -> dict[str, Any]:
    """Answer every cell, securities in the order asked, then investors.

    Raises:
        NotFoundError: One of the securities is unknown, was never granted, or did not exist yet.
        InvalidTransferError: The price is in another currency than one of the securities.
        EligibilityRestrictedError, UnknownRulesVersionError, AsOfInvalidError, AsOfInFutureError: See ``code``.
        RecordIncompleteError: The record does not go back so far.
    """
    at = None if asked.as_of is None else resolve_as_of(asked.as_of, context.clock())
    if at is not None and not sees_all:
        raise EligibilityRestrictedError("To ask about the past needs the scope compliance.")
    questions = [_ask(org_id, asked, security, ref) for security in asked.securities for ref in asked.investors]
    async with context.database.reading() as session:
        material = await _read(session, context, asked, questions, at)
        law = choose_law_on(material.now.date()) if asked.rules_version is None else choose_law(asked.rules_version)
        asking = partial(_answer, await session.connection(), asked, law, at=at, sees_all=sees_all)
        cells = []
        for number, question in enumerate(questions):
            if number % _CELLS_AT_A_TIME == 0:
                await asyncio.sleep(0)  # others are served meanwhile
            cells.append(await asking(_open(material, question, asked.price)))
    return {"as_of": format_instant(material.now), "rules_version": law.name, "data": cells}


async def _read(
    session: AsyncSession,
    context: Context,
    asked: EligibilityRequest,
    questions: Sequence[Question],
    at: datetime | None,
) -> Material:
    connection, cache = await session.connection(), pipeline_of(context).cache
    material = await read_material(
        connection,
        questions,
        await find_securities(connection, questions, cache, lock=False),
        base_url=context.base_url,
        signer=context.signer,
        cache=cache,
        clock=context.database_clock,
    )
    for number, security in enumerate(asked.securities):
        _require_offerings(material, questions[number * len(asked.investors)], f"/body/securities/{number}", security)
    for register in material.registers.values():
        expire_overdue(register, material.now)  # in memory: nothing is written
    if at is None:
        return material
    org_id = questions[0].org_id
    return await step_back(
        session, material, context.signer, base_url=context.base_url, org_id=org_id, refs=asked.investors, at=at
    )


def _require_offerings(material: Material, question: Question, path: str, security_id: str) -> None:
    """Refuse a security that nobody can be asked about, and say which of them it is."""
    try:
        access = material.open(question)
    except NotFoundError:
        raise NotFoundError(errors=[{"path": path, "detail": f"{security_id}: no such security"}]) from None
    if not access.register.offerings:
        raise NoOfferingError("A security has no offering.", errors=[{"path": path, "detail": f"{security_id}: none"}])


async def _answer(
    connection: AsyncConnection,
    asked: EligibilityRequest,
    law: Law,
    inquiry: Inquiry,
    *,
    at: datetime | None,
    sees_all: bool,
) -> dict[str, Any]:
    withheld = frozenset() if asked.price else frozenset({"price"})
    if at is not None:
        withheld |= COUNTED | {"state"}
    else:
        inquiry = await look_back(connection, inquiry)
    inquiry = replace(inquiry, law=law, withheld=withheld)
    cell = _judge(inquiry)
    end = _find_end(inquiry, cell) if at is None and cell.outcome == "permit" else None
    return _describe(inquiry, cell, end, sees_all=sees_all)


def _ask(org_id: str, asked: EligibilityRequest, security_id: str, ref: str) -> Question:
    party = PartyRef(investor_ref=ref)
    takes = asked.action not in WITHOUT_BUYER
    request = TransferRequest(
        security_id=security_id,
        action=asked.action,
        buyer=party if takes else None,
        seller=None if takes else party,
        quantity=asked.quantity or "1",
        price=asked.price or _NO_PRICE,
    )
    return Question(org_id, request)


def _open(material: Material, question: Question, price: Price | None) -> Inquiry:
    register = material.open(question).register
    if price is not None and price.currency != register.terms["currency"]:
        raise InvalidTransferError.at("price/currency", f"must be {register.terms['currency']} for this security")
    minimum = max(int(question.request.quantity), int(register.terms["min_quantity"]))
    request = question.request.model_copy(update={"quantity": str(minimum)})
    question = replace(question, request=request)
    return build_inquiry(material, question, now=material.now, trade_date_in=_date_by(material.now))


def _date_by(now: datetime) -> Callable[[str], date]:
    return resolve_trade_date(None, now=now, settle_within=0)


def _judge(inquiry: Inquiry) -> Cell:
    """Choose the offering that answers most mildly, its open ends left out."""
    found = [_drop_open_ends(inquiry, each) for each in assess_each_offering(inquiry)]
    return min(found, key=lambda each: (SEVERITY.index(each.outcome), len(each.reasons)))


def _drop_open_ends(inquiry: Inquiry, assessment: Assessment) -> Cell:
    """Take out the reasons that only say that there is no trade yet."""
    reasons, missing = [], []
    for reason in assessment.verdict.reasons:
        field = str(reason["evidence"].get("field", ""))
        if reason["code"] == _MISSING and _is_open(inquiry, field):
            missing.append(field)
        else:
            reasons.append(reason)
    return Cell(assessment, reasons, sorted(set(missing)))


def _is_open(inquiry: Inquiry, field: str) -> bool:
    """Tell whether a missing fact comes with a trade, or is withheld."""
    names = field.split(".")
    withheld = {".".join(names[: number + 1]) for number in range(len(names))} & inquiry.withheld
    says_caller = names[0] in ("buyer", "seller") and not PartyInTrade.model_fields.keys().isdisjoint(names[1:2])
    unnamed = {"trade", "pledgor", "doc"} | ({"seller"} if inquiry.request.seller is None else set())
    return bool(withheld) or says_caller or names[0] in unnamed


def _describe(inquiry: Inquiry, cell: Cell, end: datetime | None, *, sees_all: bool) -> dict[str, Any]:
    verdict = replace(cell.assessment.verdict, reasons=tuple(cell.reasons), outcome=cell.outcome)
    seen = verdict if sees_all else redact(verdict)
    party = inquiry.request.buyer or inquiry.request.seller
    assert party is not None  # every question names its investor
    remedies = (each["remedy"] for each in seen.reasons if each["remedy"]["kind"] != "none")
    quantity = seen.max_quantity if seen.outcome == "permit" and not cell.open else None
    return {
        "investor_ref": party.investor_ref,
        "security_id": inquiry.head.id,
        "outcome": seen.outcome,
        "offering_id": cell.assessment.offering_id,
        "reasons": list(seen.reasons),
        "open": list(cell.open),
        "max_quantity": None if quantity is None else str(quantity),
        "valid_until": format_instant(end) if end else None,
        "remedy": next(remedies, None),
    }


def _find_end(inquiry: Inquiry, cell: Cell) -> datetime | None:
    def holds_at(at: datetime) -> bool:
        later = _judge(replace(inquiry, now=at, trade_date_in=_date_by(at)))
        return (later.outcome, later.assessment.offering_id) == (cell.outcome, cell.assessment.offering_id)

    return find_end(inquiry, cell.assessment, holds_at)
