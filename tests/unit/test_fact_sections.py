"""Facts that are worked out once: they are given again while all that they depend on is equal, and for nothing else."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.gate.counts import Counts
from service.gate.fact_sheet import FactSheet, decode_facts, encode_facts, make_section, settle_facts
from service.gate.facts import TransferCase, build_facts
from service.gate.lots import Holdings
from service.gate.memory import Memory
from service.gate.register_facts import RegisterState
from service.gate.transfer_models import PartyRef, Price, TransferRequest

SOURCE = {"kind": "request"}
SECURITY: dict[str, Any] = {
    "id": "units",
    "version": 1,
    "issuer": "Issuer",
    "state": "open",
    "currency": "USD",
    "unit_decimals": 0,
    "countries_allowed": None,
    "countries_blocked": [],
    "min_quantity": "1",
    "policy": {"max_screen_age_hours": 24},
    "caps": {"holders": None},
}
OFFERING: dict[str, Any] = {
    "id": "a",
    "version": 1,
    "regime": "us.506c",
    "issuer": None,
    "state": "open",
    "outstanding": None,
    "countries_allowed": None,
    "countries_blocked": [],
    "min_quantity": "1",
    "converts_to": ["b"],
}
REGISTER = RegisterState(Counts(), Counts(), 1, Counts(), owner_awaits=False, unissued=100, outstanding=10)
CASE = TransferCase(
    request=TransferRequest(
        security_id="units",
        action="primary",
        buyer=PartyRef(investor_ref="alice"),
        quantity="5",
        price=Price(amount="1", currency="USD"),
    ),
    asserted_by="did:web:venue.example",
    security=SECURITY,
    offering=OFFERING,
    quantity=5,
    lots=(),
    seller=None,
    buyer=None,
    pledgor=None,
    holdings=Holdings(owner=None, owner_position=0, free=(), taker_lots=()),
    affiliate_sales=(),
    register=REGISTER,
    is_licensed=True,
    now=datetime(2026, 11, 23, 15, tzinfo=UTC),
    on=date(2026, 11, 23),
)


def say(case: TransferCase) -> tuple[dict[str, Any], dict[str, Any]]:
    sheet = build_facts(case)
    return settle_facts(sheet)[0], sheet.sources


@pytest.mark.parametrize(
    "changes",
    [
        {"security": SECURITY | {"version": 2}},
        {"security": SECURITY | {"state": "halted"}},
        {"security": SECURITY | {"policy": {"max_screen_age_hours": 48}}},
        {"security": SECURITY | {"countries_blocked": ["US"]}},
        {"offering": OFFERING | {"version": 2}},
        {"offering": OFFERING | {"state": "closed"}},
        {"offering": OFFERING | {"last_issued_on": "2026-11-22", "dcp_start": "2026-11-01"}},
        {"register": replace(REGISTER, outstanding=11)},
        {"quantity": 3, "offering": OFFERING | {"min_quantity": "4"}},
    ],
)
def test_whatever_changes_is_seen_by_the_next_decision(changes: dict[str, Any]) -> None:
    before = say(CASE)
    assert say(replace(CASE, **changes)) != before
    assert say(CASE) == before


def test_another_part_of_a_transfer_has_another_minimum() -> None:
    case = replace(CASE, offering=OFFERING | {"min_quantity": "4"})
    found = [say(replace(case, quantity=each))[0]["offering"]["min_quantity"] for each in (5, 3, 2)]
    assert found == ["4", "3", "2"]


def test_a_conversion_is_asked_about_each_offering() -> None:
    asked = [CASE.request.model_copy(update={"action": "conversion", "offering_id": each}) for each in ("b", "c")]
    found = [say(replace(CASE, request=each))[0]["offering"]["convertible"] for each in asked]
    assert found == [True, False]


def test_a_closed_security_is_halted_for_all_but_sales() -> None:
    case = replace(CASE, security=SECURITY | {"state": "closed"})
    resale = CASE.request.model_copy(update={"action": "secondary"})
    found = [say(each)[0]["offering"]["state"] for each in (case, replace(case, request=resale), case)]
    assert found == ["closed", "halted", "closed"]


LEAVES = st.sampled_from([("frozen", True), ("frozen", False), ("country", "US"), ("country", "FR"), ("frozen", None)])
BELOW = st.sampled_from([("verification.method", "third_party"), ("verification.consumer_report", True)])


@given(st.lists(LEAVES | BELOW), st.lists(LEAVES | BELOW), st.lists(st.sampled_from(["frozen", "verification"])))
def test_what_is_set_later_counts_and_never_reaches_the_section(
    first: list[tuple[str, Any]], later: list[tuple[str, Any]], withheld: list[str]
) -> None:
    sheet = FactSheet()
    for name, value in [("country", "DE"), *first]:
        sheet.put(f"buyer.{name}", value, SOURCE)
    section, expected = make_section("buyer", sheet), encode_facts(sheet.values)
    again = FactSheet()
    again.begin("buyer", section)
    for name, value in later:
        again.put(f"buyer.{name}", value, SOURCE)
    for name in withheld:
        again.withhold(f"buyer.{name}")
    assert settle_facts(again) == (encode_facts(again.values), decode_facts(encode_facts(again.values)))
    assert {"buyer": section.encoded} == expected


def test_a_memory_answers_equal_questions_only_and_keeps_so_many() -> None:
    memory: Memory[str] = Memory(2)
    memory.keep("a", (1, "x"), "first")
    assert memory.recall("a", (1, "x")) == "first"
    assert memory.recall("a", (2, "x")) is None
    for name in ("b", "c"):
        memory.keep(name, (), name)
    assert (len(memory), memory.recall("a", (1, "x")), memory.recall("c", ())) == (2, None, "c")
