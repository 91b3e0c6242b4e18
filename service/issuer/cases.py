"""The review queue: a person's figures are worked out by one API client, and approved by another.

What leaves a case is its state and, once approved, a credential offer with the category or the amount; never a figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ConflictError, ForbiddenError, InvalidInputError
from service.issuer.case_records import (
    APPROVED,
    DECLINED,
    REVIEWED,
    CaseView,
    audit_case,
    keep_reason,
    keep_review,
    load_case,
    load_undecided,
    open_review,
    view_case,
    view_opened_case,
)
from service.issuer.case_review import (
    INVESTMENT_LIMIT,
    QUALIFIED_INVESTOR,
    Review,
    ReviewRequest,
    check_again,
    work_out,
)
from service.issuer.claims import InvalidCredentialClaimsError, find_configuration
from service.issuer.evidence import list_evidence_digests
from service.issuer.four_eyes import list_account_ties
from service.issuer.identity import Issuer
from service.issuer.information import end_waiting
from service.issuer.offers import DEFAULT_LIFETIME, MadeOffer, OfferRequest, create_offer
from service.issuer.subjects import make_person_key, open_person_key
from service.keys import Signer
from service.storage.ids import new_id
from service.storage.tables import ReviewCase


class CaseTypeError(InvalidInputError):
    """No rule is worked out for credentials of this type, so there is nothing to review."""

    code = "case_type_unsupported"


class CaseNotReviewedError(ConflictError):
    """Nobody has reviewed the case yet, or not since more information was asked for."""

    code = "case_not_reviewed"


class CaseNotPassedError(ConflictError):
    """The figures do not pass, or no longer pass under the law of today."""

    code = "case_not_passed"


class SameReviewerError(ForbiddenError):
    """Whoever reviewed a case cannot approve it: another API client has to."""

    code = "four_eyes_required"


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """How the approver wants the credential offered; see ``OfferRequest``.

    Attributes:
        claims: What the review does not say, such as the method.
    """

    claims: Mapping[str, Any]
    tx_code: bool
    lifetime: timedelta = DEFAULT_LIFETIME
    credential_expires_on: date | None = None


async def open_case(
    session: AsyncSession,
    signer: Signer,
    org_id: str,
    *,
    configuration_id: str,
    subject_ref: str,
    client_id: str,
    now: datetime,
) -> CaseView:
    """Open a case about one person and one credential type.

    Raises:
        UnknownCredentialConfigurationError: There is no such type.
        CaseTypeError: No rule is worked out for it.
    """
    name = find_configuration(configuration_id).id
    if name not in (QUALIFIED_INVESTOR, INVESTMENT_LIMIT):
        raise CaseTypeError(f"Credentials of {name} are offered without a case.")
    await make_person_key(await session.connection(), signer, org_id, subject_ref, now)
    row = ReviewCase(
        org_id=org_id,
        id=new_id("case"),
        credential_configuration_id=name,
        subject_ref=subject_ref,
        opened_by=client_id,
        created_at=now,
    )
    session.add(row)
    audit_case(session, row, "case.opened", client_id, now, {"subject_ref": subject_ref})
    return view_case(row)


async def get_case(session: AsyncSession, signer: Signer, org_id: str, case_id: str) -> CaseView:
    """Return a case with its review.

    Raises:
        NotFoundError: None of this id, or another organisation's.
    """
    row = await load_case(session, org_id, case_id)
    return view_opened_case(row, await open_person_key(await session.connection(), signer, org_id, row.subject_ref))


async def list_cases(
    session: AsyncSession,
    org_id: str,
    *,
    state: str | None,
    subject_ref: str | None = None,
    after: str | None,
    limit: int,
) -> Sequence[CaseView]:
    """Return cases in the order of their ids, without reviews; ``limit`` counts rows."""
    query = select(ReviewCase).where(ReviewCase.org_id == org_id).order_by(col(ReviewCase.id)).limit(limit)
    if state is not None:
        query = query.where(ReviewCase.state == state)
    if subject_ref is not None:
        query = query.where(ReviewCase.subject_ref == subject_ref)
    if after is not None:
        query = query.where(ReviewCase.id > after)
    return [view_case(row) for row in (await session.exec(query)).all()]


async def review_case(
    session: AsyncSession,
    signer: Signer,
    org_id: str,
    case_id: str,
    request: ReviewRequest,
    *,
    client_id: str,
    now: datetime,
) -> CaseView:
    """Work out figures and keep the result; a new review takes the place of the one before.

    Raises:
        NotFoundError, CaseClosedError: See ``load_undecided``.
        ServiceError: See ``work_out``.
    """
    row = await load_undecided(session, org_id, case_id)
    review = work_out(row.credential_configuration_id, request, now=now)
    key = await open_person_key(await session.connection(), signer, org_id, row.subject_ref)
    keep_review(row, key, review)
    await end_waiting(session, row, now)
    row.state, row.reviewed_by, row.reviewed_at = REVIEWED, client_id, now
    session.add(row)
    facts = {"as_of": review.as_of, "passed": review.passed, "rule": review.rule, "rules_version": review.rules_version}
    audit_case(session, row, "case.reviewed", client_id, now, facts)
    return view_opened_case(row, key)


async def approve_case(
    session: AsyncSession,
    signer: Signer,
    issuer: Issuer,
    case_id: str,
    request: ApprovalRequest,
    *,
    client_id: str,
    now: datetime,
) -> tuple[CaseView, MadeOffer]:
    """Approve a review that passed, and offer the credential.

    Raises:
        NotFoundError, CaseClosedError: See ``load_undecided``.
        CaseNotReviewedError: There is nothing to approve, or it waits for more information.
        SameReviewerError: The reviewer asks.
        CaseNotPassedError: The figures did not pass, or do not pass today.
        InvalidCredentialClaimsError: A claim was sent that the case decides, or others are missing or wrong.
        CredentialExpiryError: See ``create_offer``.
    """
    row = await load_undecided(session, issuer.org_id, case_id)
    key = await open_person_key(await session.connection(), signer, issuer.org_id, row.subject_ref)
    review = open_review(row, key)
    if review is None or row.state != REVIEWED:
        raise CaseNotReviewedError("The case has not been reviewed, or not since more information was asked for.")
    if row.reviewed_by == client_id:
        raise SameReviewerError("The case needs the approval of an API client that did not review it.")
    if not review.passed or not check_again(row.credential_configuration_id, review, now=now):
        raise CaseNotPassedError("The figures of the case do not pass.")
    offer = _build_offer(row, review, request)
    made = await create_offer(await session.connection(), signer, issuer, offer, actor=client_id, now=now)
    row.offer_id = made.id
    digests = await list_evidence_digests(session, issuer.org_id, case_id)
    ties = await list_account_ties(session, issuer.org_id, row.reviewed_by, client_id)
    facts = {"evidence": digests, "offer_id": made.id, **({"account_ties": ties} if ties else {})}
    _decide(session, row, APPROVED, client_id, now, facts)
    return view_opened_case(row, key), made


async def decline_case(
    session: AsyncSession, signer: Signer, org_id: str, case_id: str, *, reason: str, client_id: str, now: datetime
) -> CaseView:
    """Decline a case; nothing is offered.

    Args:
        reason: For the back office; sealed, as it may name a person.

    Raises:
        NotFoundError, CaseClosedError: See ``load_undecided``.
    """
    row = await load_undecided(session, org_id, case_id)
    key = await open_person_key(await session.connection(), signer, org_id, row.subject_ref)
    keep_reason(row, key, reason)
    _decide(session, row, DECLINED, client_id, now, {})
    return view_opened_case(row, key)


def _decide(
    session: AsyncSession, row: ReviewCase, state: str, client_id: str, now: datetime, more: Mapping[str, Any]
) -> None:
    row.state, row.decided_by, row.decided_at = state, client_id, now
    session.add(row)
    audit_case(session, row, f"case.{state}", client_id, now, more)


def _build_offer(row: ReviewCase, review: Review, request: ApprovalRequest) -> OfferRequest:
    """Join the approver's claims with those of the review, which nobody may send."""
    sent = sorted(review.claims.keys() & request.claims.keys())
    if sent:
        errors = [{"path": f"/{name}", "detail": "The case decides this claim."} for name in sent]
        raise InvalidCredentialClaimsError("The case decides some of these claims.", errors=errors)
    return OfferRequest(
        credential_configuration_id=row.credential_configuration_id,
        claims={**request.claims, **review.claims},
        subject_ref=row.subject_ref,
        tx_code=request.tx_code,
        lifetime=request.lifetime,
        credential_expires_on=request.credential_expires_on,
    )
