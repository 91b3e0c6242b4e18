"""Limits that the register keeps: what is left to issue, the caps on holders, and whom a credential is good for."""

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


@pytest.mark.parametrize(
    ("accredited", "existing", "exits", "held", "outcome"),
    [
        (False, False, False, 9, "permit"),
        (False, False, False, 10, "deny"),
        (False, True, False, 10, "permit"),
        (False, True, False, 11, "deny"),
        (False, False, True, 10, "permit"),
        (False, False, True, 11, "deny"),
        (True, False, False, 10, "permit"),
    ],
)
def test_the_cap_on_non_accredited_holders(
    accredited: bool, existing: bool, exits: bool, held: int, outcome: str
) -> None:
    given = evaluate_resale(
        buyer={"accredited": accredited, "existing_holder": existing},
        seller={"exits": exits, "accredited": False},
        caps={"nonaccredited_holders": 10},
        state={"nonaccredited_holders": held},
    )
    assert (given.outcome, codes_and_bases(given)) == judged(outcome, "US_12G_500_NONACC")


@pytest.mark.parametrize(
    ("seller", "code", "basis"),
    [({"accredited": True}, "US_12G_500_NONACC", "issuer_policy"), ({}, "INPUT_MISSING", "firm_policy")],
)
def test_only_a_seller_known_as_not_accredited_frees_a_place(seller: dict[str, Any], code: str, basis: str) -> None:
    given = evaluate_resale(
        buyer={"accredited": False},
        seller={"exits": True} | seller,
        caps={"nonaccredited_holders": 10},
        state={"nonaccredited_holders": 10},
    )
    assert (given.outcome, codes_and_bases(given)) == ("deny", [(code, basis)])


def test_an_unknown_accreditation_is_asked_for_where_the_cap_depends_on_it() -> None:
    given = evaluate_resale(caps={"nonaccredited_holders": 10}, state={"nonaccredited_holders": 10})
    assert [(reason.code, reason.evidence["field"]) for reason in given.reasons] == [
        ("INPUT_MISSING", "buyer.accredited")
    ]


@pytest.mark.parametrize(
    ("buyer", "exits", "held", "outcome"),
    [
        ({}, False, 99, "permit"),
        ({}, False, 100, "deny"),
        ({}, True, 100, "permit"),
        ({"existing_holder": True}, False, 100, "permit"),
        ({"is_fund": True, "own_owners": 30, "pct_voting_after": "9.99"}, False, 99, "permit"),
        ({"is_fund": True, "own_owners": 30, "pct_voting_after": 10}, False, 70, "permit"),
        ({"is_fund": True, "own_owners": 30, "pct_voting_after": 10}, False, 71, "deny"),
        ({"is_fund": True, "own_owners": 30, "pct_voting_after": 10, "existing_holder": True}, False, 71, "permit"),
        ({"is_fund": True, "own_owners": 30, "pct_voting_after": 10, "existing_holder": True}, False, 72, "deny"),
    ],
)
def test_the_cap_on_beneficial_owners(buyer: dict[str, Any], exits: bool, held: int, outcome: str) -> None:
    given = evaluate_resale(
        buyer=buyer, seller={"exits": exits}, caps={"beneficial_owners": 100}, state={"beneficial_owners": held}
    )
    assert (given.outcome, codes_and_bases(given)) == judged(outcome, "US_3C1_LIMIT")
    assert (given.computed["after"] == 101) == (outcome == "deny")


def evaluate_resale(
    *, buyer: dict[str, Any] | None = None, seller: dict[str, Any] | None = None, **changes: Any
) -> Any:
    """Evaluate a resale of registered securities, which only the caps can stand in the way of."""
    known = {"kyc_valid_until": "2027-12-31", "kyc_loa": "substantial", "screen_age_hours": 6, "sanctions": "clear"}
    given = {
        "offering": {"regime": "us.registered", "issuer": "ISS-1"},
        "action": "secondary",
        "date": "2026-04-15",
        "qty": 10,
        "price": 1000,
        "buyer": known | (buyer or {}),
        "seller": known | {"affiliate": False, "lots": [{"qty": 10}]} | (seller or {}),
    } | changes
    return evaluate_transfer(fill_defaults(read_shape(given, TRANSFER, "given")))


def codes_and_bases(given: Any) -> list[tuple[str, str]]:
    return [(reason.code, reason.basis) for reason in given.reasons]


def judged(outcome: str, code: str) -> tuple[str, list[tuple[str, str]]]:
    return outcome, [(code, "issuer_policy")] * (outcome == "deny")
