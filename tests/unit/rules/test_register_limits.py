"""Limits that the register keeps: what is left to issue, the cap on holders, and whom a credential is good for."""

from typing import Any

import pytest

from service.rules import evaluate_transfer
from service.rules.scenario_defaults import fill_defaults
from service.rules.schema import read_shape
from service.rules.transfer_schema import TRANSFER

PRIMARY: dict[str, Any] = {
    "offering": {"regime": "us.506c", "issuer": "ISS-1"},
    "action": "primary",
    "date": "2026-04-15",
    "qty": 100,
    "price": 1000,
    "buyer": {
        "kyc_valid_until": "2027-12-31",
        "kyc_loa": "substantial",
        "screen_age_hours": 6,
        "sanctions": "clear",
        "us_person": True,
        "accredited": True,
        "verification": {"method": "third_party", "attester": "cpa", "steps_completed_on": "2026-04-01"},
    },
}


def evaluate(**changes: Any) -> Any:
    facts = fill_defaults(read_shape({**PRIMARY, **changes}, TRANSFER, "given"))
    return evaluate_transfer(facts)


@pytest.mark.parametrize(("unissued", "outcome"), [(100, "permit"), (99, "deny"), (0, "deny")])
def test_a_primary_sale_needs_unissued_quantity(unissued: int, outcome: str) -> None:
    given = evaluate(state={"unissued": unissued})
    assert (given.outcome, given.max_quantity) == (outcome, unissued)
    assert [reason.code for reason in given.reasons] == ["INSUFFICIENT_BALANCE"] * (outcome == "deny")


@pytest.mark.parametrize(
    ("holders", "existing", "outcome"), [(99, False, "permit"), (100, False, "deny"), (100, True, "permit")]
)
def test_the_cap_counts_holders_that_arrive(holders: int, existing: bool, outcome: str) -> None:
    buyer = {**PRIMARY["buyer"], "existing_holder": existing}
    given = evaluate(buyer=buyer, caps={"holders": 100}, state={"holders_of_record": holders})
    assert given.outcome == outcome
    assert [reason.basis for reason in given.reasons] == ["issuer_policy"] * (outcome == "deny")


@pytest.mark.parametrize(("scope", "codes"), [("ISS-1", []), ("ISS-2", ["US_506C_ISSUER_SCOPE"])])
def test_a_verification_is_good_for_its_scope(scope: str, codes: list[str]) -> None:
    buyer = {**PRIMARY["buyer"], "verification": {**PRIMARY["buyer"]["verification"], "scope": scope}}
    assert [reason.code for reason in evaluate(buyer=buyer).reasons] == codes
