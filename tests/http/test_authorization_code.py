"""The authorization code grant: pushed requests, the page for the person, codes (OpenID4VCI 1.0, HAIP 1.0)."""

import asyncio
import json
import re
from html import unescape
from typing import Any

import httpx2
from sqlmodel import select

from service.privacy.retention import sweep_expired_forever
from service.storage.tables import AuthorizationRequest, Organization
from tests.authorization_support import (
    CALLBACK,
    ISSUER,
    Browser,
    CodeWallet,
    read_parameters,
    register_wallet,
    start,
)
from tests.deployment import Deployment
from tests.issuing_support import make_offer
from tests.prepared import prepared

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DETAILS = json.dumps([{"type": "openid_credential", "credential_configuration_id": "kyc"}])


@prepared
async def wallet(sqlite_deployment: Deployment) -> CodeWallet:
    return await start(sqlite_deployment)


def assert_error(answer: httpx2.Response, error: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"


def assert_refused(answer: httpx2.Response) -> None:
    """Assert that a page says no, and that the browser goes nowhere."""
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert "location" not in answer.headers
    assert "<form" not in answer.text


async def open_page(wallet: CodeWallet, made: dict[str, Any] | None, **changes: str) -> Browser:
    browser = Browser(wallet.deployment)
    shown = await browser.open(wallet.page(await wallet.push(made, **changes)))
    assert shown.status_code == 200, shown.text
    return browser


async def offer_state(wallet: CodeWallet, made: dict[str, Any]) -> str:
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    state: str = (await wallet.deployment.http.get(f"/v1/credential-offers/{made['id']}", headers=headers)).json()[
        "state"
    ]
    return state


async def test_metadata_say_what_works(wallet: CodeWallet) -> None:
    answer = await wallet.deployment.http.get("/.well-known/oauth-authorization-server/issuers/kyc")
    expected = {
        "authorization_endpoint": f"{ISSUER}/authorize",
        "pushed_authorization_request_endpoint": f"{ISSUER}/par",
        "require_pushed_authorization_requests": True,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
    assert answer.json().items() >= expected.items()
    assert {"authorization_code", "refresh_token"} <= set(answer.json()["grant_types_supported"])


async def test_a_credential_by_scope(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    pushed = await wallet.push(made)
    assert pushed.status_code == 201
    assert pushed.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert (pushed.json()["expires_in"], pushed.headers["cache-control"]) == (60, "no-store")
    browser = Browser(wallet.deployment)
    await browser.open(wallet.page(pushed))
    sent_back = read_parameters(await browser.submit())
    assert sent_back.keys() == {"code", "state", "iss"}
    assert (sent_back["state"], sent_back["iss"]) == ("state-1", ISSUER)
    answer = await wallet.redeem_code(sent_back["code"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["scope"], body["expires_in"]) == ("kyc", 300)
    assert (await wallet.get_credential(body["access_token"])).status_code == 200
    assert await offer_state(wallet, made) == "redeemed"


async def test_a_credential_by_authorization_details(wallet: CodeWallet) -> None:
    code = await wallet.get_code(await wallet.offer(), scope="", authorization_details=DETAILS)
    body = (await wallet.redeem_code(code)).json()
    assert "scope" not in body
    [detail] = body["authorization_details"]
    assert detail["credential_configuration_id"] == "kyc"
    [identifier] = detail["credential_identifiers"]
    answer = await wallet.get_credential(body["access_token"], credential_identifier=identifier)
    assert answer.status_code == 200, answer.text


async def test_details_in_the_token_request_count_too(wallet: CodeWallet) -> None:
    code = await wallet.get_code(await wallet.offer())
    body = (await wallet.redeem_code(code, authorization_details=DETAILS)).json()
    assert body["authorization_details"][0]["credential_identifiers"]


async def test_the_pushed_details_may_be_repeated_and_what_is_offered_is_granted(wallet: CodeWallet) -> None:
    both = json.dumps(json.loads(DETAILS) + json.loads(DETAILS.replace("kyc", "aml-screening")))
    code = await wallet.get_code(await wallet.offer(), scope="", authorization_details=both)
    answer = await wallet.redeem_code(code, authorization_details=both)
    assert answer.status_code == 200, answer.text
    assert [each["credential_configuration_id"] for each in answer.json()["authorization_details"]] == ["kyc"]


async def test_a_credential_identifier_stays(wallet: CodeWallet) -> None:
    codes = [await wallet.get_code(await wallet.offer(), authorization_details=DETAILS) for _ in range(2)]
    first, other = [(await wallet.redeem_code(code)).json() for code in codes]
    again = (await wallet.refresh(first["refresh_token"])).json()
    assert again["authorization_details"] == first["authorization_details"] != other["authorization_details"]


async def test_whoever_looks_ahead_does_not_open_the_request(wallet: CodeWallet) -> None:
    page = wallet.page(await wallet.push(await wallet.offer()))
    ahead = await wallet.deployment.http.head(page)
    assert (ahead.status_code, ahead.headers.get("set-cookie")) == (200, None)
    assert (await Browser(wallet.deployment).open(page)).status_code == 200


async def test_no_state_comes_back_where_none_was_sent(wallet: CodeWallet) -> None:
    browser = await open_page(wallet, await wallet.offer(), state="")
    assert read_parameters(await browser.submit()).keys() == {"code", "iss"}


async def test_the_offer_leads_to_our_page_and_holds_no_code(wallet: CodeWallet) -> None:
    made = await wallet.offer(tx_code=True)
    grants = (await wallet.read_offer(made))["grants"]
    assert grants.keys() == {"authorization_code"}
    assert grants["authorization_code"].keys() == {"issuer_state"}
    as_code = {"grant_type": "urn:ietf:params:oauth:grant-type:pre-authorized_code"}
    as_code |= {"pre-authorized_code": grants["authorization_code"]["issuer_state"], "tx_code": made["tx_code"]}
    assert_error(await wallet.post_token(as_code), "invalid_grant")


async def test_a_pre_authorized_code_is_no_issuer_state(wallet: CodeWallet) -> None:
    code = await wallet.read_code(await make_offer(wallet.deployment, wallet.member))
    assert_error(await wallet.push(None, issuer_state=code), "invalid_request")


PUSH_ERRORS = [
    ({"client_id": ""}, "invalid_client", 401),
    ({"client_id": "stranger"}, "invalid_client", 401),
    ({"code_challenge_method": "plain"}, "invalid_request", 400),
    ({"code_challenge_method": ""}, "invalid_request", 400),
    ({"code_challenge": ""}, "invalid_request", 400),
    ({"redirect_uri": "https://wallet.example/cb"}, "invalid_request", 400),
    ({"redirect_uri": "https://evil.example/"}, "invalid_request", 400),
    ({"redirect_uri": ""}, "invalid_request", 400),
    ({"response_type": "token"}, "unsupported_response_type", 400),
    ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request", 400),
    ({"request": "a.b.c"}, "request_not_supported", 400),
    ({"scope": "openid"}, "invalid_scope", 400),
    ({"scope": "aml-screening"}, "invalid_scope", 400),
    (
        {"authorization_details": DETAILS.replace("kyc", "aml-screening"), "scope": ""},
        "invalid_authorization_details",
        400,
    ),
    ({"issuer_state": "guess"}, "invalid_request", 400),
]


async def test_push_errors(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    for changes, error, status in PUSH_ERRORS:
        assert_error(await wallet.push(made, **changes), error, status)
    assert (await wallet.push(made)).status_code == 201


async def test_the_issuer_state_of_another_issuer_leads_nowhere(wallet: CodeWallet) -> None:
    other = await start(wallet.deployment, "other")
    foreign = await other.read_issuer_state(await other.offer())
    assert_error(await wallet.push(None, issuer_state=foreign), "invalid_request")


async def test_an_offer_that_ended_takes_no_request(wallet: CodeWallet) -> None:
    made = await wallet.offer(expires_in=60)
    state = await wallet.read_issuer_state(made)
    wallet.deployment.clock.advance(seconds=60)
    assert_error(await wallet.push(None, issuer_state=state), "invalid_request")


async def test_the_page_says_who_what_and_for_whom(wallet: CodeWallet) -> None:
    made = await wallet.offer(tx_code=True)
    shown = await Browser(wallet.deployment).open(wallet.page(await wallet.push(made)))
    for part in ("Kyc", "Identity (KYC)", "Pocket", "wallet.example", "Given name"):
        assert part in shown.text
    for secret in ("Canary", "investor-1", made["tx_code"], "<script"):
        assert secret not in shown.text
    assert '<html lang="en">' in shown.text
    assert shown.headers["vary"] == "Accept-Language"
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action" not in policy  # it would hold for wherever the wallet's address leads on to
    assert shown.headers["x-frame-options"] == "DENY"
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in shown.headers
    cookie = shown.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/issuers/kyc/authorize" in cookie


async def test_the_page_speaks_chinese(wallet: CodeWallet) -> None:
    """As the browser asks, as the wallet asks for its reader, or as a link on the page does; an answer keeps it."""
    made = await wallet.offer(tx_code=True)
    page, browser = wallet.page(await wallet.push(made)), Browser(wallet.deployment)
    shown = await browser.open(page + "&ui_locales=fr-CA+zh-Hans")
    for part in ('<html lang="zh-Hans">', "身份认证（KYC）", "<bdi>Pocket</bdi>", "名", "允许", "六位验证码"):
        assert part in shown.text, part
    assert not re.search(r">[^<]*\b(?:Allow|Deny|wallet asks|Afterwards|Given)\b", shown.text)
    [switch] = re.findall(r'<a href="([^"]+)" lang="en"', shown.text)
    path = page.partition("?")[0]
    assert '<html lang="en">' in (await browser.open(path + unescape(switch))).text
    assert "允许此钱包" in (await browser.open(page + "&language=zh")).text
    again = await browser.submit(tx_code="")
    assert "验证码不正确" in again.text
    assert "<a " not in again.text  # the address of an answer cannot be opened
    asks = {"Accept-Language": "zh-HK,en;q=0.5"}
    wallet.deployment.http.cookies.clear()
    assert "属于另一浏览器" in (await wallet.deployment.http.get(page, headers=asks)).text
    assert "须先提交请求" in (await wallet.deployment.http.get(path, headers=asks)).text
    damaged = await wallet.deployment.http.post(path, content="request=%", headers=asks | FORM)
    assert "无法读取此请求" in damaged.text
    nothing = await browser.open(wallet.page(await wallet.push(None)) + "&language=zh")
    assert "没有待领取的凭证" in nothing.text


async def test_no_script_of_another_origin_reads_the_page(wallet: CodeWallet) -> None:
    page = wallet.page(await wallet.push(await wallet.offer()))
    answer = await wallet.deployment.http.get(page, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_names_are_escaped_on_the_page(wallet: CodeWallet) -> None:
    await register_wallet(wallet.deployment, wallet.member, name="<script>alert(1)</script>")
    async with wallet.deployment.context.database.transaction() as session:
        row = await session.get_one(Organization, wallet.member.org_id)
        row.name = "<img src=x>"
        session.add(row)
    shown = await Browser(wallet.deployment).open(wallet.page(await wallet.push(await wallet.offer())))
    assert "<script" not in shown.text
    assert "<img" not in shown.text
    assert "&lt;script&gt;" in shown.text


async def test_a_request_must_be_pushed_first(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    form = wallet.request_form(issuer_state=await wallet.read_issuer_state(made))
    page = f"{wallet.path}/authorize"
    for query in (
        form,
        {"client_id": "wallet"},
        {"client_id": "wallet", "request_uri": "urn:ietf:params:oauth:request_uri:guess"},
        {"client_id": "wallet", "request_uri": "https://evil.example/request"},
        {},
    ):
        assert_refused(await wallet.deployment.http.get(page, params=query))


async def test_a_request_is_named_as_it_was_given_out(wallet: CodeWallet) -> None:
    page = wallet.page(await wallet.push(await wallet.offer()))
    assert_refused(await wallet.deployment.http.get(page.replace("urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A", "")))
    assert (await wallet.deployment.http.get(page)).status_code == 200


async def test_a_request_belongs_to_its_client_and_issuer(wallet: CodeWallet) -> None:
    await register_wallet(wallet.deployment, wallet.member, "second")
    other = await start(wallet.deployment, "other")
    pushed = await wallet.push(await wallet.offer())
    assert_refused(await wallet.deployment.http.get(wallet.page(pushed, "second")))
    assert_refused(await wallet.deployment.http.get(other.page(pushed)))
    twice = wallet.page(pushed) + "&client_id=second"
    assert_refused(await wallet.deployment.http.get(twice))
    assert (await wallet.deployment.http.get(wallet.page(pushed))).status_code == 200


async def test_one_browser_opens_a_request_and_may_load_it_again(wallet: CodeWallet) -> None:
    page = wallet.page(await wallet.push(await wallet.offer()))
    browser = Browser(wallet.deployment)
    assert (await browser.open(page)).status_code == 200
    assert_refused(await Browser(wallet.deployment).open(page))
    assert (await browser.open(page)).status_code == 200
    assert read_parameters(await browser.submit())["code"]


async def test_a_request_can_be_opened_for_a_minute_and_answered_for_ten(wallet: CodeWallet) -> None:
    late, slow = [wallet.page(await wallet.push(await wallet.offer())) for _ in range(2)]
    browser = Browser(wallet.deployment)
    assert (await browser.open(slow)).status_code == 200
    wallet.deployment.clock.advance(seconds=60)
    assert_refused(await Browser(wallet.deployment).open(late))
    assert (await browser.open(slow)).status_code == 200
    wallet.deployment.clock.advance(minutes=9)
    assert_refused(await browser.submit())


async def test_another_page_cannot_answer(wallet: CodeWallet) -> None:
    """Cross-site request forgery: with the cookie and a wrong seal, with the seal and without the cookie."""
    browser = await open_page(wallet, await wallet.offer())
    other = await open_page(wallet, await wallet.offer())
    assert_refused(await browser.submit(seal=""))
    assert_refused(await browser.submit(seal="é"))
    assert_refused(await browser.submit(seal=other.form["seal"]))
    assert_refused(await browser.submit(request=other.form["request"]))
    thief = Browser(wallet.deployment, form=browser.form, action=browser.action)
    assert_refused(await thief.submit())
    assert read_parameters(await browser.submit())["code"]


async def test_the_answer_counts_once(wallet: CodeWallet) -> None:
    """The form sent twice, the back button and a reload: no second code, and the first one stays good."""
    page = wallet.page(await wallet.push(await wallet.offer()))
    browser = Browser(wallet.deployment)
    await browser.open(page)
    cookies = dict(browser.cookies)
    code = read_parameters(await browser.submit())["code"]
    browser.cookies = cookies
    assert_refused(await browser.submit())
    assert_refused(await browser.submit("deny"))
    assert_refused(await browser.open(page))
    assert (await wallet.redeem_code(code)).status_code == 200


async def test_the_person_may_decline_and_try_again(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    browser = await open_page(wallet, made)
    sent_back = read_parameters(await browser.submit("deny"))
    assert sent_back.keys() == {"error", "error_description", "state", "iss"}
    assert (sent_back["error"], sent_back["state"], sent_back["iss"]) == ("access_denied", "state-1", ISSUER)
    assert await wallet.get_code(made)


async def test_anything_but_allow_is_no(wallet: CodeWallet) -> None:
    browser = await open_page(wallet, await wallet.offer())
    assert read_parameters(await browser.submit(""))["error"] == "access_denied"


async def test_the_transaction_code_is_asked_for_on_the_page(wallet: CodeWallet) -> None:
    made = await wallet.offer(tx_code=True)
    wrong = f"{(int(made['tx_code']) + 1) % 10**6:06d}"
    browser = await open_page(wallet, made)
    for given in ({}, {"tx_code": wrong}, {"tx_code": ""}):
        again = await browser.submit(**given)
        assert again.status_code == 200
        assert 'role="alert"' in again.text
        assert "location" not in again.headers
    assert read_parameters(await browser.submit(tx_code=made["tx_code"]))["code"]


async def test_the_fifth_wrong_transaction_code_ends_the_offer(wallet: CodeWallet) -> None:
    made = await wallet.offer(tx_code=True)
    wrong = f"{(int(made['tx_code']) + 1) % 10**6:06d}"
    for _ in range(4):  # each in a request of its own: the offer counts, not the request
        browser = await open_page(wallet, made)
        assert (await browser.submit(tx_code=wrong)).status_code == 200
    browser = await open_page(wallet, made)
    sent_back = read_parameters(await browser.submit(tx_code=wrong))
    assert (sent_back["error"], sent_back["iss"]) == ("access_denied", ISSUER)
    assert await offer_state(wallet, made) == "cancelled"


async def test_an_empty_transaction_code_is_no_guess(wallet: CodeWallet) -> None:
    made = await wallet.offer(tx_code=True)
    browser = await open_page(wallet, made)
    for _ in range(5):
        again = await browser.submit(tx_code="")
        assert 'role="alert"' in again.text
    assert 'maxlength="6" required>' in again.text
    assert "formnovalidate>Deny<" in again.text
    assert read_parameters(await browser.submit(tx_code=made["tx_code"]))["code"]


async def test_without_an_offer_there_is_nothing_to_agree_to(wallet: CodeWallet) -> None:
    browser = Browser(wallet.deployment)
    shown = await browser.open(wallet.page(await wallet.push(None)))
    assert "none waits here" in shown.text
    assert 'value="allow"' not in shown.text
    assert read_parameters(await browser.submit("allow"))["error"] == "access_denied"


async def test_an_offer_that_was_withdrawn_meanwhile(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    browser = await open_page(wallet, made)
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    await wallet.deployment.http.delete(f"/v1/credential-offers/{made['id']}", headers=headers)
    assert read_parameters(await browser.submit())["error"] == "access_denied"


CODE_ERRORS = [
    ({"code": ""}, "invalid_request", 400),
    ({"redirect_uri": ""}, "invalid_request", 400),
    ({"code_verifier": ""}, "invalid_grant", 400),
    ({"client_id": ""}, "invalid_client", 401),
    ({"client_id": "stranger"}, "invalid_client", 401),
    ({"client_id": "second"}, "invalid_grant", 400),
    ({"code": "guess"}, "invalid_grant", 400),
    ({"authorization_details": "{"}, "invalid_request", 400),
]
BURNING_ERRORS = [
    ({"code_verifier": "x" * 43}, "invalid_grant"),
    ({"code_verifier": "short"}, "invalid_grant"),
    ({"redirect_uri": "https://wallet.example/cb"}, "invalid_grant"),
    ({"authorization_details": DETAILS.replace("kyc", "aml-screening")}, "invalid_authorization_details"),
]


async def test_errors_that_leave_the_code(wallet: CodeWallet) -> None:
    await register_wallet(wallet.deployment, wallet.member, "second")
    code = await wallet.get_code(await wallet.offer())
    for changes, error, status in CODE_ERRORS:
        assert_error(await wallet.redeem_code(code, **changes), error, status)
    other = await start(wallet.deployment, "other")
    assert_error(await other.redeem_code(code, code_verifier=wallet.verifier), "invalid_grant")
    assert (await wallet.redeem_code(code)).status_code == 200


async def test_errors_that_use_the_code_up(wallet: CodeWallet) -> None:
    for changes, error in BURNING_ERRORS:
        code = await wallet.get_code(await wallet.offer())
        assert_error(await wallet.redeem_code(code, **changes), error)
        assert_error(await wallet.redeem_code(code), "invalid_grant")


async def test_a_code_lives_a_minute(wallet: CodeWallet) -> None:
    code = await wallet.get_code(await wallet.offer())
    wallet.deployment.clock.advance(seconds=60)
    assert_error(await wallet.redeem_code(code), "invalid_grant")


async def test_a_second_use_revokes_what_the_first_one_gave(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    code = await wallet.get_code(made)
    body = (await wallet.redeem_code(code)).json()
    assert_error(await wallet.redeem_code(code), "invalid_grant")
    assert_error(await wallet.get_credential(body["access_token"]), "invalid_token", 401)
    assert_error(await wallet.refresh(body["refresh_token"]), "invalid_grant")
    assert await offer_state(wallet, made) == "cancelled"


async def test_two_codes_for_one_offer_give_one_credential(wallet: CodeWallet) -> None:
    made = await wallet.offer()
    first, second = await wallet.get_code(made), await wallet.get_code(made)
    assert (await wallet.redeem_code(second)).status_code == 200
    assert_error(await wallet.redeem_code(first), "invalid_grant")


async def test_a_wallet_that_is_not_registered_any_more_gets_nothing(wallet: CodeWallet) -> None:
    code = await wallet.get_code(await wallet.offer())
    headers = await wallet.deployment.headers(wallet.member, "issuer")
    await wallet.deployment.http.delete("/v1/wallet-clients/wallet", headers=headers)
    assert_error(await wallet.redeem_code(code), "invalid_client", 401)


async def test_only_the_port_of_a_loopback_address_is_free(wallet: CodeWallet) -> None:
    await register_wallet(wallet.deployment, wallet.member, redirect_uris=["http://127.0.0.1/callback"])
    made = await wallet.offer()
    address = "http://127.0.0.1:50123/callback"
    browser = await open_page(wallet, made, redirect_uri=address)
    location = (await browser.submit()).headers["location"]
    code = httpx2.URL(location).params["code"]
    assert location.startswith(f"{address}?code=")
    other_port = address.replace("50123", "50124")
    assert_error(await wallet.redeem_code(code, redirect_uri=other_port), "invalid_grant")
    assert_error(await wallet.push(made, redirect_uri=CALLBACK), "invalid_request")


async def test_requests_that_nobody_opened_are_forgotten(wallet: CodeWallet) -> None:
    for _ in range(3):
        await wallet.push(None)
    wallet.deployment.clock.advance(hours=2)
    await wallet.push(None)
    sweeping = asyncio.create_task(sweep_expired_forever(wallet.deployment.context, every_s=0.01))
    try:
        for _ in range(1_000):
            if await count_requests(wallet) == 1:
                break
            await asyncio.sleep(0.01)
    finally:
        sweeping.cancel()
    assert await count_requests(wallet) == 1


async def count_requests(wallet: CodeWallet) -> int:
    async with wallet.deployment.context.database.reading() as session:
        return len((await session.exec(select(AuthorizationRequest))).all())
