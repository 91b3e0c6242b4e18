"""Transfers over HTTP: shapes, scopes, what is withheld, and what is refused."""

import hashlib
import json
from typing import Any

import pytest
import rfc8785

from service.credentials.jose import load_key, parse_jws, verify_jws
from tests.deployment import Deployment, Member
from tests.gate_support import REG_D, SECURITY, Market, codes, open_market
from tests.prepared import prepared


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    market = await open_market(sqlite_deployment)
    await market.admit("alice")
    return market


def hash_answer(decision: dict[str, Any]) -> str:
    """Hash an answer as its reader would, from what api.md says."""
    kept = {name: value for name, value in decision.items() if name not in ("decision_hash", "decision", "log")}
    if kept["reservation"]:
        kept["reservation"] = {name: value for name, value in kept["reservation"].items() if name != "state"}
    return "sha256:" + hashlib.sha256(rfc8785.dumps(kept)).hexdigest()


async def published_key(market: Market, kid: str) -> dict[str, Any]:
    answer = await market.deployment.http.get(f"/organizations/{market.member.organization.slug}/did.json")
    methods = {each["id"]: each["publicKeyJwk"] for each in answer.json()["verificationMethod"]}
    return dict(methods[kid])


async def test_the_decision_is_signed_and_bound(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    parsed = parse_jws(decision["decision"])
    key = load_key(await published_key(market, parsed.header["kid"]))
    claims = verify_jws(parsed, key, expected_typ={"transfer-decision+jwt"})
    assert claims["iss"] == claims["decision_maker"] == market.member.organization.did
    assert decision["decision_hash"] == hash_answer(decision)
    assert "sha256:" + hashlib.sha256(parsed.payload).hexdigest() == decision["decision_hash"]
    bound = {"security_id": "note", "offering_id": "reg-d", "quantity": "100", "action": "primary"}
    assert claims | bound == claims
    assert claims["parties"]["seller"] is None
    assert "alice" not in json.dumps(claims)
    again = await market.decide(market.buy("alice"))
    assert again["parties"] == decision["parties"]


async def test_the_key_is_required_and_remembered(market: Market) -> None:
    answer = await market.call("POST", "/v1/transfers", market.buy("alice"))
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    first = await market.post(market.buy("alice"), key="once")
    await market.void(first.json())
    again = await market.post(market.buy("alice"), key="once")
    assert (again.text, again.headers["idempotency-replayed"]) == (first.text, "true")
    other = await market.post(market.buy("alice", 99), key="once")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "quantity", ["-1", "0", "1.0", "1e3", "", "007", "+5", " 5", "٣", str(10**31), str(10**30 + 1), 5, 1.5, True, None]
)
async def test_odd_quantities_are_refused(market: Market, quantity: object) -> None:
    assert (await market.post(market.buy("alice") | {"quantity": quantity})).status_code == 422


async def test_two_to_the_63_is_only_too_much(market: Market) -> None:
    assert codes(await market.decide(market.buy("alice", 2**63))) == ["INSUFFICIENT_BALANCE"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": {"amount": "1e3", "currency": "USD"}}, "invalid_input"),
        ({"price": {"amount": "10", "currency": "EUR"}}, "invalid_transfer"),
        ({"buyer": None}, "invalid_transfer"),
        ({"seller": {"investor_ref": "bob"}}, "invalid_transfer"),
        ({"action": "secondary"}, "invalid_transfer"),
        ({"action": "secondary", "seller": {"investor_ref": "alice"}}, "invalid_transfer"),
        ({"action": "pledge"}, "invalid_transfer"),
        ({"action": "steal"}, "invalid_input"),
        ({"trade_date": "2026-11-22"}, "trade_date_out_of_range"),
        ({"trade_date": "2026-11-24"}, "trade_date_out_of_range"),
        ({"trade_date": "2026-02-30"}, "invalid_input"),
        ({"trade_date": "0001-01-01"}, "invalid_input"),
        ({"approvals": [{"approver": "x", "approved_at": "0001-01-01T00:00:00+23:59"}]}, "invalid_input"),
        ({"approvals": [{"approver": "x", "approved_at": "9999-12-31T23:59:59-23:59"}]}, "invalid_input"),
        ({"trade": {"buyer": {"accredited": True}}}, "invalid_input"),
        ({"trade": {"buyer": {"us_person": False}}}, "invalid_input"),
        ({"unknown": 1}, "invalid_input"),
    ],
)
async def test_what_cannot_be_decided_is_refused(market: Market, change: dict[str, Any], code: str) -> None:
    answer = await market.post(market.buy("alice", **change))
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


async def test_a_later_trade_date_needs_time_to_settle(market: Market) -> None:
    await market.put_security(settle_within=2 * 86400)
    decision = await market.decide(market.buy("alice", trade_date="2026-11-25"))
    assert (decision["outcome"], decision["trade_date"]) == ("permit", "2026-11-25")
    assert (await market.post(market.buy("alice", trade_date="2026-11-26"))).status_code == 422


@pytest.mark.parametrize("change", [{"security_id": "NOTE"}, {"security_id": "other"}, {"offering_id": "Reg-D"}])
async def test_unknown_names_are_not_found(market: Market, change: dict[str, Any]) -> None:
    answer = await market.post(market.buy("alice", **change))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_aml_reasons_need_the_compliance_scope(market: Market) -> None:
    await market.screen("alice", "hit")
    hit = await market.decide(market.buy("alice"), scopes="gate", key="hit")
    market.deployment.clock.advance(hours=49)
    await market.put_investor(
        "alice", screening={"result": "clear", "screened_at": "2026-11-23T15:00:00Z", "lists": []}
    )
    stale = await market.decide(market.buy("alice"), scopes="gate")
    assert codes(hit) == ["RESTRICTED"]
    for member in ("reasons", "obligations", "projections", "outcome", "max_permitted_quantity", "route"):
        assert hit.get(member) == stale.get(member), member
    assert hit["reasons"][0]["remedy"] == {"kind": "none"}
    assert hit["reasons"][0]["evidence"] == {}
    assert hit["decision_hash"] == hash_answer(hit)
    assert "SANCTION" not in json.dumps(hit | {"decision": parse_jws(hit["decision"]).payload.decode()})


CLEAR = {"buyer.sanctions": "clear", "buyer.screen_age_hours": 1, "buyer.owners": [], "buyer.pep": False}


@pytest.mark.parametrize(
    ("result", "supposed"),
    [
        ("hit", {"facts": {"buyer.sanctions": "clear"}}),
        ("hit", {"facts": CLEAR}),
        ("hit", {"as_of": "2026-11-23T12:30:00Z"}),
        ("hit", {"trade_date": "2026-11-01", "as_of": "2026-11-23T15:00:00Z"}),
        ("potential", {"facts": CLEAR}),
    ],
)
async def test_supposing_does_not_find_out_what_is_withheld(
    market: Market, result: str, supposed: dict[str, Any]
) -> None:
    await market.screen("alice", result)
    plain = await market.call("POST", "/v1/transfers/preview", market.buy("alice"), scopes="gate")
    asked = await market.call("POST", "/v1/transfers/preview", market.buy("alice") | supposed, scopes="gate")
    assert codes(asked.json()) == codes(plain.json()) == ["RESTRICTED"], asked.text
    for member in ("outcome", "reasons", "obligations", "projections"):
        assert asked.json()[member] == plain.json()[member], member
    full = await market.call("POST", "/v1/transfers/preview", market.buy("alice") | supposed)
    assert "RESTRICTED" not in codes(full.json())


async def test_supposing_may_add_a_restriction(market: Market) -> None:
    what_if = market.buy("alice") | {"facts": {"buyer.sanctions": "hit"}}
    assert codes((await market.call("POST", "/v1/transfers/preview", what_if, scopes="gate")).json()) == ["RESTRICTED"]
    harmless = market.buy("alice") | {"facts": {"buyer.accredited": True}}
    answer = await market.call("POST", "/v1/transfers/preview", harmless, scopes="gate")
    assert answer.json()["outcome"] == "permit"


async def test_the_recorded_decision_holds_everything(market: Market) -> None:
    await market.screen("alice", "hit")
    outward = await market.decide(market.buy("alice"), scopes="gate")
    path = f"/v1/transfers/{outward['id']}"
    full = await market.read(path)
    assert codes(full) == ["SANCTIONS_HIT"]
    assert [each["code"] for each in full["obligations"]] == ["OBL_BLOCK_AND_REPORT_IF_US_NEXUS"]
    assert full["decision_hash"] == hash_answer(full) != outward["decision_hash"]
    assert await market.read(path, scopes="audit") == outward
    refused = await market.call("GET", f"{path}/bundle", scopes="gate audit")
    assert (refused.status_code, refused.json()["code"]) == (403, "bundle_restricted")
    assert (await market.read(f"{path}/bundle"))["decision"]["decision_hash"] == full["decision_hash"]


async def test_a_preview_leaves_no_trace(market: Market) -> None:
    before = await market.holders()
    preview = await market.call("POST", "/v1/transfers/preview", market.buy("alice"))
    assert preview.status_code == 200, preview.text
    answer = preview.json()
    assert (answer["outcome"], answer["id"], answer["reservation"]) == ("permit", None, None)
    assert await market.holders() == before
    what_if = market.buy("nobody") | {"facts": {"buyer.identified": True, "buyer.kyc_valid_until": "2027-01-01"}}
    assumed = (await market.call("POST", "/v1/transfers/preview", what_if)).json()
    assert "KYC_MISSING" not in codes(assumed)
    past = market.buy("alice") | {"as_of": "2026-11-23T16:00:00Z", "trade_date": "2026-10-01"}
    earlier = (await market.call("POST", "/v1/transfers/preview", past)).json()
    assert codes(earlier) == ["US_506C_VERIFICATION_STALE"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rules_version": "1999.1"}, "rules_version_unknown"),
        ({"facts": {"buyer.nonsense": 1}}, "invalid_assumption"),
        ({"facts": {"buyer.accredited": "yes"}}, "invalid_assumption"),
        ({"as_of": "yesterday"}, "invalid_input"),
        ({"as_of": "0001-01-01T00:00:00Z"}, "invalid_input"),
        ({"as_of": "9999-12-31"}, "invalid_input"),
        ({"action": "secondary", "seller": {"investor_ref": "bob"}, "trade_date": "0001-02-01"}, "invalid_input"),
    ],
)
async def test_a_preview_refuses_what_it_cannot_assume(market: Market, change: dict[str, Any], code: str) -> None:
    answer = await market.call("POST", "/v1/transfers/preview", market.buy("alice") | change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_a_batch_answers_in_order_with_decisions_and_problems(market: Market) -> None:
    await market.put_security(issued_quantity="150")
    items = [
        market.buy("alice") | {"idempotency_key": "b1"},
        market.buy("alice") | {"idempotency_key": "b2"},
        market.buy("alice") | {"quantity": "0", "idempotency_key": "b3"},
        market.buy("alice", security_id="other") | {"idempotency_key": "b4"},
        market.buy("alice"),
    ]
    for _ in range(2):
        answer = await market.call("POST", "/v1/transfers/batch", {"transfers": items})
        assert answer.status_code == 200, answer.text
        got = answer.json()["data"]
        assert [each.get("outcome") or each["code"] for each in got] == [
            "permit",
            "deny",
            "invalid_input",
            "not_found",
            "invalid_input",
        ]
    assert (await market.call("POST", "/v1/transfers/batch", {"transfers": []})).status_code == 422


@pytest.fixture
async def venue(market: Market) -> Market:
    member = await market.deployment.add_organization("venue", "platform")
    return Market(market.scene, member)


async def grant(market: Market, venue: Member, **terms: Any) -> None:
    answer = await market.call("PUT", f"/v1/securities/note/grants/{venue.org_id}", terms)
    assert answer.status_code in (200, 201), answer.text


async def test_a_venue_needs_a_grant_and_stays_within_it(market: Market, venue: Market) -> None:
    unknown = await venue.post(venue.buy("alice", security_id="never"))
    never = await venue.post(venue.buy("alice"))
    assert (never.status_code, without_instance(never)) == (404, without_instance(unknown))
    await grant(market, venue.member, actions=["secondary"])
    assert "VENUE_NOT_LICENSED" in codes(await venue.decide(venue.buy("alice")))
    await grant(market, venue.member, valid_until="2026-11-22")
    assert "VENUE_NOT_LICENSED" in codes(await venue.decide(venue.buy("alice")))
    await grant(market, venue.member, countries=["DE"])
    assert "VENUE_NOT_LICENSED" in codes(await venue.decide(venue.buy("alice")))
    await grant(market, venue.member)
    assert "VENUE_NOT_LICENSED" not in codes(await venue.decide(venue.buy("alice")))
    gone = await market.call("DELETE", f"/v1/securities/note/grants/{venue.member.org_id}")
    assert gone.status_code == 204
    assert "VENUE_NOT_LICENSED" in codes(await venue.decide(venue.buy("alice")))


async def test_a_venue_sees_its_own_trades_and_the_registrar_sees_all(market: Market, venue: Market) -> None:
    await grant(market, venue.member)
    own = await market.decide(market.buy("alice"), key="shared-key")
    theirs = await venue.decide(venue.buy("alice"), key="shared-key")
    assert own["id"] != theirs["id"]
    assert theirs["iss"] == venue.member.organization.did
    assert theirs["relying_parties"] == [venue.member.organization.did, market.member.organization.did]
    assert theirs["parties"]["buyer"] != own["parties"]["buyer"]
    hidden = await venue.call("GET", f"/v1/transfers/{own['id']}")
    unknown = await venue.call("GET", "/v1/transfers/trf_unknown")
    assert (hidden.status_code, without_instance(hidden)) == (404, without_instance(unknown))
    assert (await venue.settle(own)).status_code == (await venue.void(own)).status_code == 404
    assert (await market.read(f"/v1/transfers/{theirs['id']}"))["id"] == theirs["id"]
    for path in ("positions", "holders"):
        assert (await venue.call("GET", f"/v1/securities/note/{path}")).status_code == 404
    assert (await venue.read("/v1/securities/note"))["name"] == SECURITY["name"]


async def test_two_registrars_may_grant_the_same_id_and_then_it_names_neither(market: Market, venue: Market) -> None:
    other = Market(market.scene, await market.deployment.add_organization("other", "platform"))
    await other.put_security()
    for registrar in (market, other):
        await grant(registrar, venue.member)
    answer = await venue.post(venue.buy("alice"))
    assert (answer.status_code, answer.json()["code"]) == (409, "security_ambiguous")


async def test_a_security_without_offerings_sells_nothing(market: Market) -> None:
    bare = Market(market.scene, market.member, "bare")
    await bare.put_security()
    answer = await bare.post(bare.buy("alice", offering_id=None))
    assert (answer.status_code, answer.json()["code"]) == (422, "no_offering")


async def test_calls_need_their_scope(market: Market) -> None:
    for method, path, body in (
        ("PUT", "/v1/securities/x", SECURITY),
        ("PUT", "/v1/securities/note/offerings/x", REG_D),
        ("POST", "/v1/transfers/preview", market.buy("alice")),
        ("POST", "/v1/transfers/batch", {"transfers": [{}]}),
    ):
        answer = await market.call(method, path, body, scopes="verifier compliance audit")
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def without_instance(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "instance"}
