"""A platform's pages: what each shows, who may open and send it, and that nothing of others is on it."""

import re
from html import unescape
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlmodel import select

from service.accounts.accounts import ROLES
from service.console.platform.access import ACTED
from service.console.platform.routes import router
from service.log.sequencer import advance_log
from service.storage.tables import AuditEntry
from tests.console_support import Browser, sign_in
from tests.deployment import Deployment
from tests.events_support import Hooks, let_call, receiving
from tests.gate_support import Market, open_market, open_venue
from tests.prepared import prepared

HOSTILE = "Evil <script>alert(1)</script> \u202egnp.exe"


@prepared
async def market(sqlite_deployment: Deployment) -> Market:
    market = await open_market(sqlite_deployment, caps={"holders": 3}, name=HOSTILE)
    await market.admit("alice")
    await market.put_investor("bob", frozen=False)
    await market.open_lot("alice", 100)
    return market


async def enter(market: Market, *roles: str, language: str = "en") -> Browser:
    browser, _ = await sign_in(market.deployment, market.member, roles, language=language)
    return browser


def read_text(page: str) -> str:
    """Return what people read on a page."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


async def show(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path)
    assert answer.status_code == status, (path, answer.status_code, read_text(answer.text)[-400:])
    return read_text(answer.text)


async def send(browser: Browser, path: str, data: dict[str, Any], status: int = 303) -> Any:
    answer = await browser.post(path, data)
    assert answer.status_code == status, (path, answer.status_code, read_text(answer.text)[-600:])
    return answer


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_page_opens_in_both_languages(market: Market, language: str) -> None:
    permit = await market.decide(market.buy("alice", 1))
    deny = await market.decide(market.buy("bob", 1))
    await advance_log(market.deployment.context)
    browser = await enter(market, *ROLES, language=language)
    pages = [
        "/console/securities",
        "/console/new-security",
        "/console/securities/note",
        "/console/securities/note/edit",
        "/console/securities/note/versions",
        "/console/securities/note/positions",
        "/console/securities/note/new-position",
        "/console/securities/note/new-offering",
        "/console/securities/note/offerings/reg-d",
        "/console/securities/note/offerings/reg-s/edit",
        "/console/trusted-issuers",
        "/console/new-trusted-issuer",
        "/console/trusted-issuers/kyc",
        "/console/investors",
        "/console/investors/alice",
        "/console/investors/bob",
        "/console/decisions",
        f"/console/decisions/{permit['id']}",
        f"/console/decisions/{deny['id']}",
        f"/console/decisions/{deny['id']}/facts",
        f"/console/decisions/{permit['id']}/receipt",
        "/console/what-if",
        "/console/log",
        "/console/webhooks",
        "/console/webhooks/deliveries",
        "/console/clients",
    ]
    for path in pages:
        answer = await browser.get(path)
        assert answer.status_code == 200, (path, read_text(answer.text)[-500:])
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", answer.text), path
        assert "\u202e" not in answer.text, path


WRITERS, KEEPERS = frozenset({"officer", "admin"}), frozenset({"officer", "admin", "compliance"})
NEEDED = {
    "GET /console/new-security": WRITERS,
    "POST /console/new-security": WRITERS,
    "GET /console/securities/{security_id}/edit": WRITERS,
    "POST /console/securities/{security_id}/edit": WRITERS,
    "GET /console/securities/{security_id}/new-offering": WRITERS,
    "POST /console/securities/{security_id}/new-offering": WRITERS,
    "GET /console/securities/{security_id}/offerings/{offering_id}/edit": WRITERS,
    "POST /console/securities/{security_id}/offerings/{offering_id}/edit": WRITERS,
    "GET /console/securities/{security_id}/new-position": WRITERS,
    "POST /console/securities/{security_id}/new-position": WRITERS,
    "GET /console/new-trusted-issuer": WRITERS,
    "POST /console/new-trusted-issuer": WRITERS,
    "GET /console/trusted-issuers/{entry_id}": WRITERS,
    "POST /console/trusted-issuers/{entry_id}": WRITERS,
    "POST /console/trusted-issuers/{entry_id}/end": WRITERS,
    "POST /console/investors": KEEPERS,
    "POST /console/investors/{ref}/freeze": KEEPERS,
    "POST /console/investors/{ref}/screening": {"compliance"},
    "POST /console/investors/{ref}/ask": WRITERS,
    "POST /console/decisions/{transfer_id}/settle": WRITERS,
    "POST /console/decisions/{transfer_id}/void": WRITERS,
    "POST /console/webhooks": {"admin"},
    "POST /console/webhooks/{endpoint_id}/change": {"admin"},
    "POST /console/webhooks/{endpoint_id}/rotate": {"admin"},
    "POST /console/webhooks/{endpoint_id}/test": {"admin"},
    "POST /console/webhooks/{endpoint_id}/delete": {"admin"},
    "POST /console/webhooks/deliveries/{delivery_id}/redeliver": WRITERS,
    "GET /console/clients": {"admin"},
    "POST /console/clients": {"admin"},
    "POST /console/clients/{client_id}/revoke": {"admin"},
}
"""Roles that a page needs; what is not here is for everybody of the organisation, and changes nothing."""
CHANGES_NOTHING = {
    "POST /console/decisions/{transfer_id}/replay",
    "POST /console/what-if",
    "POST /console/log",
}


def list_routes() -> dict[str, Any]:
    """Return the dependency that lets a viewer in, by method and path."""
    found = {}
    for route in router.routes:
        assert isinstance(route, APIRoute)
        [method] = route.methods
        [guard] = [each.call for each in route.dependant.dependencies if hasattr(each.call, "org_role")]
        found[f"{method} {route.path}"] = guard
    return found


def test_every_page_has_its_roles() -> None:
    routes = list_routes()
    assert {name: set(guard.roles) for name, guard in routes.items() if guard.roles} == NEEDED
    assert {guard.org_role for guard in routes.values()} == {"platform"}
    assert {name for name in routes if name.startswith("POST")} == CHANGES_NOTHING | {
        name for name in NEEDED if name.startswith("POST")
    }


def fill(path: str) -> str:
    """Return an address on the market's things."""
    names = {"security_id": "note", "offering_id": "reg-d", "entry_id": "kyc", "ref": "alice"}
    return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], "x_unknown"), path)


async def test_an_auditor_reads_and_changes_nothing(market: Market) -> None:
    browser = await enter(market, "auditor")
    for name in NEEDED:
        method, path = name.split(" ")
        await browser.get("/console")
        answer = await (browser.get(fill(path)) if method == "GET" else browser.post(fill(path)))
        assert answer.status_code == 403, name
    for path in ("/console/securities/note", "/console/investors/alice", "/console/trusted-issuers"):
        assert (await browser.get(path)).status_code == 200
        assert not re.search(r'action="/console/(?!account|sign-out)', browser.page), path


async def test_an_issuer_has_none_of_it(market: Market) -> None:
    browser, _ = await sign_in(market.deployment, market.scene.kyc.member, ["admin", "officer"])
    home = read_text((await browser.get("/console")).text)
    assert "What if" not in home
    for path in ("/console/securities", "/console/decisions", "/console/clients", "/console/log"):
        assert (await browser.get(path)).status_code == 403


async def test_what_is_another_organisations_is_not_there(market: Market) -> None:
    decision = await market.decide(market.buy("alice", 1))
    stranger = await market.deployment.add_organization("stranger", "platform")
    browser, _ = await sign_in(market.deployment, stranger, ROLES)
    request = await market.scene.platform.ask(purpose="us.506c", investor_ref="alice")
    client_id = market.member.credentials.client_id
    reads = [
        "/console/securities/note",
        "/console/securities/note/edit",
        "/console/securities/note/versions",
        "/console/securities/note/positions",
        "/console/securities/note/new-position",
        "/console/securities/note/new-offering",
        "/console/securities/note/offerings/reg-d",
        "/console/securities/note/offerings/reg-d/edit",
        "/console/trusted-issuers/kyc",
        "/console/investors/alice",
        f"/console/decisions/{decision['id']}",
        f"/console/decisions/{decision['id']}/facts",
        f"/console/decisions/{decision['id']}/receipt",
        f"/console/presentations/{request['id']}",
        f"/console/presentations/{request['id']}/state",
    ]
    for path in reads:
        theirs = read_text((await browser.get(path)).text)
        unknown = re.sub(r"note|reg-d|alice|kyc|trf_\w+|preq_\w+", "nothing", path)
        assert "There is no such page" in theirs, path
        assert theirs == await show(browser, unknown, 404), path
    for path in ("settle", "void", "replay"):
        await show(browser, "/console/decisions")
        await send(browser, f"/console/decisions/{decision['id']}/{path}", {"reference": "r", "reason": "r"}, 404)
    await send(browser, f"/console/clients/{client_id}/revoke", {}, 404)
    await send(browser, "/console/securities/note/new-offering", {"id": "x", "regime": "us.506c"}, 404)
    for path in ("/console/securities", "/console/decisions", "/console/investors", "/console/clients"):
        page = await show(browser, path)
        assert not re.search(r"note|alice|trf_", page), path
        assert client_id not in page


async def test_names_from_outside_are_shown_and_do_nothing(market: Market) -> None:
    browser = await enter(market, *ROLES)
    for path in ("/console/securities", "/console/securities/note", "/console/securities/note/edit"):
        page = (await browser.get(path)).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; [U+202E]gnp.exe" in page or path.endswith("edit"), path
        assert "<script>alert" not in page
    await market.put_security(name="n" * 200)
    page = (await browser.get("/console/securities")).text
    assert f"<summary>{'n' * 60}…</summary>{'n' * 200}</details>" in page


async def read_acts(market: Market) -> list[tuple[str, str]]:
    async with market.deployment.context.database.reading() as session:
        rows = (await session.exec(select(AuditEntry).where(AuditEntry.kind == ACTED))).all()
    found = [re.search(r'"action":"([^"]+)","actor":"(acc_\w+)"', row.record) for row in rows]
    return [(each[1], row.subject_id) for each, row in zip(found, rows, strict=True) if each]


SECURITY_FORM = {
    "id": "bond",
    "name": "Bond",
    "issuer": "ISS-2",
    "currency": "USD",
    "issued_quantity": "500",
    "state": "open",
    "policy.freshness": "rule_text_months",
    "policy.elapsed_boundary": "day_after",
}


async def test_a_security_is_made_changed_and_compared(market: Market) -> None:
    browser = await enter(market, "officer")
    await show(browser, "/console/new-security")
    wrong = await send(browser, "/console/new-security", SECURITY_FORM | {"currency": "dollars"}, 422)
    assert 'aria-invalid="true"' in wrong.text
    assert 'value="ISS-2"' in wrong.text
    made = await send(
        browser, "/console/new-security", SECURITY_FORM | {"caps.holders": "2", "countries_allowed": "US UK"}
    )
    assert made.headers["location"] == "/console/securities/bond"
    terms = await market.read("/v1/securities/bond")
    assert (terms["caps"]["holders"], terms["countries_allowed"]) == (2, ["US", "GB"])
    assert terms["policy"]["safe_harbour_only"] is False
    await show(browser, "/console/new-security")
    taken = await send(browser, "/console/new-security", SECURITY_FORM | {"name": "Other"}, 409)
    assert "There is one of this name already" in read_text(taken.text)
    assert (await market.read("/v1/securities/bond"))["name"] == "Bond"
    await show(browser, "/console/securities/bond/edit")
    before = browser.page
    await send(browser, "/console/securities/bond/edit", SECURITY_FORM | {"caps.holders": "5"})
    browser.page = before  # another tab still shows the first version
    stale = await send(browser, "/console/securities/bond/edit", SECURITY_FORM | {"state": "closed"}, 409)
    assert "Somebody else changed this" in read_text(stale.text)
    versions = await show(browser, "/console/securities/bond/versions")
    assert "caps.holders : 2 → 5" in versions
    assert await read_acts(market) == [("security.create", "bond"), ("security.change", "bond")]


async def test_what_a_form_has_no_fields_for_is_kept(market: Market) -> None:
    await market.put_security(identifiers={"isin": "US0000000000"}, tokens=[{"chain": "eip155:1", "address": "0x1"}])
    browser = await enter(market, "officer")
    await show(browser, "/console/securities/note/edit")
    await send(
        browser, "/console/securities/note/edit", SECURITY_FORM | {"issuer": "ISS-1", "issued_quantity": "1000000"}
    )
    terms = await market.read("/v1/securities/note")
    assert (terms["identifiers"], terms["tokens"][0]["address"]) == ({"isin": "US0000000000"}, "0x1")


async def test_offerings_are_made_and_changed(market: Market) -> None:
    browser = await enter(market, "admin")
    await show(browser, "/console/securities/note/new-offering")
    form = {"id": "reg-a", "regime": "us.registered", "state": "open", "lien_allowed": "yes", "reporting": "no"}
    refused = await send(browser, "/console/securities/note/new-offering", form | {"regime": "moon"}, 422)
    assert "choose a regime from the list" in read_text(refused.text)
    await send(browser, "/console/securities/note/new-offering", form)
    await show(browser, "/console/securities/note/offerings/reg-a/edit")
    await send(browser, "/console/securities/note/offerings/reg-a/edit", form | {"lockup_until": "2027-02-01"})
    page = await show(browser, "/console/securities/note/offerings/reg-a")
    assert "lockup_until : none → 2027-02-01" in page
    offering = await market.read("/v1/securities/note/offerings/reg-a")
    assert (offering["version"], offering["reporting"], offering["lockup_until"]) == (2, False, "2027-02-01")


async def test_an_opening_position_is_entered_once(market: Market) -> None:
    browser = await enter(market, "officer")
    form = {
        "investor_ref": "bob",
        "offering_id": "reg-d",
        "quantity": "7",
        "acquired_on": "2024-01-10",
        "from": "issuer",
    }
    await show(browser, "/console/securities/note/new-position")
    wrong = await send(browser, "/console/securities/note/new-position", form | {"quantity": "0"}, 422)
    assert "1 problem" not in wrong.text
    page = browser.page
    for _ in range(2):  # a double click
        browser.page = page
        await send(browser, "/console/securities/note/new-position", form)
    assert (await market.positions())["bob"] == "7"
    table = await show(browser, "/console/securities/note/positions")
    assert "bob 7 0 1 lots" in table
    security = (await browser.get("/console/securities/note")).text
    assert 'aria-label="2 held, 0 reserved, cap 3"' in security
    assert 'width="400"' in security


async def test_trusted_issuers_are_added_changed_and_ended(market: Market) -> None:
    browser = await enter(market, "officer")
    page = await show(browser, "/console/trusted-issuers")
    assert "US certified public accountant" in page
    await show(browser, "/console/new-trusted-issuer")
    form = {"id": "new", "issuer": "https://kyc.example", "credential_types": ["kyc"], "jurisdictions": "us, SG"}
    await send(browser, "/console/new-trusted-issuer", form, 422)
    await send(browser, "/console/new-trusted-issuer", form | {"jurisdictions": "US, SG"})
    await show(browser, "/console/trusted-issuers/new")
    change = form | {"jurisdictions": "US", "valid_until": "2026-01-01", "credential_types": ["kyc", "aml-screening"]}
    await send(browser, "/console/trusted-issuers/new", change)
    kept = (await market.scene.platform.call("GET", "/v1/trusted-issuers/new")).json()
    assert (kept["credential_types"], kept["valid_until"]) == (["kyc", "aml-screening"], "2026-01-01")
    assert "not today" in await show(browser, "/console/trusted-issuers")
    await show(browser, "/console/trusted-issuers/new")
    for _ in range(2):
        await send(browser, "/console/trusted-issuers/new/end", {})
    assert (await market.scene.platform.call("GET", "/v1/trusted-issuers/new")).status_code == 404
    assert [action for action, _ in await read_acts(market)] == [
        "trusted_issuer.create",
        "trusted_issuer.change",
        "trusted_issuer.end",
    ]


async def test_an_investors_standing_in_words(market: Market) -> None:
    browser = await enter(market, "officer")
    assert "alice" in await show(browser, "/console/investors?ref=al")
    assert "No investor is found" in await show(browser, "/console/investors?ref=zz")
    page = await show(browser, "/console/investors/alice")
    assert "us.506c covered until 2026-12-23T15:00:00Z" in page.split("Purposes that none")[0]
    assert "identity (KYC): not shown yet" in await show(browser, "/console/investors/bob")
    answer = await market.call("GET", "/v1/personal-data-accesses?investor_ref=alice", scopes="audit")
    assert answer.json()["data"][-1]["client_id"].startswith("acc_")
    await send(browser, "/console/investors/bob/freeze", {"frozen": "yes"})
    assert "Compliance can let them trade again" in await show(browser, "/console/investors/bob")
    await send(browser, "/console/investors/bob/freeze", {"frozen": "no"}, 403)
    compliance = await enter(market, "compliance")
    assert "Let them trade again" in await show(compliance, "/console/investors/bob")
    await send(compliance, "/console/investors/bob/freeze", {"frozen": "no"})
    assert "Freeze" in await show(compliance, "/console/investors/bob")
    await show(browser, "/console/investors/bob")
    await send(browser, "/console/investors", {"ref": "../x"}, 422)
    await show(browser, "/console/investors/bob")  # the form that searches has the same address
    await send(browser, "/console/investors", {"ref": "carol"})
    assert "carol" in await show(browser, "/console/investors")


async def test_a_presentation_is_asked_for_once_and_answered(market: Market) -> None:
    browser = await enter(market, "officer")
    await show(browser, "/console/investors/bob")
    page = browser.page
    asked = set()
    for _ in range(2):
        browser.page = page
        asked.add((await send(browser, "/console/investors/bob/ask", {"purpose": "us.506c"})).headers["location"])
    [address] = asked
    page = (await browser.get(address)).text
    assert 'hx-trigger="every 2s"' in page
    assert "<svg" in page
    wallet = await market.scene.new_wallet(sub="subject-bob")
    request_id = address.rsplit("/", 1)[1]
    [link] = re.findall(
        r'href="(openid4vp:[^"]+)"', (await browser.http.get(f"/presentation-requests/{request_id}")).text
    )
    assert (await wallet.answer({"deep_link": unescape(link)})).status_code == 200
    state = (await browser.get(f"{address}/state")).text
    assert "verified" in state
    assert "hx-trigger" not in state
    assert "<html" not in state
    assert "us.506c covered" in await show(browser, "/console/investors/bob")


async def test_a_client_is_made_once_and_its_secret_shown_once(market: Market) -> None:
    browser = await enter(market, "admin")
    page = await show(browser, "/console/clients")
    assert "see AML and sanctions reasons" not in page
    form = {"name": "Desk <b>", "scopes": ["gate", "verifier"]}
    await send(browser, "/console/clients", {"name": "", "scopes": ["gate"]}, 422)
    await send(browser, "/console/clients", {"name": "x", "scopes": ["compliance"]}, 422)
    await show(browser, "/console/clients")
    page = browser.page
    made = await send(browser, "/console/clients", form, 200)
    [secret] = re.findall(r'id="secret" readonly value="([\w-]{43})"', made.text)
    [client_id] = re.findall(r"<code>(client_\w+)</code>", made.text)
    browser.page = page
    again = await send(browser, "/console/clients", form, 200)
    assert secret not in again.text
    assert client_id in again.text

    async def sign_client_in() -> int:
        data = {"grant_type": "client_credentials", "scope": "gate"}
        answer = await market.deployment.http.post("/oauth/token", data=data, auth=(client_id, secret))
        return answer.status_code

    assert await sign_client_in() == 200
    listed = await browser.get("/console/clients")
    assert secret not in listed.text
    assert "Desk &lt;b&gt;" in listed.text
    await send(browser, f"/console/clients/{client_id}/revoke", {})
    assert await sign_client_in() == 401
    assert await read_acts(market) == [("client.create", client_id), ("client.revoke", client_id)]


async def test_only_who_sees_aml_reasons_makes_clients_that_do(market: Market) -> None:
    browser = await enter(market, "admin", "compliance")
    assert "see AML and sanctions reasons" in await show(browser, "/console/clients")
    await send(browser, "/console/clients", {"name": "x", "scopes": ["compliance", "gate"]}, 200)


async def test_a_venue_sees_what_it_was_granted(market: Market) -> None:
    venue = await open_venue(market, "venue", actions=["secondary"])
    browser, _ = await sign_in(market.deployment, venue.member, ["officer"])
    assert "Platform" in await show(browser, "/console/securities")
    page = await show(browser, "/console/securities/note")
    assert "Another organisation keeps this security" in page
    assert "Holders against the caps" not in page
    await show(browser, "/console/securities/note/offerings/reg-d")
    for path in ("edit", "versions", "positions", "new-position", "new-offering", "offerings/reg-d/edit"):
        await show(browser, f"/console/securities/note/{path}", 404)
    registrar = await enter(market, "officer")
    assert "Venue" in await show(registrar, "/console/securities/note")


async def test_a_webhook_is_added_once_fails_and_is_sent_again(market: Market) -> None:
    browser = await enter(market, "admin")
    hooks = Hooks(market.deployment, market.member, ("gate", "verifier"))
    with receiving() as receiver:
        let_call(market.deployment, receiver)
        form = {"url": receiver.url, "types": ["transfer.decided"]}
        await show(browser, "/console/webhooks")
        page = browser.page
        await send(browser, "/console/webhooks", form | {"types": []}, 422)
        await send(browser, "/console/webhooks", form | {"url": "http://10.0.0.1/x"}, 422)
        browser.page = page
        made = await send(browser, "/console/webhooks", form, 200)
        [secret] = re.findall(r'id="secret" readonly value="(whsec_[^"]+)"', made.text)
        browser.page = page
        again = await send(browser, "/console/webhooks", form, 200)
        assert secret not in again.text
        await hooks.advance()
        assert (await show(browser, "/console/webhooks")).count("active") == 1
        own = re.findall(r'action="(/console/webhooks/whe_\w+)/rotate"', browser.page)[0]
        assert "whsec_" in (await browser.post(f"{own}/rotate")).text
        receiver.answer = 500
        await market.decide(market.buy("alice", 1))
        await hooks.advance()
        listed = await show(browser, "/console/webhooks/deliveries?state=pending")
        assert "transfer.decided on its way 1 tries 500" in listed
        receiver.answer = 204
        [address] = re.findall(r'action="(/console/webhooks/deliveries/\w+/redeliver)"', browser.page)
        for _ in range(2):
            await send(browser, address, {})
        await hooks.advance()
        assert len(set(receiver.ids)) == 1
        assert "delivered" in await show(browser, "/console/webhooks/deliveries?state=delivered")
        stranger, _ = await sign_in(market.deployment, await market.deployment.add_organization("s", "platform"), ROLES)
        await show(stranger, "/console/webhooks")
        await send(stranger, address, {}, 404)
        [change] = re.findall(
            r'action="(/console/webhooks/whe_\w+/change)"', (await browser.get("/console/webhooks")).text
        )
        await send(browser, change, {"disabled": "yes"})
        assert "disabled" in await show(browser, "/console/webhooks")
        await send(stranger, change, {"disabled": "no"}, 404)
