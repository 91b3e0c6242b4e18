"""What would be decided: the same reading and the same rules, nothing reserved, recorded or signed."""

from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import InvalidInputError
from service.gate.assessment import Inquiry, assess
from service.gate.decisions import build_payload
from service.gate.fact_sheet import read_fact
from service.gate.facts import zone_of
from service.gate.inquiries import build_inquiry, look_back
from service.gate.material import Material, Question, find_securities, read_material
from service.gate.pipeline import pipeline_of
from service.gate.redaction import keep_restricted, redact
from service.gate.requests import check_request, resolve_trade_date
from service.gate.reservations import expire_overdue
from service.gate.transfer_models import TransferPreview
from service.gate.transfers import describe_subject
from service.gate.verdict import Verdict
from service.rules import InvalidFactsError
from service.rules.law import CURRENT_LAW, choose_law
from service.web.context import Context

_NOON = time(12)
_SUPPORTED_ZONE = zone_of("us.506c")


class InvalidAssumptionError(InvalidInputError):
    """An assumed fact is unknown, or of the wrong kind."""

    code = "invalid_assumption"


async def preview_transfer(
    context: Context, org_id: str, preview: TransferPreview, *, sees_all: bool
) -> dict[str, Any]:
    """Answer as a decision would, without id, signature or reservation.

    Raises:
        UnknownRulesVersionError, InvalidAssumptionError: See ``code``.
        NotFoundError: Unknown security or offering.
        InvalidInputError: The request contradicts itself or the security.
    """
    law = choose_law(preview.rules_version)
    assumed = {path: _read_assumption(path, value) for path, value in preview.facts.items()}
    now, question = context.clock(), Question(org_id, preview)
    async with context.database.reading() as session:
        connection, cache = await session.connection(), pipeline_of(context).cache
        material = await read_material(
            connection,
            [question],
            await find_securities(connection, [question], cache, lock=False),
            base_url=context.base_url,
            signer=context.signer,
            cache=cache,
            clock=context.database_clock,
        )
        inquiry = _ask(material, question, preview, now=_find_instant(preview, now))
        inquiry = await look_back(connection, replace(inquiry, law=law, assumed=assumed))
        assessment = assess(inquiry)
        subject = describe_subject(inquiry, assessment, "preview")
        verdict = assessment.verdict
        if not sees_all:
            verdict = await _redact_supposed(connection, inquiry, preview, verdict, now)
    unsigned = {"id": None, "reservation": None, "decision_hash": None, "decision": None, "log": None}
    return build_payload(subject, verdict) | unsigned


def _ask(material: Material, question: Question, preview: TransferPreview, *, now: datetime) -> Inquiry:
    register = material.open(question).register
    terms = register.terms
    check_request(preview, currency=terms["currency"], now=material.now)
    expire_overdue(register, now)  # in memory: nothing is written
    dates = resolve_trade_date(preview.trade_date, now=now, settle_within=terms["settle_within"], may_go_back=True)
    return build_inquiry(material, question, now=now, trade_date_in=dates)


async def _redact_supposed(
    connection: AsyncConnection, inquiry: Inquiry, preview: TransferPreview, supposed: Verdict, now: datetime
) -> Verdict:
    """Redact, and let assumptions change nothing about what is withheld today."""
    if not preview.facts and preview.as_of is None:
        return redact(supposed)
    today = resolve_trade_date(None, now=now, settle_within=0)
    actual = await look_back(connection, replace(inquiry, now=now, trade_date_in=today, assumed={}, law=CURRENT_LAW))
    return redact(keep_restricted(supposed, assess(actual).verdict))


def _find_instant(preview: TransferPreview, now: datetime) -> datetime:
    as_of = preview.as_of
    if as_of is None or isinstance(as_of, datetime):
        return as_of or now
    return datetime.combine(as_of, _NOON, _SUPPORTED_ZONE).astimezone(now.tzinfo)


def _read_assumption(path: str, value: Any) -> Any:
    try:
        return read_fact(path, Decimal(repr(value)) if isinstance(value, float) else value)
    except InvalidFactsError as error:
        raise InvalidAssumptionError(
            "An assumed fact cannot be used.", errors=[{"path": f"/body/facts/{path}", "detail": error.detail}]
        ) from None
