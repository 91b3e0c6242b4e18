"""The decision pipeline: read, evaluate, reserve, sign and record in one transaction, then answer."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import UnavailableError
from service.gate.assessment import Assessment, Inquiry, assess
from service.gate.bundle import build_bundle, collect_inputs, dump_bundle
from service.gate.decision_format import hash_canonical
from service.gate.decisions import (
    Parties,
    SignedDecision,
    Subject,
    build_answer,
    build_payload,
    make_pseudonym,
    sign_decision,
)
from service.gate.purchases import Sale, promise_sale
from service.gate.receipts import DECIDED, PENDING
from service.gate.redaction import redact
from service.gate.requests import bind_request, check_request, dump_request, hash_request, resolve_trade_date
from service.gate.reservations import expire_overdue, hold
from service.gate.securities import Access, open_security
from service.gate.transfer_models import PartyRef, TransferRequest
from service.gate.turns import take_turn
from service.storage.audit import append_audit_entry
from service.storage.ids import new_id
from service.storage.tables import Organization, Security, Transfer
from service.web.context import Context
from service.web.idempotency import IdempotencyKeyReusedError
from service.web.signing import GATE, get_active_key

CLOCK_TOLERANCE = timedelta(seconds=10)


class ClockBehindError(UnavailableError):
    """This process's clock runs behind decisions that were already made."""

    code = "clock_behind"


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded decision; ``replayed`` if an earlier request with the same key made it."""

    transfer: Transfer
    replayed: bool


async def decide_transfer(context: Context, org_id: str, request: TransferRequest, *, key: str) -> Decided:
    """Decide, reserve, record and sign; or return what the same key decided before.

    Args:
        org_id: The caller: registrar of the security, or a venue with a grant.
        key: Idempotency key, unique within the organisation.

    Raises:
        IdempotencyKeyReusedError: The key belongs to another request.
        NotFoundError: Unknown security or offering.
        InvalidInputError: The request contradicts itself or the security.
        ClockBehindError: See ``code``; nothing is decided.
    """
    try:
        async with take_turn(org_id, request.security_id), context.database.transaction() as session:
            return await _decide_once(session, context, org_id, request, key)
    except IntegrityError:
        # The same key, for another security, was recorded while this transaction ran.
        async with context.database.reading() as session:
            recorded = await _find_recorded(session, org_id, key, request)
        if recorded is None:
            raise
        return recorded


async def _decide_once(
    session: AsyncSession, context: Context, org_id: str, request: TransferRequest, key: str
) -> Decided:
    recorded = await _find_recorded(session, org_id, key, request)
    if recorded:
        return recorded
    access = await open_security(session, org_id, request.security_id, lock=True)
    # A duplicate may have waited for the lock that its first sender held.
    recorded = await _find_recorded(session, org_id, key, request)
    return recorded or Decided(await _decide(session, context, org_id, request, key, access), replayed=False)


async def _find_recorded(session: AsyncSession, org_id: str, key: str, request: TransferRequest) -> Decided | None:
    query = select(Transfer).where(Transfer.org_id == org_id, Transfer.idempotency_key == key)
    transfer = (await session.exec(query)).first()
    if transfer is None:
        return None
    if transfer.request_sha256 != hash_request(request):
        raise IdempotencyKeyReusedError("This Idempotency-Key was used for another request.")
    return Decided(transfer, replayed=True)


def advance_clock(head: Security, reading: datetime) -> datetime:
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


async def _decide(
    session: AsyncSession, context: Context, org_id: str, request: TransferRequest, key: str, access: Access
) -> Transfer:
    check_request(request, currency=access.terms["currency"], now=context.clock())
    head = access.head
    now = advance_clock(head, context.clock())
    await expire_overdue(session, head, now)
    inquiry = Inquiry(
        session=session,
        context=context,
        organization=await session.get_one(Organization, org_id),
        access=access,
        request=request,
        now=now,
        trade_date_in=resolve_trade_date(request.trade_date, now=now, settle_within=access.terms["settle_within"]),
        decides=True,
    )
    assessment = await assess(inquiry)
    transfer = await _record(inquiry, assessment, key)
    if transfer.outcome == "permit":
        lots = [lot for part in assessment.parts for lot in part.lots]
        await hold(session, head, transfer, lots, slots=assessment.slots)
        if transfer.action == "primary":
            await promise_sale(session, head, transfer, _describe_sale(assessment))
    return transfer


def _describe_sale(assessment: Assessment) -> Sale:
    [part] = assessment.parts
    return Sale(
        offering_id=assessment.offering_id,
        regime=part.offering["regime"],
        currency=assessment.security["currency"],
        facts=part.facts,
    )


async def describe_subject(
    inquiry: Inquiry, assessment: Assessment, transfer_id: str, *, inputs_sha256: str | None = None
) -> Subject:
    """Gather what a decision is bound to."""
    organization, access, request = inquiry.organization, inquiry.access, inquiry.request
    registrar = await inquiry.session.get_one(Organization, access.head.org_id)
    return Subject(
        id=transfer_id,
        issuer=organization.did,
        relying_parties=tuple(dict.fromkeys((organization.did, registrar.did))),
        request=bind_request(request, on=assessment.on),
        requested=int(request.quantity),
        offering_id=assessment.offering_id,
        parties=Parties(_name_party(inquiry, request.seller), _name_party(inquiry, request.buyer)),
        terms_sha256=access.terms["terms_sha256"],
        versions={
            "rules": assessment.verdict.rules_version,
            "rules_sha256": assessment.verdict.rules_sha256,
            "security": access.head.version,
            "offering": assessment.parts[0].offering["version"],
            "trust": organization.trust_version,
        },
        inputs_sha256=inputs_sha256,
        decided_at=inquiry.now,
        expires_at=inquiry.now + timedelta(seconds=access.terms["settle_within"]),
    )


def _name_party(inquiry: Inquiry, party: PartyRef | None) -> str | None:
    if party is None:
        return None
    return make_pseudonym(inquiry.context.signer, org_id=inquiry.organization.id, investor_ref=party.investor_ref)


async def _record(inquiry: Inquiry, assessment: Assessment, key: str) -> Transfer:
    """Sign, and add decision and audit entry to the transaction."""
    inputs = collect_inputs(inquiry, assessment)
    subject = await describe_subject(inquiry, assessment, new_id("trf"), inputs_sha256=hash_canonical(inputs))
    signing_key = await get_active_key(inquiry.session, inquiry.organization.id, GATE)
    signer, verdict, request = inquiry.context.signer, assessment.verdict, inquiry.request
    signed = sign_decision(build_payload(subject, verdict), key=signing_key, signer=signer)
    seen = redact(verdict)
    outward = None
    if seen is not verdict:
        outward = sign_decision(build_payload(subject, seen), key=signing_key, signer=signer)
    transfer = Transfer(
        org_id=inquiry.organization.id,
        id=subject.id,
        idempotency_key=key,
        request_sha256=hash_request(request),
        registrar_org_id=inquiry.access.head.org_id,
        security_id=inquiry.access.head.id,
        offering_id=subject.offering_id,
        action=request.action,
        seller_ref=request.seller.investor_ref if request.seller else None,
        buyer_ref=request.buyer.investor_ref if request.buyer else None,
        quantity=int(request.quantity),
        trade_date=assessment.on,
        route=verdict.route if len(assessment.parts) == 1 else None,
        seller_affiliate=request.trade.seller.affiliate if request.trade.seller else None,
        request=dump_request(request),
        outcome=verdict.outcome,
        decided_at=subject.decided_at,
        expires_at=subject.expires_at,
        payload=signed.payload,
        decision_hash=signed.decision_hash,
        decision_jws=signed.jws,
        outward_payload=outward.payload if outward else None,
        outward_hash=outward.decision_hash if outward else None,
        outward_jws=outward.jws if outward else None,
        bundle=dump_bundle(build_bundle(inputs, signed, signing_key.public_jwk)),
    )
    inquiry.session.add(transfer)
    append_audit_entry(
        inquiry.session,
        org_id=transfer.org_id,
        kind=DECIDED,
        subject_id=transfer.id,
        record={
            "decision_hash": transfer.decision_hash,
            "outward_hash": transfer.outward_hash,
            "bundle_sha256": hashlib.sha256(transfer.bundle.encode()).hexdigest(),
            "outcome": transfer.outcome,
        },
        recorded_at=transfer.decided_at,
    )
    return transfer


def read_signed(transfer: Transfer, *, sees_all: bool) -> SignedDecision:
    """Return the signed decision in the form that the reader may see."""
    if sees_all or transfer.outward_payload is None:
        return SignedDecision(transfer.payload, transfer.decision_hash, transfer.decision_jws)
    assert transfer.outward_hash is not None
    assert transfer.outward_jws is not None
    return SignedDecision(transfer.outward_payload, transfer.outward_hash, transfer.outward_jws)


def answer_first(transfer: Transfer, *, sees_all: bool) -> dict[str, Any]:
    """Build the answer to the request that made a decision, which a repeated request gets again."""
    return build_answer(read_signed(transfer, sees_all=sees_all), reservation_state="held", log=PENDING)
