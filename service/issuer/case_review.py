"""One review: an investor test, or a limit and the amount below it that the investor chose, worked out from figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from service.credentials.credential_types import RULE_ZONES
from service.credentials.jose import write_json
from service.errors import InvalidInputError
from service.rules.computation import assess_investor, compute_limit, find_limit, find_test
from service.rules.decision import Value

QUALIFIED_INVESTOR, INVESTMENT_LIMIT = "qualified-investor", "investment-limit"
_STATED_AS = {"LBN": "MY"}
"""Labuan has rules of its own and is part of Malaysia."""


class UnsuitableRuleError(InvalidInputError):
    """The test or limit supports no credential of the type that the case is about."""

    code = "case_rule_unsuitable"


class LimitTooHighError(InvalidInputError):
    """The amount that the investor chose is above the limit that the figures give."""

    code = "limit_above_computed"


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """What a reviewer enters.

    Attributes:
        test: Id of an investor test, or None for a limit.
        limit: Id of a limit, or None for a test.
        figures: By name, as parsed from JSON.
        as_of: Civil date whose law applies; None for today in the rule's zone.
        limit_at_least: Amount that the credential will state, as decimal text; only with a limit.
    """

    test: str | None
    limit: str | None
    figures: Mapping[str, Any]
    as_of: date | None = None
    limit_at_least: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """What came out; JSON values only, for it is kept sealed.

    Attributes:
        rule: Id of the test or limit.
        as_of: Civil date, ISO 8601.
        computed_limit: Decimal text; None for a test, or where there is no limit.
        claims: What the credential will state because of this review; empty if it did not pass.
        steps: The lines of ``explanation`` in parts, for other languages; reviews from before them have none.
    """

    rule: str
    passed: bool
    as_of: str
    citation: str
    confidence: str
    rules_version: str
    explanation: Sequence[str]
    computed: Mapping[str, str]
    checklist: Sequence[str]
    figures: Mapping[str, Any]
    computed_limit: str | None
    claims: Mapping[str, str]
    steps: Sequence[Mapping[str, Any]] = ()


def work_out(configuration_id: str, request: ReviewRequest, *, now: datetime) -> Review:
    """Work out a review.

    Raises:
        UnsuitableRuleError: The test or limit is none for this credential type.
        NoSuchComputationError, InvalidFactsError, FigureMissingError: See ``assess_investor``.
        LimitTooHighError: ``limit_at_least`` is above the computed limit.
        InvalidInputError: ``as_of`` is in the future.
    """
    rule_id = request.test or request.limit or ""
    today = now.astimezone(RULE_ZONES.get(rule_id.partition(".")[0].upper(), UTC)).date()
    on = request.as_of or today
    if on > today:
        raise InvalidInputError("as_of must not be in the future in the rule's zone.")
    if configuration_id == QUALIFIED_INVESTOR and request.test is not None:
        return _assess(request.test, request.figures, on)
    if configuration_id == INVESTMENT_LIMIT and request.limit is not None and request.limit_at_least is not None:
        return _compute(request.limit, request.limit_at_least, request.figures, on)
    raise UnsuitableRuleError(f"A case of {configuration_id} is not reviewed by such a rule.")


def check_again(configuration_id: str, review: Review, *, now: datetime) -> bool:
    """Tell whether the same figures pass under the law of today, which is what a new credential will rest on."""
    is_test = configuration_id == QUALIFIED_INVESTOR
    request = ReviewRequest(
        test=review.rule if is_test else None,
        limit=None if is_test else review.rule,
        figures=review.figures,
        limit_at_least=review.claims.get("limit_at_least"),
    )
    try:
        return work_out(configuration_id, request, now=now).passed
    except InvalidInputError:
        return False


def write_review(review: Review) -> bytes:
    """Return the review as JSON, for sealing."""
    return write_json(asdict(review))


def read_review(data: bytes) -> Review:
    """Read what ``write_review`` wrote."""
    return Review(**json.loads(data))


def state_category(category: str, rules_version: str) -> dict[str, str]:
    """Return the claims by which a credential states a category."""
    jurisdiction = category.partition(".")[0].upper()
    return {
        "jurisdiction": _STATED_AS.get(jurisdiction, jurisdiction),
        "category": category,
        "rules_version": rules_version,
    }


def _assess(test_id: str, figures: Mapping[str, Any], on: date) -> Review:
    test = find_test(test_id)
    if test.category is None:
        raise UnsuitableRuleError(f"{test_id} supports no category of a credential.")
    given = assess_investor(test_id, figures, on=on)
    return Review(
        rule=test_id,
        passed=given.qualifies,
        as_of=on.isoformat(),
        citation=given.citation,
        confidence=given.confidence,
        rules_version=given.rules_version,
        explanation=given.explanation,
        computed={name: _write_value(value) for name, value in given.computed.items()},
        checklist=test.evidence,
        figures=figures,
        computed_limit=None,
        claims=state_category(test.category, given.rules_version) if given.qualifies else {},
        steps=[asdict(step) for step in given.steps],
    )


def _compute(limit_id: str, chosen: str, figures: Mapping[str, Any], on: date) -> Review:
    rule = find_limit(limit_id)
    if rule.currency is None:
        raise UnsuitableRuleError(f"{limit_id} is no limit of what an investor may spend.")
    given = compute_limit(limit_id, figures, on=on)
    if given.limit is not None and Decimal(chosen) > given.limit:
        raise LimitTooHighError("limit_at_least is above the limit that the figures give.")
    return Review(
        rule=limit_id,
        passed=True,
        as_of=on.isoformat(),
        citation=given.citation,
        confidence=given.confidence,
        rules_version=given.rules_version,
        explanation=given.explanation,
        computed={name: _write_value(value) for name, value in given.computed.items()},
        checklist=rule.evidence,
        figures=figures,
        computed_limit=None if given.limit is None else _write_value(given.limit),
        claims={"regime": limit_id, "limit_at_least": chosen, "currency": rule.currency, "as_of": on.isoformat()},
        steps=[asdict(step) for step in given.steps],
    )


def _write_value(value: Value) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
