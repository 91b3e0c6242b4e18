"""Random facts of one regime: complete, or with a fact or two left out."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from hypothesis import strategies as st

from tests.reference.blemishes import POLICIES, offering_blemishes, party_blemishes
from tests.reference.draws import Choose, Given, around, choose_day, flip, make_chooser, mostly, pick
from tests.reference.regime_draws import draw_lots, draw_regime

ACTIONS = [
    "primary", "secondary", "primary", "secondary", "liquidation", "gift", "pledge", "redemption", "forced",
    "inheritance", "recovery",
]  # fmt: skip
DOCUMENTS = {"forced": "court_order", "inheritance": "probate", "recovery": "recovery_affidavit"}
SOUND = {"kyc_valid_until": "2031-12-31", "kyc_loa": "substantial", "screen_age_hours": 5, "sanctions": "clear"}
NEVER_LEFT_OUT = {("action",), ("offering",), ("offering", "regime")}
Path = tuple[str | int, ...]

content = st.binary(min_size=120, max_size=120)


def complete_facts(regime: str) -> st.SearchStrategy[Given]:
    """Draw everything that the regime, the action and the register's limits read."""
    return content.map(lambda drawn: build_facts(make_chooser(drawn), regime))


def partial_facts(regime: str) -> st.SearchStrategy[Given]:
    """Draw complete facts and leave out one to three of them."""
    return content.map(lambda drawn: _leave_out(make_chooser(drawn), regime))


def build_facts(choose: Choose, regime: str) -> Given:
    """Build facts from choices."""
    today = choose_day(choose)
    action = pick(choose, *ACTIONS)
    given: Given = {
        "offering": {"regime": regime, "issuer": "ISS-1"},
        "action": action,
        "date": today.isoformat(),
        "qty": pick(choose, 100, 10, 600, 110, 101, 700, 1),
        "price": pick(choose, 1, 10),
        "buyer": _draw_party(choose, today) | {"id": "P1"},
        "seller": _draw_party(choose, today) | {"id": "P1", "lots": draw_lots(choose, today)},
        "trade": {},
        "state": {},
        "policy": pick(choose, *POLICIES),
    }
    given["buyer"]["country"] = "US" if given["buyer"]["us_person"] else "DE"
    given["buyer"]["existing_holder"] = mostly(choose, False, True)
    draw_regime(choose, today, given)
    _draw_life_event(choose, given)
    _draw_caps(choose, given)
    given["offering"] |= mostly(choose, {}, *offering_blemishes(today), weight=2)
    if action == "gift":
        given["price"] = mostly(choose, 0, 1)
    if action == "primary":
        del given["seller"]
    if action == "redemption":
        del given["buyer"]
    return given


def _draw_party(choose: Choose, today: date) -> dict[str, Any]:
    party = SOUND | {"us_person": mostly(choose, True, False), "accredited": flip(choose)}
    blemish: dict[str, Any] = mostly(choose, {}, *party_blemishes(today), weight=5)
    return party | blemish


def _draw_life_event(choose: Choose, given: Given) -> None:
    action = given["action"]
    if action in DOCUMENTS:
        given["doc"] = {"type": DOCUMENTS[action], "sha256": "x"}
        given["approvals"] = mostly(choose, 2, 1, 3)
    if action == "recovery":
        given["buyer"]["id"] = mostly(choose, "P1", "P2")
    if action == "pledge":
        given["trade"] |= {"control_agreement": True, "liquidation_route": mostly(choose, "accredited_auction", None)}


def _draw_caps(choose: Choose, given: Given) -> None:
    """Add, to every third or so, a fund's or a registrant's limits of holders."""
    kind = mostly(choose, None, "3c1", "3c1_qvcf", "3c7", "12g", weight=2)
    if kind is None:
        return
    given["seller"]["exits"] = mostly(choose, False, True, weight=2)
    if kind == "12g":
        given["offering"] |= {
            "exchange_act_12g": True,
            "total_assets": pick(choose, 10_000_001, 10_000_000, 25_000_000),
            "conditional_12g_exempt": mostly(choose, False, True),
        }
        given["state"] |= {
            "holders_of_record": around(choose, 1_999, 700),
            "nonaccredited_holders": around(choose, 499, 100),
        }
        return
    given["offering"]["ica"] = kind
    given["state"]["beneficial_owners"] = around(choose, 100, 250, 70)
    given["buyer"] |= {"qp": flip(choose), "is_fund": mostly(choose, False, True, weight=2)}
    if given["buyer"]["is_fund"]:
        given["buyer"] |= {
            "pct_voting_after": pick(choose, "10", "9.99", "10.01"),
            "own_owners": pick(choose, 30, 1, 180),
        }


def _leave_out(choose: Choose, regime: str) -> Given:
    given = build_facts(choose, regime)
    for _ in range(pick(choose, 1, 2, 3)):
        paths = sorted(set(_iterate_paths(given)) - NEVER_LEFT_OUT, key=str)
        _remove(given, pick(choose, *paths))
    return given


def _iterate_paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every member of an object below ``value``."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield (*path, name)
            yield from _iterate_paths(entry, (*path, name))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _iterate_paths(entry, (*path, index))


def _remove(given: Given, path: Path) -> None:
    """Leave one member out, copying what is shared between draws."""
    target: Any = given
    for step in path[:-1]:
        target[step] = target[step].copy()
        target = target[step]
    del target[path[-1]]
