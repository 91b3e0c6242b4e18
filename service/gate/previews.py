"""What would be decided: the same reading and the same rules, nothing reserved, recorded or signed."""

from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from service.errors import InvalidInputError
from service.gate.assessment import Inquiry, assess
from service.gate.decisions import build_payload
from service.gate.fact_sheet import read_fact
from service.gate.facts import zone_of
from service.gate.redaction import keep_restricted, redact
from service.gate.requests import check_request, resolve_trade_date
from service.gate.reservations import expire_overdue
from service.gate.securities import open_security
from service.gate.transfer_models import TransferPreview
from service.gate.transfers import describe_subject
from service.gate.verdict import Verdict
from service.rules import InvalidFactsError
from service.rules.law import choose_law
from service.storage.tables import Organization
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
    now = _find_instant(preview, context.clock())
    async with context.database.reading() as session:
        access = await open_security(session, org_id, preview.security_id, lock=False)
        check_request(preview, currency=access.terms["currency"], now=context.clock())
        with session.no_autoflush:  # what expires here is thrown away with the session
            await expire_overdue(session, access.head, now)
            inquiry = Inquiry(
                session=session,
                context=context,
                organization=await session.get_one(Organization, org_id),
                access=access,
                request=preview,
                now=now,
                trade_date_in=resolve_trade_date(
                    preview.trade_date, now=now, settle_within=access.terms["settle_within"], may_go_back=True
                ),
                law=law,
            )
            assessment = await assess(inquiry, assumed=assumed)
            subject = await describe_subject(inquiry, assessment, "preview")
            verdict = assessment.verdict if sees_all else await _redact_supposed(inquiry, preview, assessment.verdict)
    unsigned = {"id": None, "reservation": None, "decision_hash": None, "decision": None, "log": None}
    return build_payload(subject, verdict) | unsigned


async def _redact_supposed(inquiry: Inquiry, preview: TransferPreview, supposed: Verdict) -> Verdict:
    """Redact, and let assumptions change nothing about what is withheld today."""
    if not preview.facts and preview.as_of is None:
        return redact(supposed)
    now = inquiry.context.clock()
    today = resolve_trade_date(None, now=now, settle_within=0)
    actual = await assess(replace(inquiry, now=now, trade_date_in=today))
    return redact(keep_restricted(supposed, actual.verdict))


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
