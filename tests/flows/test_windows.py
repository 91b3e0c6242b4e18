"""Limits over time and over persons, from the register's own sales and offers, on both kinds of database."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from tests.deployment import Deployment
from tests.gate_support import NON_US, REG_D, Market, codes, open_market
from tests.prepared import prepared

REG_B = {"regime": "us.506b", "general_solicitation": False}
SOPHISTICATED = {"buyer": {"sophisticated": True}}
TODAY = date(2026, 11, 23)
LIMIT = {"regime": "us.reg_cf", "limit_at_least": "5000", "currency": "USD", "as_of": "2026-11-01"}


@prepared
async def market(deployment: Deployment) -> Market:
    market = await open_market(deployment)
    for ref in ("alice", "bob"):
        await market.admit(ref, purpose="us.reg_s")
    return market


async def open_lots(market: Market, count: int, offering_id: str, **particulars: Any) -> None:
    """Enter lots that ``count`` investors bought of the issuer, a month ago if nothing else is said."""
    lot = {"offering_id": offering_id, "quantity": "1", "acquired_on": "2026-10-23", "from": "issuer"} | particulars
    lots = [{"investor_ref": f"h{number}"} | lot for number in range(count)]
    answer = await market.call("POST", f"/v1/securities/{market.security_id}/positions", {"lots": lots})
    assert answer.status_code == 201, answer.text


async def offer(market: Market, ref: str, offering_id: str, country: str, **more: Any) -> Any:
    path = f"/v1/securities/{market.security_id}/offerings/{offering_id}/offerees"
    return await market.call("POST", path, {"investor_ref": ref, "country": country} | more)


async def permit(market: Market, request: dict[str, Any]) -> dict[str, Any]:
    decision = await market.decide(request)
    assert decision["outcome"] == "permit", decision["reasons"]
    return decision


def price(amount: str, currency: str = "USD") -> dict[str, Any]:
    return {"price": {"amount": amount, "currency": currency}}


async def facts_of(market: Market, decision: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    bundle = await market.read(f"/v1/transfers/{decision['id']}/bundle", scopes="gate compliance audit")
    [evaluation] = bundle["evaluations"]
    return evaluation["facts"], evaluation["sources"]


# Rule 506(b): 35 purchasers in 90 days


@pytest.mark.parametrize(("others", "outcome"), [(34, "permit"), (35, "deny")])
async def test_the_thirty_sixth_purchaser_is_denied(market: Market, others: int, outcome: str) -> None:
    await market.put_offering("reg-b", REG_B)
    await open_lots(market, others, "reg-b")
    decision = await market.decide(market.buy("alice", 1, offering_id="reg-b", trade=SOPHISTICATED))
    assert (decision["outcome"], codes(decision)) == (outcome, ["US_506B_35_LIMIT"] * (outcome == "deny"))
    facts, sources = await facts_of(market, decision)
    assert len(facts["state"]["nonaccredited_sales"]) == others
    assert sources["state.nonaccredited_sales"] == {"kind": "register"}


async def test_a_purchaser_counts_once_and_only_while_promised_or_settled(market: Market) -> None:
    await market.put_offering("reg-b", REG_B)
    await open_lots(market, 34, "reg-b")
    request = market.buy("alice", 1, offering_id="reg-b", trade=SOPHISTICATED)
    first = await permit(market, request)
    second = await permit(market, request)
    other = market.buy("bob", 1, offering_id="reg-b", trade=SOPHISTICATED)
    assert codes(await market.decide(other)) == ["US_506B_35_LIMIT"]
    await market.void(second)
    assert codes(await market.decide(other)) == ["US_506B_35_LIMIT"]
    assert (await market.settle(first)).status_code == 200
    assert codes(await market.decide(other)) == ["US_506B_35_LIMIT"]
    await permit(market, request)
    excluded = {"buyer": {"sophisticated": True, "excluded_501e": True}}
    await permit(market, other | {"trade": excluded})


async def test_a_promise_that_is_given_up_makes_room_at_once(market: Market) -> None:
    await market.put_offering("reg-b", REG_B)
    await open_lots(market, 34, "reg-b")
    first = await permit(market, market.buy("alice", 1, offering_id="reg-b", trade=SOPHISTICATED))
    await market.void(first)
    await permit(market, market.buy("bob", 1, offering_id="reg-b", trade=SOPHISTICATED))


async def test_a_promise_that_runs_out_makes_room(market: Market) -> None:
    await market.put_offering("reg-b", REG_B)
    await open_lots(market, 34, "reg-b")
    await permit(market, market.buy("alice", 1, offering_id="reg-b", trade=SOPHISTICATED))
    other = market.buy("bob", 1, offering_id="reg-b", trade=SOPHISTICATED)
    assert codes(await market.decide(other)) == ["US_506B_35_LIMIT"]
    market.deployment.clock.advance(seconds=60)
    await permit(market, other)


@pytest.mark.parametrize(("days", "counted"), [(89, 35), (90, 0)])
async def test_purchasers_count_for_ninety_days(market: Market, days: int, counted: int) -> None:
    await market.put_offering("reg-b", REG_B)
    await open_lots(market, 35, "reg-b", acquired_on=(TODAY - timedelta(days=days)).isoformat())
    decision = await market.decide(market.buy("alice", 1, offering_id="reg-b", trade=SOPHISTICATED))
    facts, _ = await facts_of(market, decision)
    assert len(facts["state"]["nonaccredited_sales"]) == counted


async def test_purchasers_of_another_security_of_the_issuer_count(market: Market) -> None:
    await market.put_offering("reg-b", REG_B)
    await open_lots(market, 34, "reg-b")
    sister = Market(market.scene, market.member, "sister")
    await sister.put_security(issuer="iss-1 ")  # the same name, written otherwise
    await sister.put_offering("reg-b", REG_B)
    stranger = Market(market.scene, market.member, "stranger")
    await stranger.put_security(issuer="ISS-2")
    await stranger.put_offering("reg-b", REG_B)
    requests = [
        each.buy(ref, 1, offering_id="reg-b", trade=SOPHISTICATED) for each, ref in ((market, "alice"), (sister, "bob"))
    ]
    decisions = await asyncio.gather(*(market.decide(request) for request in requests))
    assert sorted(each["outcome"] for each in decisions) == ["deny", "permit"]
    await permit(stranger, stranger.buy("bob", 1, offering_id="reg-b", trade=SOPHISTICATED))


# Regulation Crowdfunding: what an investor buys, what an issuer sells


async def crowdfund(market: Market, security_id: str, issuer: str) -> Market:
    crowd = Market(market.scene, market.member, security_id)
    await crowd.put_security(issuer=issuer)
    await crowd.put_offering("cf", {"regime": "us.reg_cf"})
    return crowd


async def with_limit(market: Market) -> None:
    """Let alice present that she may invest 5,000."""
    accreditor = market.scene.accreditor
    types = ("qualified-investor", "investment-limit")
    await market.scene.platform.trust(accreditor.identifier, *types, entry_id="accreditor", attester_class="us_cpa")
    wallet = await market.scene.new_wallet(sub="subject-alice")
    *wallet.held, _accredited = wallet.held  # whoever shows that has no limit
    wallet.held.append(await accreditor.issue("investment-limit", wallet.keys, LIMIT))
    await market.admit("alice", wallet, purpose="us.reg_cf")


async def test_an_investors_limit_counts_every_issuer(market: Market) -> None:
    one, two = await crowdfund(market, "one", "ISS-1"), await crowdfund(market, "two", "ISS-2")
    await with_limit(market)
    first = await permit(market, one.buy("alice", 3000, offering_id="cf", **price("1")))
    request = two.buy("alice", 2001, offering_id="cf", **price("1"))
    denied = await market.decide(request)
    assert (codes(denied), denied["max_permitted_quantity"]) == (["US_CF_INVESTOR_LIMIT"], "2000")
    assert denied["reasons"][0]["remedy"] == {"kind": "wait_until", "at": "2027-11-24"}
    await market.settle(first)
    assert codes(await market.decide(request)) == ["US_CF_INVESTOR_LIMIT"]
    await permit(market, request | {"quantity": "2000"})
    facts, _ = await facts_of(market, denied)
    assert facts["buyer"]["cf_purchases"] == [{"date": "2026-11-23", "amount": "3000"}]


async def test_two_purchases_at_once_do_not_pass_the_investors_limit(market: Market) -> None:
    one, two = await crowdfund(market, "one", "ISS-1"), await crowdfund(market, "two", "ISS-2")
    await with_limit(market)
    requests = [each.buy("alice", 3000, offering_id="cf", **price("1")) for each in (one, two)]
    decisions = await asyncio.gather(*(market.decide(request) for request in requests))
    assert sorted(each["outcome"] for each in decisions) == ["deny", "permit"]


async def test_purchases_elsewhere_that_the_investor_represents_are_added(market: Market) -> None:
    crowd = await crowdfund(market, "one", "ISS-1")
    await with_limit(market)
    elsewhere = {"buyer": {"cf_purchases": [{"amount": "4000", "date": "2025-11-23"}]}}
    request = crowd.buy("alice", 1001, offering_id="cf", trade=elsewhere, **price("1"))
    denied = await market.decide(request)
    assert codes(denied) == ["US_CF_INVESTOR_LIMIT"]
    _, sources = await facts_of(market, denied)
    assert sources["buyer.cf_purchases"]["and"]["kind"] == "request"
    await permit(market, request | {"quantity": "1000"})
    too_old = {"buyer": {"cf_purchases": [{"amount": "4000", "date": "2025-11-22"}]}}
    await permit(market, request | {"quantity": "4000", "trade": too_old})


@pytest.mark.parametrize(("quantity", "outcome"), [(2000, "permit"), (2001, "deny")])
async def test_an_issuers_cap_counts_its_opening_lots(market: Market, quantity: int, outcome: str) -> None:
    crowd = await crowdfund(market, "one", "ISS-1")
    await open_lots(crowd, 1, "cf", consideration="4000000")
    sister = await crowdfund(market, "two", "ISS-1")
    await open_lots(sister, 1, "cf", consideration="998000")
    await open_lots(sister, 1, "cf", consideration="900000", acquired_on="2025-11-22")
    decision = await market.decide(crowd.buy("alice", quantity, offering_id="cf", **price("1")))
    assert (decision["outcome"], codes(decision)) == (outcome, ["US_CF_OFFERING_CAP"] * (outcome == "deny"))


async def test_a_lot_whose_price_is_unknown_leaves_the_cap_unknown(market: Market) -> None:
    crowd = await crowdfund(market, "one", "ISS-1")
    await open_lots(crowd, 1, "cf")
    decision = await market.decide(crowd.buy("alice", 100, offering_id="cf", **price("1")))
    assert codes(decision) == ["INPUT_MISSING"]
    assert decision["reasons"][0]["evidence"] == {"field": "state.issuer_cf_sold_12m"}


async def test_both_tiers_of_regulation_a_count_together(market: Market) -> None:
    await market.put_offering("tier-1", {"regime": "us.reg_a_t1", "blue_sky_ok_states": ["NY"]})
    await market.put_offering("tier-2", {"regime": "us.reg_a_t2"})
    await open_lots(market, 1, "tier-2", consideration="19999000")
    decision = await market.decide(market.buy("alice", 1001, offering_id="tier-1", **price("1")))
    assert codes(decision) == ["US_REGA_OFFERING_CAP"]
    await permit(market, market.buy("alice", 1000, offering_id="tier-1", **price("1")))


# Offerees


@pytest.mark.parametrize(("others", "outcome"), [(49, "permit"), (50, "deny")])
async def test_the_fifty_first_offeree_in_singapore_is_denied(market: Market, others: int, outcome: str) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    await open_lots(market, others, "private", country="SG")
    decision = await market.decide(market.buy("alice", 1, offering_id="private"))
    assert (decision["outcome"], codes(decision)) == (outcome, ["SG_50_OFFEREES"] * (outcome == "deny"))


async def test_offers_count_whether_or_not_anything_is_bought(market: Market) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    await open_lots(market, 48, "private", country="SG")
    given_up = await permit(market, market.buy("alice", 1, offering_id="private"))
    await market.void(given_up)
    await permit(market, market.buy("bob", 1, offering_id="private"))
    await market.admit("carol", purpose="us.reg_s", sub="subject-carol")
    assert codes(await market.decide(market.buy("carol", 1, offering_id="private"))) == ["SG_50_OFFEREES"]
    await permit(market, market.buy("alice", 1, offering_id="private"))


@pytest.mark.parametrize(("day", "counted"), [("2025-11-23", "50"), ("2025-11-22", "0")])
async def test_offers_count_for_twelve_months(market: Market, day: str, counted: str) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    await open_lots(market, 50, "private", country="SG", acquired_on=day)
    preview = await market.call("POST", "/v1/transfers/preview", market.buy("alice", 1, offering_id="private"))
    assert preview.json()["outcome"] == ("deny" if counted == "50" else "permit")


async def test_an_offer_is_recorded_once(market: Market) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    made = await offer(market, "zoe", "private", "SG")
    again = await offer(market, "zoe", "private", "SG")
    other = await offer(market, "zoe", "private", "MY")
    assert [each.status_code for each in (made, again, other)] == [201, 200, 409]
    assert made.json() == again.json()
    assert other.json()["code"] == "offeree_known"
    assert made.json()["offered_on"] == "2026-11-23"
    listed = await market.read("/v1/securities/note/offerings/private/offerees")
    assert [(each["investor_ref"], each["country"]) for each in listed["data"]] == [("zoe", "SG")]


async def test_an_offer_made_again_counts_from_its_latest_day(market: Market) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    await open_lots(market, 50, "private", country="SG", acquired_on="2025-11-22")
    await permit(market, market.buy("alice", 1, offering_id="private"))
    for number in range(50):
        again = await offer(market, f"h{number}", "private", "SG")
        assert (again.status_code, again.json()["offered_on"]) == (200, "2026-11-23")
    assert codes(await market.decide(market.buy("bob", 1, offering_id="private"))) == ["SG_50_OFFEREES"]


async def test_who_was_left_out_counts_when_offered_to_as_somebody_else(market: Market) -> None:
    await market.put_offering("eu", {"regime": "eu.pr_150"})
    counted = [(await offer(market, "zoe", "eu", "DE", qualified=said)).json()["qualified"] for said in (True, False)]
    assert counted == [True, False]
    assert (await offer(market, "zoe", "eu", "DE", qualified=True)).json()["code"] == "offeree_known"


async def test_the_day_of_an_offer_is_the_zones(market: Market) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    market.deployment.clock.advance(hours=2)  # 17:00 in UTC is past midnight in Singapore
    assert (await offer(market, "zoe", "private", "SG")).json()["offered_on"] == "2026-11-24"


async def test_offers_are_listed_in_pages(market: Market) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    for ref in ("x", "y", "z"):
        await offer(market, ref, "private", "SG")
    path = "/v1/securities/note/offerings/private/offerees?limit=2"
    first = await market.read(path)
    second = await market.read(f"{path}&after={first['next']}")
    assert [each["investor_ref"] for each in [*first["data"], *second["data"]]] == ["x", "y", "z"]
    assert second["next"] is None


async def test_offers_of_an_unknown_offering_are_not_found(market: Market) -> None:
    assert (await offer(market, "zoe", "none", "SG")).status_code == 404
    assert (await market.call("GET", "/v1/securities/note/offerings/none/offerees")).status_code == 404


@pytest.mark.parametrize(("others", "outcome"), [(148, "permit"), (149, "deny")])
async def test_fewer_than_150_persons_in_each_member_state(market: Market, others: int, outcome: str) -> None:
    await market.put_offering("eu", {"regime": "eu.pr_150"})
    await open_lots(market, others, "eu", country="DE")
    for ref in ("f1", "f2"):
        await offer(market, ref, "eu", "FR")
    await offer(market, "q", "eu", "DE", qualified=True)
    await market.admit("eve", purpose="us.reg_s", **NON_US)
    decision = await market.decide(market.buy("eve", 1, offering_id="eu"))
    assert (decision["outcome"], codes(decision)) == (outcome, ["EU_150_PERSONS"] * (outcome == "deny"))
    facts, _ = await facts_of(market, decision)
    assert facts["state"]["offerees_by_ms"] == {"DE": str(others), "FR": "2"}


async def test_an_offeree_of_no_known_country_counts_in_every_one(market: Market) -> None:
    await market.put_offering("eu", {"regime": "eu.pr_150"})
    await open_lots(market, 149, "eu")
    await market.admit("eve", purpose="us.reg_s", **NON_US)
    assert codes(await market.decide(market.buy("eve", 1, offering_id="eu"))) == ["EU_150_PERSONS"]


@pytest.mark.parametrize(("others", "outcome"), [(148, "permit"), (149, "deny")])
async def test_fewer_than_150_persons_in_the_united_kingdom(market: Market, others: int, outcome: str) -> None:
    await market.put_offering("uk", {"regime": "uk.poatr_150"})
    await open_lots(market, others, "uk", country="GB")
    await market.admit("uma", purpose="us.reg_s", **NON_US | {"sub": "subject-uma", "country": "GB"})
    decision = await market.decide(market.buy("uma", 1, offering_id="uk"))
    assert (decision["outcome"], codes(decision)) == (outcome, ["UK_150_PERSONS"] * (outcome == "deny"))


async def test_standing_says_whom_the_count_leaves_out(market: Market) -> None:
    await market.put_offering("eu", {"regime": "eu.pr_150"})
    accreditor = market.scene.accreditor
    wallet = await market.scene.new_wallet(**NON_US | {"sub": "subject-pro"})
    claims = {"jurisdiction": "EU", "category": "eu.pro.per_se", "attester_class": "us_cpa", "scope": "any"}
    wallet.held[2] = await accreditor.issue("qualified-investor", wallet.keys, claims)
    await market.admit("pro", wallet, purpose="eu.pr_qi")
    assert (await offer(market, "pro", "eu", "DE")).json()["qualified"] is True
    assert (await offer(market, "plain", "eu", "DE")).json()["qualified"] is False


# Sums over twelve months


@pytest.mark.parametrize(
    ("regime", "terms", "currency", "sold", "code"),
    [
        ("eu.pr_small", {"ms_threshold": "12000000"}, "EUR", "11999990", "EU_SMALL_OFFER_CAP"),
        ("sg.s272a", {}, "SGD", "4999991", None),
        ("uk.poatr_small", {}, "GBP", "4999991", "UK_SMALL_OFFER_CAP"),
    ],
)
async def test_small_offers_add_up(
    market: Market, regime: str, terms: dict[str, Any], currency: str, sold: str, code: str | None
) -> None:
    small = Market(market.scene, market.member, "small")
    await small.put_security(currency=currency)
    await small.put_offering("small", {"regime": regime} | terms)
    await open_lots(small, 1, "small", consideration=sold)
    denied = await market.decide(small.buy("alice", 10, offering_id="small", **price("1", currency)))
    assert denied["outcome"] == "deny"
    assert code in {None, *codes(denied)}
    permitted = await permit(market, small.buy("alice", 9, offering_id="small", **price("1", currency)))
    await market.settle(permitted)
    facts, _ = await facts_of(
        market, await market.decide(small.buy("bob", 1, offering_id="small", **price("1", currency)))
    )
    assert int(facts["state"]["consideration_12m"]) == int(sold) + 9


async def test_amounts_in_another_currency_are_not_added_up(market: Market) -> None:
    euro = Market(market.scene, market.member, "euro")
    await euro.put_security(currency="EUR")
    dollar = Market(market.scene, market.member, "dollar")
    await dollar.put_security(currency="USD")
    for each in (euro, dollar):
        await each.put_offering("small", {"regime": "eu.pr_small", "ms_threshold": "12000000"})
    await open_lots(dollar, 1, "small", consideration="100")
    decision = await market.decide(euro.buy("alice", 1, offering_id="small", **price("1", "EUR")))
    assert codes(decision) == ["INPUT_MISSING"]


# Regulation S: the compliance period, and affiliates' sales


async def test_the_compliance_period_begins_with_the_last_sale(market: Market) -> None:
    await market.open_lot("alice", 10, offering_id="reg-s", acquired_on="2026-09-01")
    request = market.sell("alice", "bob", 1)
    facts, sources = await facts_of(market, await market.decide(request))
    assert facts["offering"]["dcp_start"] == "2026-10-01"
    assert sources["offering.dcp_start"]["kind"] == "offering"
    await market.open_lot("alice", 10, offering_id="reg-s", acquired_on="2026-11-20")
    facts, sources = await facts_of(market, await market.decide(request))
    assert facts["offering"]["dcp_start"] == "2026-11-20"
    assert sources["offering.dcp_start"] == {"kind": "register"}
    assert (await market.read("/v1/securities/note/offerings/reg-s"))["last_issued_on"] == "2026-11-20"


async def test_an_affiliates_sales_under_another_exemption_use_up_no_volume(market: Market) -> None:
    await market.admit("carol")
    await market.open_lot("alice", 100)
    private = {"seller": {"affiliate": True}, "general_solicitation": False, "info_package": True}
    first = await permit(market, market.sell("alice", "carol", 10, trade=private))
    assert first["route"] == "4a7"
    facts, _ = await facts_of(market, await market.decide(market.sell("alice", "carol", 10, trade=private)))
    assert facts["seller"]["affiliate_sales"] == []
    await market.put_offering("reg-d", REG_D | {"current_public_info": True})
    second = await permit(market, market.sell("alice", "carol", 1, trade=private))
    assert second["route"] == "rule144"
    facts, _ = await facts_of(market, await market.decide(market.sell("alice", "carol", 1, trade=private)))
    assert facts["seller"]["affiliate_sales"] == [{"date": "2026-11-23", "qty": "1"}]


async def test_a_venue_records_and_sees_its_own_offers(market: Market) -> None:
    await market.put_offering("private", {"regime": "sg.s272b"})
    venue = Market(market.scene, await market.deployment.add_organization("venue", "platform"))
    path = "/v1/securities/note/offerings/private/offerees"
    assert (await offer(venue, "zoe", "private", "SG")).status_code == 404
    granted = await market.call("PUT", f"/v1/securities/note/grants/{venue.member.org_id}", {})
    assert granted.status_code == 201
    assert (await offer(venue, "zoe", "private", "SG")).status_code == 201
    assert (await offer(market, "zoe", "private", "SG")).status_code == 201
    assert len((await market.read(path))["data"]) == 2
    assert [each["org_id"] for each in (await venue.read(path))["data"]] == [venue.member.org_id]
    await market.call("DELETE", f"/v1/securities/note/grants/{venue.member.org_id}")
    assert (await offer(venue, "yan", "private", "SG")).status_code == 404
