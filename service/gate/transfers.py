"""Decide one request in its turn: evaluate, sign, reserve. What happens is written with the rest of its batch."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from service.gate.assessment import Assessment, Inquiry, assess, find_affiliate
from service.gate.bundle import write_bundle, write_inputs
from service.gate.decision_format import hash_bytes
from service.gate.decisions import (
    Parties,
    SignedDecision,
    Subject,
    build_payload,
    sign_decision,
    write_answer,
)
from service.gate.events import build_decision_events
from service.gate.inquiries import look_back, open_inquiry
from service.gate.material import Question
from service.gate.purchases import Sale, promise_sale
from service.gate.reason_rows import list_reason_rows
from service.gate.receipts import DECIDED, PENDING
from service.gate.redaction import redact
from service.gate.requests import bind_request, dump_request, hash_dumped, hash_request
from service.gate.reservations import Promise, hold
from service.gate.rows import Holder, TransferRow
from service.gate.transfer_models import PartyRef
from service.gate.turn import Turn
from service.storage.audit import build_audit_entry
from service.storage.core import read_values
from service.storage.ids import new_id
from service.storage.tables import Transfer
from service.web.idempotency import IdempotencyKeyReusedError


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded decision; ``replayed`` if an earlier request with the same key made it."""

    transfer: TransferRow
    replayed: bool


def repeat_decision(recorded: TransferRow, question: Question) -> Decided:
    """Return what the same key decided before.

    Raises:
        IdempotencyKeyReusedError: The key belongs to another request.
    """
    if recorded.request_sha256 != hash_request(question.request):
        raise IdempotencyKeyReusedError("This Idempotency-Key was used for another request.")
    return Decided(recorded, replayed=True)


async def decide(turn: Turn, question: Question, *, key: str) -> Decided:
    """Decide, reserve and sign.

    Args:
        key: Idempotency key, unique within the organisation.

    Raises:
        NotFoundError: Unknown security or offering.
        InvalidInputError: The request contradicts itself or the security.
        ClockBehindError: See ``code``; nothing is decided.
    """
    inquiry = await look_back(turn.connection, open_inquiry(turn.material, question, now=turn.material.now))
    assessment = assess(inquiry)
    transfer = _record(turn, inquiry, assessment, key)
    if transfer.outcome == "permit":
        await _hold(turn, inquiry, assessment, transfer)
    return Decided(transfer, replayed=False)


async def _hold(turn: Turn, inquiry: Inquiry, assessment: Assessment, transfer: TransferRow) -> None:
    register, request = inquiry.access.register, inquiry.request
    taker = inquiry.holders[request.buyer.investor_ref] if request.buyer else None
    promised = Promise(
        parts=[lot for part in assessment.parts for lot in part.lots],
        taker=taker,
        slots=assessment.slots,
        affiliate=find_affiliate(inquiry, _find_route(assessment)),
    )
    for ref in inquiry.holders:
        turn.material.names.remember(register, Holder(transfer.org_id, ref), now=inquiry.now)
    hold(register, transfer, promised)
    if transfer.action == "primary":
        assert taker is not None  # the request's check lets no sale through without a buyer
        await promise_sale(turn.connection, register.head, transfer, taker, _describe_sale(assessment))


def _describe_sale(assessment: Assessment) -> Sale:
    [part] = assessment.parts
    return Sale(
        offering_id=assessment.offering_id,
        regime=part.offering["regime"],
        currency=assessment.security["currency"],
        facts=part.facts,
    )


def _find_route(assessment: Assessment) -> str | None:
    """Return the exemption of a resale whose lots all come from one offering."""
    return assessment.verdict.route if len(assessment.parts) == 1 else None


def describe_subject(
    inquiry: Inquiry, assessment: Assessment, transfer_id: str, *, inputs_sha256: str | None = None
) -> Subject:
    """Gather what a decision is bound to."""
    organization, register, request = inquiry.organization, inquiry.access.register, inquiry.request

    def name_party(party: PartyRef | None) -> str | None:
        return inquiry.name_party(party.investor_ref) if party else None

    return Subject(
        id=transfer_id,
        issuer=organization.did,
        relying_parties=tuple(dict.fromkeys((organization.did, inquiry.registrar.did))),
        request=bind_request(request, on=assessment.on),
        requested=int(request.quantity),
        offering_id=assessment.offering_id,
        parties=Parties(name_party(request.seller), name_party(request.buyer)),
        terms_sha256=register.terms["terms_sha256"],
        versions={
            "rules": assessment.verdict.rules_version,
            "rules_sha256": assessment.verdict.rules_sha256,
            "security": register.head.version,
            "offering": assessment.parts[0].offering["version"],
            "trust": organization.trust_version,
        },
        inputs_sha256=inputs_sha256,
        decided_at=inquiry.now,
        expires_at=inquiry.now + timedelta(seconds=register.terms["settle_within"]),
    )


def _record(turn: Turn, inquiry: Inquiry, assessment: Assessment, key: str) -> TransferRow:
    """Sign, and leave decision and audit entry to be written."""
    inputs = write_inputs(inquiry, assessment)
    inputs_sha256 = hash_bytes(inputs.encode())
    subject = describe_subject(inquiry, assessment, new_id("trf"), inputs_sha256=inputs_sha256)
    signing_key = turn.find_key(inquiry.organization.id)
    verdict, request, asked = assessment.verdict, inquiry.request, dump_request(inquiry.request)
    signed = sign_decision(build_payload(subject, verdict), key=signing_key, signer=turn.signer)
    seen = redact(verdict)
    outward = None
    if seen is not verdict:
        outward = sign_decision(build_payload(subject, seen), key=signing_key, signer=turn.signer)
    transfer = TransferRow(
        org_id=inquiry.organization.id,
        id=subject.id,
        idempotency_key=key,
        request_sha256=hash_dumped(asked),
        registrar_org_id=inquiry.head.org_id,
        security_id=inquiry.head.id,
        offering_id=subject.offering_id,
        action=request.action,
        seller_ref=request.seller.investor_ref if request.seller else None,
        buyer_ref=request.buyer.investor_ref if request.buyer else None,
        quantity=int(request.quantity),
        trade_date=assessment.on,
        seller_affiliate=request.trade.seller.affiliate if request.trade.seller else None,
        request=asked,
        outcome=verdict.outcome,
        decided_at=subject.decided_at,
        expires_at=subject.expires_at,
        payload=signed.payload,
        decision_hash=signed.decision_hash,
        decision_jws=signed.jws,
        outward_payload=outward.payload if outward else None,
        outward_hash=outward.decision_hash if outward else None,
        outward_jws=outward.jws if outward else None,
    )
    bundle = write_bundle(inputs, signed, signing_key.public_jwk)
    changes = inquiry.access.register.changes
    changes.transfers.append(read_values(transfer) | {"route": _find_route(assessment), "bundle": bundle})
    changes.reasons += list_reason_rows(transfer, verdict.reasons, None if seen is verdict else seen.reasons)
    changes.audit.append(_describe_decision(transfer, bundle))
    changes.events += build_decision_events(
        venue_org_id=transfer.org_id,
        registrar_org_id=transfer.registrar_org_id,
        security_id=transfer.security_id,
        transfer_id=transfer.id,
        outcome=transfer.outcome,
        now=transfer.decided_at,
    )
    return transfer


def _describe_decision(transfer: TransferRow, bundle: str) -> dict[str, Any]:
    return build_audit_entry(
        org_id=transfer.org_id,
        kind=DECIDED,
        subject_id=transfer.id,
        record={
            "decision_hash": transfer.decision_hash,
            "outward_hash": transfer.outward_hash,
            "bundle_sha256": hashlib.sha256(bundle.encode()).hexdigest(),
            "outcome": transfer.outcome,
        },
        recorded_at=transfer.decided_at,
    )


def read_signed(transfer: Transfer | TransferRow, *, sees_all: bool) -> SignedDecision:
    """Return the signed decision in the form that the reader may see."""
    if sees_all or transfer.outward_payload is None:
        return SignedDecision(transfer.payload, transfer.decision_hash, transfer.decision_jws)
    assert transfer.outward_hash is not None
    assert transfer.outward_jws is not None
    return SignedDecision(transfer.outward_payload, transfer.outward_hash, transfer.outward_jws)


def answer_first(transfer: Transfer | TransferRow, *, sees_all: bool) -> str:
    """Write the answer to the request that made a decision, which a repeated request gets again."""
    return write_answer(read_signed(transfer, sees_all=sees_all), reservation_state="held", log=PENDING)
