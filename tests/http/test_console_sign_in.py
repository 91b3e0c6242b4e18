"""Signing in to the pages: what gets in, what does not, and what every page and form carries."""

import re

from service.accounts.accounts import BY_BROWSER
from service.web.context import Context
from tests.console_support import add_account, make_link, open_browser, sign_in
from tests.deployment import BASE_URL, Deployment, Member
from tests.prepared import prepared


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await sqlite_deployment.add_organization("oak", "issuer")


async def test_from_a_link_to_the_home_page_and_out(sqlite_deployment: Deployment, member: Member) -> None:
    account = await add_account(sqlite_deployment, member, "officer", name="Ada <b>")
    browser, link = open_browser(sqlite_deployment), await make_link(sqlite_deployment, account)
    for _ in range(2):  # looking at it spends nothing
        shown = await browser.get(link)
        assert shown.status_code == 200
        assert "Ada &lt;b&gt;" in shown.text
        assert "Oak" in shown.text
    assert (await browser.get("/console")).headers["location"] == "/console/sign-in?next=/console"
    await browser.get(link)
    answer = await browser.post(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    home = await browser.get("/console")
    assert "Hello, Ada &lt;b&gt;" in home.text
    assert (await browser.get("/console/sign-in")).headers["location"] == "/console"
    await browser.get("/console")
    out = await browser.post("/console/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, "/console/sign-in")
    assert (await browser.get("/console")).status_code == 303


async def test_a_link_that_was_used_or_never_was(sqlite_deployment: Deployment, member: Member) -> None:
    account = await add_account(sqlite_deployment, member, "officer")
    link = await make_link(sqlite_deployment, account)
    first, second = open_browser(sqlite_deployment), open_browser(sqlite_deployment)
    for browser in (first, second):
        await browser.get(link)
    page = second.page
    assert (await first.post(link)).status_code == 303
    assert (await first.post(link)).headers["location"] == "/console"  # the button was pressed twice
    refused = await second.post(link)
    assert (refused.status_code, "set-cookie" in refused.headers) == (404, False)
    unknown = await second.get("/console/sign-in/link/" + "A" * 43)
    again = await second.get(link)
    assert (unknown.status_code, again.status_code) == (404, 404)
    # nothing but its own address, in the links to the other language, tells one from the other
    assert unknown.text.replace("A" * 43, "") == again.text.replace(link.rsplit("/", 1)[1], "")
    assert account.name in page
    assert account.name not in again.text


async def test_an_expired_link_says_so(sqlite_deployment: Deployment, member: Member) -> None:
    link = await make_link(sqlite_deployment, await add_account(sqlite_deployment, member, "officer"))
    sqlite_deployment.clock.advance(minutes=16)
    answer = await open_browser(sqlite_deployment).get(link)
    assert answer.status_code == 404
    assert "Ask an administrator" in answer.text


async def test_cookies(sqlite_deployment: Deployment, member: Member) -> None:
    link = await make_link(sqlite_deployment, await add_account(sqlite_deployment, member, "officer"))
    browser = open_browser(sqlite_deployment)
    await browser.get(link)
    answer = await browser.post(link)
    [cookie] = answer.headers.get_list("set-cookie")
    assert re.fullmatch(r"goodstanding-console=[\w-]{43}; HttpOnly; Path=/; SameSite=lax", cookie)


async def test_cookies_over_https_belong_to_the_host(sqlite_deployment: Deployment, member: Member) -> None:
    link = await make_link(sqlite_deployment, await add_account(sqlite_deployment, member, "officer"))
    context: Context = sqlite_deployment.context
    values = {name: getattr(context, name) for name in Context.__slots__}
    sqlite_deployment.app.state.context = Context(**values | {"base_url": "https://good.example"})
    browser = open_browser(sqlite_deployment)
    browser.http.base_url = "https://good.example"
    await browser.get(link)
    answer = await browser.post(link, origin="https://good.example")
    [cookie] = answer.headers.get_list("set-cookie")
    assert re.fullmatch(r"__Host-goodstanding-console=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", cookie)


async def test_a_planted_session_is_of_no_use(sqlite_deployment: Deployment, member: Member) -> None:
    """Whoever sets a victim's cookies beforehand knows nothing of the session that begins then."""
    link = await make_link(sqlite_deployment, await add_account(sqlite_deployment, member, "officer"))
    browser, planted = open_browser(sqlite_deployment), "A" * 43
    browser.http.cookies.set("goodstanding-console", planted, domain="localhost.local", path="/")
    await browser.get(link)
    answer = await browser.post(link)
    assert planted not in answer.headers["set-cookie"]
    thief = open_browser(sqlite_deployment)
    thief.http.cookies.set("goodstanding-console", planted, domain="localhost.local", path="/")
    assert (await thief.get("/console")).status_code == 303


async def test_signing_in_again_ends_the_session_before(sqlite_deployment: Deployment, member: Member) -> None:
    browser, account = await sign_in(sqlite_deployment, member, ["officer"])
    copy = open_browser(sqlite_deployment)
    copy.http.cookies.update(browser.http.cookies)
    assert (await copy.get("/console")).status_code == 200
    link = await make_link(sqlite_deployment, account)
    await browser.get(link)
    await browser.post(link)
    assert (await browser.get("/console")).status_code == 200
    assert (await copy.get("/console")).status_code == 303


FOREIGN = ["https://evil.example", "null", "http://localhost:8001", "http://localhost:8000.evil.example", None]


async def test_a_form_from_elsewhere(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["officer"])
    for origin in FOREIGN:
        await browser.get("/console/account")
        answer = await browser.post("/console/account/language", {"language": "zh"}, origin=origin)
        assert answer.status_code == 403
        assert "did not come from a page" in answer.text
        assert 'lang="en"' in (await browser.get("/console/account")).text


async def test_a_form_without_the_token_of_this_browser(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["officer"])
    other, _ = await sign_in(sqlite_deployment, member, ["officer"], name="Bob")
    await other.get("/console/account")
    token = other.read_hidden("/console/account/language")["form_token"]
    for fields in ({}, {"form_token": ""}, {"form_token": token}, {"form_token": "é"}):
        answer = await browser.post("/console/account/language", {"language": "zh"} | fields, hidden=False)
        assert answer.status_code == 403, fields


async def test_links_are_spent_by_their_own_page_alone(sqlite_deployment: Deployment, member: Member) -> None:
    """Another site cannot sign its victim in as somebody of its choice."""
    link = await make_link(sqlite_deployment, await add_account(sqlite_deployment, member, "officer"))
    browser = open_browser(sqlite_deployment)
    await browser.get(link)
    assert (await browser.post(link, origin="https://evil.example")).status_code == 403
    assert (await browser.post(link, hidden=False)).status_code == 403
    await browser.get(link)
    assert (await browser.post(link)).status_code == 303


async def test_a_form_after_the_session_ended_is_kept(sqlite_deployment: Deployment, member: Member) -> None:
    browser, account = await sign_in(sqlite_deployment, member, ["officer"])
    await browser.get("/console/account")
    sqlite_deployment.clock.advance(hours=1)
    kept = await browser.post("/console/account/language", {"language": "zh"})
    assert kept.status_code == 401
    assert "what you typed is kept" in kept.text
    elsewhere = open_browser(sqlite_deployment)  # the other tab
    elsewhere.http.cookies = browser.http.cookies
    link = await make_link(sqlite_deployment, account)
    await elsewhere.get(link)
    assert (await elsewhere.post(link)).status_code == 303
    browser.http.cookies = elsewhere.http.cookies
    sent = await browser.post("/console/account/language")
    assert (sent.status_code, sent.headers["location"]) == (303, "/console/account")
    assert 'lang="zh-Hans"' in (await browser.get("/console/account")).text


async def test_what_every_page_says_to_browsers(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["officer"])
    stranger = open_browser(sqlite_deployment)
    pages = [
        await browser.get("/console"),
        await browser.get("/console/nowhere"),
        await stranger.get("/console/sign-in"),
    ]
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", page.text)
    assert pages[1].status_code == 404
    assert "There is no such page" in pages[1].text


NOT_OURS = [
    "//evil.example",
    "https://evil.example",
    "/console//evil.example",
    "/console/\\evil",
    "/consoles",
    "/console/sign-in",
]


async def test_signing_in_leads_to_pages_of_ours(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["officer"])
    led = {"/console/account": "/console/account"} | dict.fromkeys(NOT_OURS, "/console")
    for wanted, page in led.items():
        answer = await browser.get("/console/sign-in", params={"next": wanted})
        assert answer.headers["location"] == page


async def test_a_part_of_a_page_asked_for_by_nobody_leads_to_sign_in(sqlite_deployment: Deployment) -> None:
    answer = await open_browser(sqlite_deployment).get("/console/account", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["hx-redirect"] == "/console/sign-in?next=/console/account"


async def test_the_language_before_anybody_is_known(sqlite_deployment: Deployment) -> None:
    browser = open_browser(sqlite_deployment)
    assert "<h1>登录</h1>" in (await browser.get("/console/sign-in", headers={"Accept-Language": "zh-CN"})).text
    assert "<h1>登录</h1>" in (await browser.get("/console/sign-in?language=zh")).text
    assert "<h1>登录</h1>" in (await browser.get("/console/sign-in")).text
    assert "<h1>Sign in</h1>" in (await browser.get("/console/sign-in?language=en")).text


async def test_an_account_without_a_language_speaks_the_browsers_until_one_is_chosen(
    sqlite_deployment: Deployment, member: Member
) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["officer"], language=BY_BROWSER)
    chinese = {"Accept-Language": "zh-CN"}
    assert "您好" in (await browser.get("/console", headers=chinese)).text
    assert "Hello" in (await browser.get("/console")).text
    await browser.post("/console/account/language", {"language": "en"})
    assert "Hello" in (await browser.get("/console", headers=chinese)).text


async def test_static_files_keep_for_good_at_their_own_address(sqlite_deployment: Deployment) -> None:
    browser = open_browser(sqlite_deployment)
    page = (await browser.get("/console/sign-in")).text
    addresses = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page)
    assert {each.partition("?")[0].rsplit("/", 1)[1] for each in addresses} >= {
        "console.css",
        "console.js",
        "htmx.min.js",
    }
    for address in addresses:
        answer = await browser.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await browser.get("/console/static/console.css?v=0")).headers["cache-control"] == "no-cache"
    assert (await browser.get("/console/static/..%2fpages.py")).status_code == 404
    assert (await browser.get("/console/static/nothing.css")).status_code == 404


async def test_a_form_that_cannot_be_read(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["officer"])
    await browser.get("/console/account")
    token = browser.read_hidden("/console/account/language")["form_token"]
    many = "&".join([f"form_token={token}", *("a=b" for _ in range(400))])
    bodies = {
        "application/json": "{}",
        "application/x-www-form-urlencoded": many,
        "multipart/form-data": "--x\r\nnonsense",
    }
    for media_type, body in bodies.items():
        answer = await browser.http.post(
            "/console/account/language", content=body, headers={"Origin": BASE_URL, "Content-Type": media_type}
        )
        assert answer.status_code == 400, media_type
        assert "could not be read" in answer.text


async def test_a_language_that_we_do_not_speak(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["officer"])
    await browser.get("/console/account")
    assert (await browser.post("/console/account/language", {"language": "tlh"})).status_code == 422
