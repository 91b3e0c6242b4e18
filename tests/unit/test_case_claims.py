"""What a review states must be what a credential can say."""

from datetime import UTC, datetime

import pytest

from service.credentials.claims_lint import lint_claims
from service.issuer.case_review import INVESTMENT_LIMIT, QUALIFIED_INVESTOR, state_category
from service.rules import RULES_VERSION
from service.rules.catalog import LIMITS, TESTS
from service.schema_files import load_claims_schema

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
CATEGORIES = sorted({test.category for test in TESTS.values() if test.category})
SPENT = sorted(limit.id for limit in LIMITS.values() if limit.currency)


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_that_a_test_supports_can_be_stated(category: str) -> None:
    claims = {**state_category(category, RULES_VERSION), "attester_class": "us_cpa"}
    schema = load_claims_schema(QUALIFIED_INVESTOR)
    assert lint_claims(QUALIFIED_INVESTOR, claims, schema=schema, now=NOW, attester_class="us_cpa") == []


@pytest.mark.parametrize("limit_id", SPENT)
def test_every_limit_that_an_investor_has_can_be_stated(limit_id: str) -> None:
    claims = {"regime": limit_id, "limit_at_least": "1", "currency": LIMITS[limit_id].currency, "as_of": "2026-11-23"}
    schema = load_claims_schema(INVESTMENT_LIMIT)
    assert lint_claims(INVESTMENT_LIMIT, claims, schema=schema, now=NOW) == []
