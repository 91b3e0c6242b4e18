"""Whether somebody was eligible at an instant, from the record, on both kinds of database."""

from typing import Any

from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.prepared import prepared

ASKED = {"investors": ["alice"], "securities": ["note"], "action": "primary"}


@prepared
async def market(deployment: Deployment) -> Market:
    return await open_market(deployment)


async def ask(market: Market, status: int = 200, *, scopes: str = "gate compliance", **more: Any) -> dict[str, Any]:
    answer = await market.call("POST", "/v1/eligibility", ASKED | more, scopes=scopes)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tell(answer: dict[str, Any]) -> tuple[str, list[str]]:
    [cell] = answer["data"]
    return cell["outcome"], [reason["code"] for reason in cell["reasons"]]


async def test_what_was_known_then_decides(market: Market) -> None:
    clock = market.deployment.clock
    await market.put_investor("alice")
    before = clock().isoformat()
    clock.advance(minutes=1)
    await market.admit("alice")
    admitted = clock().isoformat()
    clock.advance(minutes=1)
    await market.put_investor("alice", frozen=True)
    clock.advance(minutes=1)
    assert tell(await ask(market))[0] == "deny"
    assert tell(await ask(market, as_of=admitted)) == ("permit", [])
    outcome, codes = tell(await ask(market, as_of=before))
    assert (outcome, codes[:2]) == ("deny", ["COUNTERPARTY_UNIDENTIFIED", "KYC_MISSING"])


async def test_the_terms_of_then_apply(market: Market) -> None:
    clock = market.deployment.clock
    await market.admit("alice")
    open_then = clock().isoformat()
    clock.advance(minutes=1)
    await market.put_security(countries_blocked=["US"])
    assert "JURISDICTION_BLOCKED" in tell(await ask(market))[1]
    assert tell(await ask(market, as_of=open_then)) == ("permit", [])
    await ask(market, 404, as_of="2026-11-20")


async def test_the_rules_of_a_version_can_be_named(market: Market) -> None:
    await market.admit("alice")
    answer = await ask(market, rules_version="2026.11.1+LW-US-INVEST")
    assert answer["rules_version"] == "2026.11.1+LW-US-INVEST"
    assert (await ask(market, 422, rules_version="1999.1"))["code"] == "rules_version_unknown"


async def test_the_past_needs_the_scope_compliance(market: Market) -> None:
    await market.admit("alice")
    refused = await ask(market, 403, scopes="gate", as_of=market.deployment.clock().isoformat())
    assert refused["code"] == "eligibility_restricted"
    assert (await ask(market, 422, as_of="2031-01-01"))["code"] == "as_of_in_future"
    assert (await ask(market, 422, as_of="yesterday"))["code"] == "as_of_invalid"


async def test_every_action_can_be_asked_about(market: Market) -> None:
    await market.admit("alice")
    for action in ("primary", "secondary", "pledge", "release", "liquidation", "redemption", "gift", "inheritance"):
        assert tell(await ask(market, action=action))[0] in {"permit", "deny", "review"}
    for action in ("forced", "recovery", "distribution", "conversion"):
        assert tell(await ask(market, action=action))[0] in {"permit", "deny", "review"}


async def test_the_security_that_is_not_there_is_named(market: Market) -> None:
    missing = await ask(market, 404, securities=["note", "nope"])
    assert missing["errors"] == [{"path": "/body/securities/1", "detail": "nope: no such security"}]
