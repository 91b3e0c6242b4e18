"""Actions over HTTP: which parties each one needs, what is withheld, previews, grants and replay."""

import json
from typing import Any

import pytest

from service.gate.replay import replay_text
from tests.actions_support import ACTIONS, CONTROL, DOCUMENT, NO_AFFILIATE, ONE, REG_D_CONVERTIBLE, ask
from tests.deployment import Deployment
from tests.gate_support import Market, codes, open_market
from tests.prepared import prepared

EVERY = [
    *ACTIONS,
    ("primary", None, "bob", {"offering_id": "reg-d"}),
    ("secondary", "alice", "bob", {"trade": NO_AFFILIATE}),
    ("release", "pledgor", "bank", {"document": DOCUMENT}),
    ("liquidation", "bank", "bob", {"trade": NO_AFFILIATE}),
]


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    """Give alice 100, and a pledgor 100 that are pledged to the bank."""
    market = await open_market(sqlite_deployment)
    for ref in ("alice", "bob", "bank", "pledgor"):
        await market.admit(ref)
    await market.admit("alice-2", sub="subject-alice")
    await market.put_offering("reg-d", REG_D_CONVERTIBLE)
    await market.open_lot("alice", 100)
    await market.open_lot("pledgor", 100)
    pledged = await market.decide(ask(market, "pledge", "pledgor", "bank", 100, trade=CONTROL | {"recourse": True}))
    assert (await market.settle(pledged)).status_code == 200
    return market


@pytest.mark.parametrize(("action", "seller", "buyer", "more"), EVERY, ids=[each[0] for each in EVERY])
async def test_each_action_needs_its_own_parties(
    market: Market, action: str, seller: str | None, buyer: str | None, more: Any
) -> None:
    request = ask(market, action, seller, buyer, 100) | more
    for role in ("seller", "buyer"):
        other = None if request[role] else {"investor_ref": "carol"}
        refused = await market.post(request | {role: other})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_transfer")
        assert refused.json()["errors"][0]["path"] == f"/body/{role}"
    same = await market.post(
        request | {"seller": request["buyer"]} if request["buyer"] else request | {"quantity": "0"}
    )
    assert same.status_code == 422


@pytest.mark.parametrize(("action", "seller", "buyer", "more"), EVERY, ids=[each[0] for each in EVERY])
async def test_a_preview_says_what_a_decision_would_and_a_bundle_makes_it_again(
    market: Market, action: str, seller: str | None, buyer: str | None, more: Any
) -> None:
    request = ask(market, action, seller, buyer, 100) | more
    before = await market.read("/v1/securities/note/positions"), await market.holders()
    preview = await market.call("POST", "/v1/transfers/preview", request)
    assert preview.json()["outcome"] == "permit", codes(preview.json())
    assert (await market.read("/v1/securities/note/positions"), await market.holders()) == before
    decided = await market.decide(request)
    assert (decided["outcome"], decided["action"]) == ("permit", action)
    again = await market.decide(request | {"quantity": "2000000"}) if action != "recovery" else decided
    for decision in (decided, again):
        bundle = await market.read(f"/v1/transfers/{decision['id']}/bundle")
        assert replay_text(json.dumps(bundle).encode()) == []


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({"action": "conversion", "buyer": None}, 422, "/body/offering_id"),
        ({"action": "conversion", "buyer": None, "offering_id": "none"}, 404, None),
        ({"action": "gift", "pledgor": {"investor_ref": "pledgor"}}, 422, "/body/pledgor"),
        ({"action": "liquidation", "pledgor": {"investor_ref": "alice"}}, 422, "/body/pledgor"),
        ({"action": "liquidation", "pledgor": {"investor_ref": "bob"}}, 422, "/body/pledgor"),
        ({"action": "recovery", "quantity": "99"}, 422, "/body/quantity"),
        ({"action": "gift", "price": {"amount": "0", "currency": "EUR"}}, 422, "/body/price/currency"),
        ({"action": "forced", "document": {"type": "court_order", "sha256": "9F"}}, 422, "/body/document/sha256"),
        ({"action": "forced", "approvals": [{"approver": "", "approved_at": "2026-11-23T10:00:00Z"}]}, 422, None),
        (
            {"action": "forced", "approvals": [ONE, ONE | {"approved_at": "2026-11-23T15:02:00Z"}]},
            422,
            "/body/approvals/1/approved_at",
        ),
        ({"action": "pledge", "trade": {"recourse": "yes"}}, 422, "/body/trade/recourse"),
    ],
)
async def test_what_contradicts_itself_is_refused(
    market: Market, change: dict[str, Any], status: int, path: str | None
) -> None:
    answer = await market.post(ask(market, "gift", "alice", "bob", 100) | change)
    assert answer.status_code == status, answer.text
    assert path is None or path in [each["path"] for each in answer.json()["errors"]]


@pytest.mark.parametrize(
    "second",
    ["OFFICER-1", " officer-1", "officer\u200b-1", "\uff4fffi\u00adcer-1", "o\ufb03cer-1", " \t", "alice", "Bob"],
)
async def test_one_person_under_two_names_or_a_party_is_no_second_approver(market: Market, second: str) -> None:
    approvals = [ONE, ONE | {"approver": second}]
    denied = await market.decide(ask(market, "forced", "alice", "bob", 100, approvals=approvals))
    assert codes(denied) == ["FORCED_DUAL_CONTROL"]


async def test_a_pledgor_does_not_consent_to_the_release_of_its_own_lien(market: Market) -> None:
    pledged = await market.decide(ask(market, "pledge", "alice", "bank", 100, trade=CONTROL))
    await market.settle(pledged)
    for approver, outcome in (("Alice", "deny"), ("  ", "deny"), ("bank", "permit")):
        release = ask(market, "release", "alice", "bank", 100, approvals=[ONE | {"approver": approver}])
        assert (await market.decide(release))["outcome"] == outcome, approver


async def test_a_pledgors_sanctions_are_withheld_from_who_may_not_see_them(market: Market) -> None:
    await market.screen("pledgor", "hit")
    sell = ask(market, "liquidation", "bank", "bob", 100, trade=NO_AFFILIATE)
    denied = await market.decide(sell, scopes="gate")
    assert [(each["code"], each["party"]) for each in denied["reasons"]] == [("RESTRICTED", "pledgor")]
    assert denied["obligations"] == []


async def test_a_grant_by_country_looks_at_the_holder_where_there_is_no_buyer(market: Market) -> None:
    member = await market.deployment.add_organization("venue", "platform")
    venue = Market(market.scene, member)
    for countries, licensed in ((["DE"], False), (None, True)):
        terms = {"actions": ["redemption"]} | ({"countries": countries} if countries else {})
        granted = await market.call("PUT", f"/v1/securities/note/grants/{member.org_id}", terms)
        assert granted.status_code in (200, 201)
        denied = await venue.decide(ask(venue, "redemption", "alice", None, 1))
        assert ("VENUE_NOT_LICENSED" not in codes(denied)) == licensed
    denied = await venue.decide(ask(venue, "pledge", "alice", "bank", 1, trade=CONTROL))
    assert "VENUE_NOT_LICENSED" in codes(denied)


async def test_terms_that_cannot_be_kept_are_refused(market: Market) -> None:
    twice = await market.call(
        "PUT", "/v1/securities/note/offerings/reg-d", REG_D_CONVERTIBLE | {"converts_to": ["reg-s", "reg-s"]}
    )
    assert (twice.status_code, twice.json()["code"]) == (422, "invalid_input")
    security = {"name": "N", "issuer": "I", "currency": "USD", "issued_quantity": "1000000"}
    for terms in ({"policy": {"max_state_age_hours": 0}}, {"register_as_of": "2026-11-23"}):
        answer = await market.call("PUT", "/v1/securities/note", security | terms)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
