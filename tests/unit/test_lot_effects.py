"""Spreading a distribution over lots, and the order of age."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.gate.effects import list_parents, spread
from service.gate.lots import clock_start
from service.storage.tables import Lot

FIRST = date(2024, 1, 1)


def build_lot(index: int, quantity: int, age: int = 0, **changes: Any) -> Lot:
    values: dict[str, Any] = {
        "org_id": "org",
        "security_id": "note",
        "id": f"lot_{index}",
        "offering_id": "reg-d",
        "holder_org_id": "org",
        "investor_ref": "alice",
        "quantity": quantity,
        "acquired_on": FIRST + timedelta(days=age),
        "acquired_from": "issuer",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Lot(**(values | changes))


lots = st.lists(st.tuples(st.integers(1, 10**30), st.integers(0, 9)), min_size=1, max_size=6)


@given(lots, st.integers(1, 10**30))
def test_a_distribution_loses_nothing_and_is_fair_to_one_unit(held: list[tuple[int, int]], quantity: int) -> None:
    parents = [build_lot(index, *each) for index, each in enumerate(held)]
    shares = {part.lot.id: part.quantity for part in spread(parents, quantity)}
    total = sum(amount for amount, _ in held)
    assert sum(shares.values()) == quantity
    for parent in parents:
        exact, share = quantity * parent.quantity, shares.get(parent.id, 0)
        assert exact // total <= share <= exact // total + 1


def test_what_does_not_divide_goes_to_the_youngest() -> None:
    parents = [build_lot(0, 1, age=2), build_lot(1, 1, age=0), build_lot(2, 1, age=1)]
    assert [(part.lot.id, part.quantity) for part in spread(parents, 5)] == [("lot_0", 2), ("lot_1", 1), ("lot_2", 2)]
    assert [(part.lot.id, part.quantity) for part in spread(parents, 1)] == [("lot_0", 1)]
    assert spread([], 5) == []


def test_a_distribution_may_name_the_offering() -> None:
    parents = [build_lot(0, 1), build_lot(1, 1, offering_id="reg-s")]
    assert [lot.id for lot in list_parents(parents, "reg-s")] == ["lot_1"]
    assert [lot.id for lot in list_parents(parents, None)] == ["lot_0", "lot_1"]


def test_the_clock_starts_with_payment_or_with_the_person_before() -> None:
    assert clock_start(build_lot(0, 1)) == FIRST
    assert clock_start(build_lot(0, 1, paid_in_full_on=date(2024, 3, 1))) == date(2024, 3, 1)
    assert clock_start(build_lot(0, 1, acquired_from="gift", tack_from=date(2020, 1, 1))) == date(2020, 1, 1)
    assert clock_start(build_lot(0, 1, tack_from=date(2020, 1, 1))) == FIRST
