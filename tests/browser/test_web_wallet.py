"""The web wallet in a real browser, with real issuers and a real platform: what works."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserType, Locator, Page, Route, expect

from service.credentials.jose import b64url_decode, b64url_encode
from service.credentials.transaction_data import STATEMENTS
from service.demo import cases
from tests.browser.accessibility import find_barriers
from tests.browser.chromium import ARGUMENTS, find_chromium
from tests.browser.watch import Watch
from tests.browser.web_wallet import Person, address_of, name_person, open_wallet
from tests.interop.support import Deployment

NARROW = {"width": 320, "height": 640}
SCREENING = {
    "credentials": [
        {
            "id": "aml",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:goodstanding:vct:aml-screening:1"]},
            "claims": [{"path": ["result"]}],
        }
    ]
}


EXPECTED = ["Failed to load resource: (net::ERR_FAILED|.* 4)", "stranger.example"]
"""What the browser itself says of requests that tests cut off or have refused."""


@asynccontextmanager
async def living(browser: Browser, deployment: Deployment) -> AsyncIterator[Person]:
    """Somebody whose requests go straight to the network, where a test may cut them."""
    watch = Watch()
    context = await browser.new_context(base_url=deployment.base_url, service_workers="block")
    context.set_default_timeout(10_000)
    watch.over(context)
    yield Person(await context.new_page(), deployment, name_person())
    await context.close()
    assert watch.unexpected(EXPECTED) == []


@pytest_asyncio.fixture(loop_scope="session")
async def newcomer(browser: Browser, deployment: Deployment) -> AsyncIterator[Person]:
    """Somebody with an empty wallet."""
    async with living(browser, deployment) as person:
        yield person


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guest(browser: Browser, deployment: Deployment) -> AsyncIterator[Person]:
    """Somebody whose wallet holds what earlier tests put there; one page, so that few tests load it anew."""
    async with living(browser, deployment) as person:
        yield person


@pytest_asyncio.fixture(loop_scope="session")
async def person(guest: Person) -> AsyncIterator[Person]:
    """The guest, with a network that works again."""
    yield guest
    await guest.page.unroute_all()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stocked(browser: Browser, deployment: Deployment) -> AsyncIterator[Person]:
    """Somebody with three credentials, of whom several tests ask something."""
    async with living(browser, deployment) as person:
        await person.accept(await person.offer("kyc", tx_code=True))
        await person.accept(await person.offer("aml-screening"))
        await person.accept(await person.offer("qualified-investor"))
        yield person


async def test_what_is_shown_verifies_and_the_trade_is_permitted(stocked: Person) -> None:
    request = await stocked.ask(purpose="us.506c", response_mode="direct_post.jwt")
    await stocked.open_request(request)
    main = stocked.page.locator("main")
    await expect(main).to_contain_text("localhost")
    await expect(main).to_contain_text("Purpose")
    hidden = await stocked.page.locator(".hidden-claims").all_inner_texts()
    assert any("Family name" in text and "Date of birth" in text for text in hidden)
    await expect(main).to_contain_text("confirmed in writing by an independent professional")
    assert await find_barriers(stocked.page) == []
    await stocked.page.get_by_role("button", name="Share", exact=True).click()
    await expect(stocked.page.get_by_role("heading", name="Done")).to_be_visible()
    verdict = await stocked.verdict(request)
    assert verdict["state"] == "verified"
    assert "family_name" not in str(verdict["credentials"])
    assert (await stocked.buy())["outcome"] == "permit"
    await open_wallet(stocked.page, "/wallet/#/history")
    await expect(main).to_contain_text("accepted")
    await expect(main).to_contain_text("Qualified investor: ")


async def test_one_page_answers_in_two_tabs_only_once(stocked: Person) -> None:
    request = await stocked.ask(purpose="us.506c")
    other = replace(stocked, page=await stocked.page.context.new_page())
    await stocked.open_request(request)
    await other.open_request(request)
    sent: list[str] = []
    stocked.page.context.on("request", lambda each: sent.append(each.url) if "/responses/" in each.url else None)
    for person in (stocked, other):
        await person.page.get_by_role("button", name="Share", exact=True).click()
    for person in (stocked, other):
        await expect(person.page.get_by_role("heading", name="Done")).to_be_visible()
    assert len(sent) == 1
    await other.page.close()


async def test_saying_no_sends_nothing_but_that(stocked: Person) -> None:
    request = await stocked.ask(purpose="us.506c")
    await stocked.open_request(request)
    await stocked.page.get_by_role("button", name="Don't share").click()
    await expect(stocked.page.get_by_role("heading", name="Nothing was shared")).to_be_visible()
    assert (await stocked.verdict(request))["credentials"] == []
    await stocked.page.reload()
    await expect(stocked.page.get_by_role("heading", name="Nothing was shared")).to_be_visible()
    await expect(stocked.page.locator("main")).to_contain_text("the platform was told so")
    await stocked.page.route("**/responses/*", lose_request, times=1)
    await stocked.open_request(await stocked.ask(purpose="us.506c"))
    await stocked.page.get_by_role("button", name="Don't share").click()
    await expect(stocked.page.locator("main")).to_contain_text("The platform could not be told")


async def test_a_declaration_is_shown_in_words_and_signed(stocked: Person) -> None:
    kind, name = "urn:goodstanding:transaction:representation:1", "us.reg_s.offshore"
    statement = {"type": kind, "credential_ids": ["aml"], "representation": name, "statement": STATEMENTS[name]}
    request = await stocked.ask(dcql_query=SCREENING, transaction_data=[statement])
    await stocked.open_request(request)
    await expect(stocked.page.locator("main")).to_contain_text("I am outside the United States and not a U.S. person")
    await stocked.page.get_by_role("button", name="Sign and share").click()
    await expect(stocked.page.get_by_role("heading", name="Done")).to_be_visible()
    checks = (await stocked.verdict(request))["checks"]
    assert any(check["check"] == "transaction_data" and check["outcome"] == "pass" for check in checks)


async def test_the_page_goes_on_where_the_platform_says(stocked: Person) -> None:
    onward = f"{stocked.deployment.base_url}/docs"
    request = await stocked.ask(purpose="us.506c", redirect_uri=onward)
    await stocked.open_request(request)
    await stocked.page.get_by_role("button", name="Share", exact=True).click()
    await stocked.page.wait_for_url(f"{onward}**")
    await stocked.page.go_back()
    await expect(stocked.page.get_by_role("heading", name="Done")).to_be_visible()


async def test_what_is_missing_is_said_and_nothing_is_sent(newcomer: Person) -> None:
    request = await newcomer.ask(purpose="us.506c")
    await newcomer.open_request(request)
    await expect(newcomer.page.get_by_text("Identity (KYC): not in this wallet")).to_be_visible()
    assert (await newcomer.verdict(request))["state"] == "pending"


async def test_keys_are_never_readable_and_differ_between_copies(stocked: Person) -> None:
    await open_wallet(stocked.page, "/wallet/")
    found = await stocked.run(
        """async (load) => {
          const { all } = await load("store.js");
          const keys = await all("keys"), credentials = await all("credentials");
          const tries = keys.flatMap((key) => ["pkcs8", "jwk", "raw"].map((form) =>
            crypto.subtle.exportKey(form, key.privateKey).then(() => "exported", () => "refused")));
          const copies = credentials.map((each) => each.copies.map((copy) => copy.kid));
          return {tries: await Promise.all(tries), copies};
        }"""
    )
    assert set(found["tries"]) == {"refused"}
    assert all(len(set(kids)) == len(kids) > 1 for kids in found["copies"])


async def test_every_page_is_free_of_barriers_and_narrow(stocked: Person, tmp_path: Path) -> None:
    page = stocked.page
    await open_wallet(page, "/wallet/#/settings")
    await page.get_by_role("button", name="简体中文").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await page.set_viewport_size({"width": NARROW["width"], "height": NARROW["height"]})
    credential = await stocked.run("async (load) => (await (await load('store.js')).all('credentials'))[0].id")
    for name in ("", "add", f"credential/{credential}", "history", "settings"):
        await open_wallet(page, f"/wallet/#/{name}")
        assert await find_barriers(page) == [], name
        assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"], name
        assert "." not in await page.locator("h1").inner_text(), name  # a key of the language file without its words
    await open_wallet(page, "/wallet/")
    await expect(page.get_by_role("heading", name="我的凭证")).to_be_visible()
    await expect(page.get_by_role("heading", name="合格投资者")).to_be_visible()
    assert (await page.screenshot(path=tmp_path / "narrow.png"))[:4] == b"\x89PNG"
    await open_wallet(page, "/wallet/#/settings")
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("heading", name="Settings")).to_be_visible()


async def walk_to(page: Page, control: Locator) -> None:
    """Press the tab key until a control has the focus, as somebody without a mouse does."""
    for _ in range(8):
        await page.keyboard.press("Tab")
        if await control.evaluate("(element) => element === document.activeElement"):
            return
    pytest.fail("The keyboard doesn't lead there.")


async def test_an_offer_is_taken_by_keyboard_alone(person: Person) -> None:
    page, offer = person.page, await person.offer("aml-screening")
    await open_wallet(page, "/wallet/#/add")
    await walk_to(page, page.get_by_label("Link", exact=True))
    await page.keyboard.insert_text(offer["web_link"])
    await walk_to(page, page.get_by_role("button", name="Open"))
    await page.keyboard.press("Enter")
    await walk_to(page, page.get_by_role("button", name="Accept"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Credential received")).to_be_visible()


async def test_hostile_values_and_names_are_text(person: Person) -> None:
    script = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"

    async def rename(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(
            response=answer, json=await answer.json() | {"display": [{"name": f"A\u202eB {script}{'x' * 10_000}"}]}
        )

    await person.page.route("**/.well-known/openid-credential-issuer/**", rename)
    ordinary = cases.identity_of_us_person(datetime.now(UTC).date())
    await person.accept(await person.offer("kyc", ordinary | {"given_name": script}))
    await person.page.get_by_role("link", name="Show the credential").click()
    await expect(person.page.locator("dd", has_text=script).first).to_have_text(script)
    await expect(person.page.locator("main")).to_contain_text("A\\u{202e}B")
    assert await person.page.locator("main img, main script").count() == 0
    assert "run" not in await person.page.title()


async def test_what_an_issuer_decides_on_later_arrives_by_itself(person: Person) -> None:
    offer = await person.offer("aml-screening", deferred=True)
    await person.open_offer(offer)
    await person.page.get_by_role("button", name="Accept").click()
    await expect(person.page.get_by_role("heading", name="The issuer is still deciding")).to_be_visible()
    await person.deployment.kyc.post(f"/v1/credential-offers/{offer['id']}/release", {}, key=f"release-{offer['id']}")
    await person.page.get_by_role("button", name="Look now").click()
    await expect(person.page.get_by_role("heading", name="Credential received")).to_be_visible()


async def test_keys_and_credentials_survive_the_end_of_the_browser(
    browser: Browser, deployment: Deployment, tmp_path: Path
) -> None:
    kind: BrowserType = browser.browser_type
    options = {"executable_path": find_chromium(), "args": ARGUMENTS, "base_url": deployment.base_url}
    context = await kind.launch_persistent_context(tmp_path / "profile", **options)
    person = Person(await context.new_page(), deployment, name_person())
    await person.accept(await person.offer("aml-screening"))
    await context.close()
    context = await kind.launch_persistent_context(tmp_path / "profile", **options)
    person = replace(person, page=await context.new_page())
    request = await person.ask(dcql_query=SCREENING)
    await person.share(request)
    assert (await person.verdict(request))["state"] == "verified"
    await context.close()


CLEAR = """() => new Promise((done) => {
  indexedDB.deleteDatabase('goodstanding-wallet').onsuccess = () => done(null); })"""


async def test_a_cleared_browser_is_noticed_and_explained(newcomer: Person) -> None:
    await newcomer.accept(await newcomer.offer("aml-screening"))
    page, request = newcomer.page, await newcomer.ask(dcql_query=SCREENING)
    await newcomer.open_request(request)
    await page.evaluate(CLEAR)
    await page.get_by_role("button", name="Share", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("This request is not on this device")
    await newcomer.open_offer(await newcomer.offer("aml-screening"))
    await page.evaluate(CLEAR)
    await page.get_by_role("button", name="Accept").click()
    await expect(page.get_by_role("alert")).to_contain_text("This offer is not on this device")
    assert (await newcomer.verdict(request))["state"] == "pending"
    await open_wallet(page, "/wallet/#/")
    await expect(newcomer.page.get_by_role("heading", name="Something is missing here")).to_be_visible()
    await newcomer.page.get_by_role("button", name="I understand").click()
    await expect(newcomer.page.get_by_role("heading", name="Something is missing here")).to_be_hidden()


async def test_the_back_button_brings_no_used_link_back(person: Person) -> None:
    await open_wallet(person.page, "/wallet/")
    offer = await person.offer("aml-screening")
    await person.page.goto(address_of("offer", offer["deep_link"]))
    await person.page.get_by_role("button", name="Accept").click()
    await expect(person.page.get_by_role("heading", name="Credential received")).to_be_visible()
    assert "credential_offer" not in person.page.url
    await person.page.go_back()
    await person.page.go_forward()
    await expect(person.page.get_by_role("heading", name="Credential received")).to_be_visible()


# Bad input: a sentence that a layman understands, a way on, nothing lost, nothing sent twice


async def test_what_is_no_link_is_said_to_be_none_and_stays_in_the_field(person: Person) -> None:
    await open_wallet(person.page, "/wallet/#/add")
    for text in ("hello", "https://stranger.example/offer", "ftp://localhost/", "openid4vp://?x=1&x=2"):
        await person.page.get_by_label("Link").fill(text)
        await person.page.get_by_role("button", name="Open").click()
        await expect(person.page.get_by_role("alert")).to_be_visible()
        assert await person.page.get_by_label("Link").input_value() == text


async def test_an_offer_that_is_over_says_so(person: Person, stocked: Person) -> None:
    expired, used = await person.offer("aml-screening", expires_in=1), await person.offer("aml-screening")
    await stocked.accept(used)
    await person.page.wait_for_timeout(1000)
    for offer in (expired, used):
        await person.open_offer(offer)
        await expect(person.page.get_by_role("alert")).to_contain_text("This offer can't be used any more")
    await stocked.open_offer(used)  # where it was used, it leads to what it gave
    await expect(stocked.page.get_by_role("heading", name="Credential received")).to_be_visible()


async def test_a_wrong_code_may_be_tried_again(person: Person) -> None:
    offer = await person.offer("aml-screening", tx_code=True)
    await person.open_offer(offer)
    await person.page.get_by_role("button", name="Accept").click()
    await expect(person.page.get_by_role("alert")).to_contain_text("Please enter the code")
    await person.page.get_by_label("Code from the issuer").fill(f"{(int(offer['tx_code']) + 1) % 10**6:06d}")
    await person.page.get_by_role("button", name="Accept").click()
    await expect(person.page.get_by_role("alert")).to_contain_text("didn't take this code")
    await person.page.get_by_label("Code from the issuer").fill(offer["tx_code"])
    await person.page.get_by_role("button", name="Accept").click()
    await expect(person.page.get_by_role("heading", name="Credential received")).to_be_visible()


async def count_credentials(person: Person) -> int:
    await open_wallet(person.page, "/wallet/#/")
    return await person.page.locator(".cards > li").count()


async def test_an_offer_in_two_tabs_is_redeemed_once(person: Person) -> None:
    before, offer = await count_credentials(person), await person.offer("aml-screening")
    other = replace(person, page=await person.page.context.new_page())
    for each in (person, other):
        await each.open_offer(offer)
    sent: list[str] = []
    person.page.context.on("request", lambda each: sent.append(each.url) if each.url.endswith("/token") else None)
    for each in (person, other):
        await each.page.get_by_role("button", name="Accept").click()
    for each in (person, other):
        await expect(each.page.get_by_role("heading", name="Credential received")).to_be_visible()
    assert len(sent) == 1
    assert await count_credentials(person) == before + 1


async def lose_request(route: Route) -> None:
    await route.abort()


async def lose_answer(route: Route) -> None:
    await route.fetch()
    await route.abort()


async def test_what_is_lost_on_its_way_is_asked_for_again_with_the_same_keys(person: Person) -> None:
    for step, times in (("token", 1), ("nonce", 2), ("credential", 1)):  # the first nonce is asked for before the token
        await person.page.route(f"**/issuers/*/{step}", lose_request, times=times)
        await person.open_offer(await person.offer("aml-screening"))
        await person.page.get_by_role("button", name="Accept").click()
        await expect(person.page.get_by_role("alert")).to_contain_text("No answer came")
        keys = await list_keys(person)
        await person.page.get_by_role("button", name=re.compile("Accept|Go on")).click()
        await expect(person.page.get_by_role("heading", name="Credential received")).to_be_visible()
        assert step == "token" or set(keys) >= set(await list_keys(person)), step


async def list_keys(person: Person) -> list[str]:
    keys: list[str] = await person.run(
        "async (load) => (await (await load('store.js')).all('keys')).map((each) => each.kid)"
    )
    return keys


async def test_an_answer_that_is_lost_on_its_way_needs_a_new_link(person: Person) -> None:
    for step in ("token", "credential"):
        await person.page.route(f"**/issuers/*/{step}", lose_answer, times=1)
        await person.open_offer(await person.offer("aml-screening"))
        await person.page.get_by_role("button", name="Accept").click()
        await expect(person.page.get_by_role("alert")).to_contain_text("No answer came")
        await person.page.reload()  # nothing is kept in the page alone
        await person.page.get_by_role("button", name=re.compile("Accept|Go on")).click()
        await expect(person.page.get_by_role("alert")).to_contain_text("Ask the issuer for a new link")


async def test_an_answer_that_may_not_have_arrived_is_sent_again_unchanged(stocked: Person) -> None:
    person = replace(stocked, page=await stocked.page.context.new_page())
    bodies: list[str | None] = []
    person.page.on("request", lambda each: bodies.append(each.post_data) if "/responses/" in each.url else None)
    for lose, outcome in ((lose_request, "Done"), (lose_answer, "The platform doesn't take it a second time")):
        await person.page.route("**/responses/*", lose, times=1)
        request = await person.ask(dcql_query=SCREENING)
        await person.open_request(request)
        await person.page.get_by_role("button", name="Share", exact=True).click()
        await expect(person.page.get_by_role("heading", name="Not sure whether your answer arrived")).to_be_visible()
        await person.page.get_by_role("button", name="Send the same answer again").click()
        await expect(person.page.get_by_role("heading", name=outcome)).to_be_visible()
        assert (await person.verdict(request))["state"] == "verified"
    first, again, second, once_more = bodies
    assert (first, second) == (again, once_more)
    await person.page.close()


FOREIGN_KEY = {
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
"""Of RFC 7515, appendix A.3."""


async def test_a_credential_that_its_issuer_did_not_sign_is_not_kept(person: Person) -> None:
    async def swap_keys(route: Route) -> None:
        answer = await route.fetch()
        document = await answer.json()
        for key in document["jwks"]["keys"]:
            key |= FOREIGN_KEY
        await route.fulfill(response=answer, json=document)

    before, keys = await count_credentials(person), "**/.well-known/jwt-vc-issuer/**"
    await person.page.route(keys, lose_request)
    await person.open_offer(await person.offer("aml-screening"))
    await person.page.get_by_role("button", name="Accept").click()
    await expect(person.page.get_by_role("alert")).to_contain_text("No answer came")
    await person.page.unroute(keys)  # unreachable keys are another thing than wrong ones
    await person.page.route(keys, swap_keys)
    await person.page.get_by_role("button", name="Go on").click()
    await expect(person.page.get_by_role("alert")).to_contain_text("isn't genuine")
    assert await count_credentials(person) == before


def forge(token: str, **changes: str) -> str:
    """Change claims of a signed token and leave its signature."""
    header, payload, signature = token.split(".")
    claims = json.loads(b64url_decode(payload)) | changes
    return f"{header}.{b64url_encode(json.dumps(claims).encode())}.{signature}"


async def test_forged_requests_are_refused(person: Person) -> None:
    forgeries = iter(
        (
            {"response_uri": "https://thief.example/"},
            {"nonce": "another"},
            {"client_id": "redirect_uri:https://thief.example"},
        )
    )

    async def change(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=forge(await answer.text(), **next(forgeries)))

    requests = "**/openid4vp/requests/*"
    await person.page.route(requests, change, times=3)
    for _ in range(3):
        await person.open_request(await person.ask(dcql_query=SCREENING))
        await expect(person.page.get_by_role("alert")).to_contain_text("isn't genuine")
    assert next(forgeries, None) is None
    request, members = await person.ask(dcql_query=SCREENING), person.deployment.seed["organizations"]
    platform, other = (quote(members[name]["did"], safe="") for name in ("platform", "kyc"))
    assert platform in request["deep_link"]
    await open_wallet(person.page, address_of("request", request["deep_link"].replace(platform, other)))
    await expect(person.page.get_by_role("alert")).to_contain_text("isn't genuine")


async def test_a_request_that_was_answered_elsewhere_says_so(stocked: Person, person: Person) -> None:
    await person.accept(await person.offer("aml-screening"))
    request = await stocked.ask(dcql_query=SCREENING)
    await stocked.share(request)
    await person.open_request(request)
    await person.page.get_by_role("button", name="Share", exact=True).click()
    await expect(person.page.get_by_role("heading", name="The platform didn't accept it")).to_be_visible()
    assert (await person.verdict(request))["state"] == "verified"


async def visit(person: Person) -> None:
    """Open an offer that the person has to agree to on the issuer's page, and go there."""
    address, wallet = person.deployment.base_url, "/v1/wallet-clients/goodstanding-web-wallet"
    registered = {"name": "Web wallet", "redirect_uris": [f"{address}/wallet/"], "token_endpoint_auth_method": "none"}
    await person.deployment.kyc.call("PUT", wallet, registered)
    await person.open_offer(await person.offer("aml-screening", grant="authorization_code"))
    await person.page.get_by_role("button", name="Go to the issuer's page").click()
    await person.page.get_by_role("button", name="Allow").wait_for()


async def test_a_person_who_agrees_on_the_issuers_page_brings_back_what_is_redeemed_once(person: Person) -> None:
    page, answers = person.page, []
    page.on("request", lambda request: answers.append(request.url) if "?code=" in request.url else None)
    await visit(person)
    assert await find_barriers(page) == []
    await page.get_by_role("button", name="Allow").click()
    await expect(page.locator("main")).to_contain_text("You are back from the issuer's page")
    assert "?" not in page.url
    await page.reload()
    await page.route("**/issuers/*/token", lose_request, times=1)
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("alert")).to_contain_text("No answer came")
    await page.get_by_role("button", name="Go on").click()
    await expect(page.get_by_role("heading", name="Credential received")).to_be_visible()
    await page.goto(answers[0])
    await expect(page.get_by_role("alert")).to_contain_text("doesn't belong to anything")


async def test_who_leaves_or_declines_there_can_go_again_and_others_answers_are_refused(person: Person) -> None:
    page = person.page
    await visit(person)
    await page.go_back()
    await expect(page.locator("main")).to_contain_text("You haven't finished at the issuer's page")
    find = "async (load) => (await (await load('store.js')).all('offers')).find((each) => each.visit).visit.state"
    mixed_up = {"code": "x", "state": await person.run(find), "iss": "https://thief.example"}
    await page.goto(f"/wallet/?{urlencode(mixed_up)}")
    await expect(page.get_by_role("alert")).to_contain_text("isn't genuine")
    await open_wallet(page, "/wallet/#/")
    await page.locator("a[href^='#/offer/']").last.click()
    await page.get_by_role("button", name="Go to the issuer's page").click()
    await page.get_by_role("button", name="Deny").click()
    await expect(page.get_by_role("alert")).to_contain_text("sent you back without a credential")
    await expect(page.get_by_role("button", name="Go to the issuer's page")).to_be_visible()
