"""The pages about accounts: one's own with its passkeys, and those that an administrator manages."""

import json
import re

from tests.console_support import Browser, add_account, open_browser, sign_in
from tests.deployment import BASE_URL, Deployment, Member
from tests.passkey_support import SoftPasskey
from tests.prepared import prepared

OPTIONS = {"get": "/console/sign-in/passkey/options", "create": "/console/account/passkeys/options"}


@prepared
async def member(sqlite_deployment: Deployment) -> Member:
    return await sqlite_deployment.add_organization("oak", "issuer")


async def ask(browser: Browser, kind: str) -> str:
    headers = {"Origin": BASE_URL, "Accept": "application/json"}
    headers["X-Form-Token"] = browser.read_hidden("")["form_token"]
    answer = await browser.http.post(OPTIONS[kind], headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


async def add_passkey(browser: Browser, name: str = "Laptop") -> SoftPasskey:
    device = SoftPasskey()
    await browser.get("/console/account")
    credential = device.create(await ask(browser, "create"))
    answer = await browser.post("/console/account/passkeys", {"credential": credential, "name": name})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/account"), answer.text
    return device


async def test_a_passkey_from_registered_to_removed(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["admin"])
    assert "You have no passkey yet" in (await browser.get("/console/account")).text
    device = await add_passkey(browser, "Laptop <i>")
    page = (await browser.get("/console/account")).text
    assert "Laptop &lt;i&gt;" in page
    assert "This is your only passkey" in page
    assert "whoever runs the service" in page  # to an administrator
    other = open_browser(sqlite_deployment)
    await other.get("/console/sign-in?next=/console/account")
    credential = device.get(await ask(other, "get"))
    signed_in = await other.post("/console/sign-in/passkey", {"credential": credential})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/console/account")
    assert (await other.get("/console/account")).status_code == 200
    again = await open_browser(sqlite_deployment).get("/console/account")
    assert again.status_code == 303
    await browser.get("/console/account")
    [remove] = re.findall(r'action="(/console/account/passkeys/[^"]+/remove)"', browser.page)
    assert (await browser.post(remove)).status_code == 303
    assert (await browser.post(remove)).status_code == 404
    assert (await other.get("/console/account")).status_code == 303  # a device that was lost is signed out


async def test_a_passkey_that_is_refused_leaves_a_way_on(sqlite_deployment: Deployment, member: Member) -> None:
    browser = open_browser(sqlite_deployment)
    await browser.get("/console/sign-in?next=/console/account")
    credential = SoftPasskey(user_handle=b"acc_1").get(await ask(browser, "get"))
    answer = await browser.post("/console/sign-in/passkey", {"credential": credential})
    assert answer.status_code == 401
    assert "was not accepted" in answer.text
    assert 'name="next" value="/console/account"' in answer.text
    inside, _ = await sign_in(sqlite_deployment, member, ["officer"])
    await inside.get("/console/account")
    answer = await inside.post("/console/account/passkeys", {"credential": "{}", "name": "Laptop"})
    assert answer.status_code == 401
    assert "was not accepted" in answer.text


async def test_scripts_get_a_sentence_too(sqlite_deployment: Deployment) -> None:
    headers = {"Origin": "https://evil.example", "Accept": "application/json", "X-Form-Token": "x"}
    answer = await open_browser(sqlite_deployment).http.post(OPTIONS["get"], headers=headers)
    assert answer.status_code == 403
    assert "did not come from a page" in json.loads(answer.text)["text"]


async def test_an_administrator_makes_an_account(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["admin"], name="Admin")
    await browser.get("/console/accounts")
    fields = {"name": "Bo <b>", "role": ["officer", "approver"], "language": "zh"} | browser.read_hidden(
        "/console/accounts"
    )
    made = await browser.post("/console/accounts", fields, hidden=False)
    assert made.status_code == 200
    assert "Bo &lt;b&gt;" in made.text
    [link] = re.findall(rf'value="{BASE_URL}(/console/sign-in/link/[\w-]+)"', made.text)
    twice = await browser.post("/console/accounts", fields, hidden=False)
    assert link in twice.text
    listed = (await browser.get("/console/accounts")).text
    assert listed.count("Bo &lt;b&gt;") == 1
    newcomer = open_browser(sqlite_deployment)
    await newcomer.get(link)
    assert (await newcomer.post(link)).status_code == 303
    assert 'lang="zh-Hans"' in (await newcomer.get("/console")).text
    [account] = set(re.findall(r'href="(/console/accounts/[^"]+)">Bo', listed))
    await browser.get(account)
    assert (await browser.post(account + "/roles", {"role": "auditor"})).status_code == 303
    assert "审计员" in (await newcomer.get("/console")).text
    await browser.get(account)
    second = await browser.post(account + "/link")
    assert re.search(r"/console/sign-in/link/[\w-]+", second.text)
    assert link not in second.text
    await browser.get(account)
    assert (await browser.post(account + "/disable")).status_code == 303
    assert (await newcomer.get("/console")).status_code == 303
    assert "disabled since" in (await browser.get(account)).text


async def test_what_was_typed_stays(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["admin"])
    await browser.get("/console/accounts")
    answer = await browser.post("/console/accounts", {"name": 'Bo "B"', "language": "zh"})
    assert answer.status_code == 422
    assert 'value="Bo &#34;B&#34;"' in answer.text
    assert '<option value="zh" selected>' in answer.text
    assert "choose at least one role" in answer.text


async def test_the_last_administrator(sqlite_deployment: Deployment, member: Member) -> None:
    browser, account = await sign_in(sqlite_deployment, member, ["admin"])
    path = f"/console/accounts/{account.id}"
    for action, fields in (("/disable", {}), ("/roles", {"role": "officer"})):
        await browser.get(path)
        answer = await browser.post(path + action, fields)
        assert answer.status_code == 409
        assert "last administrator" in answer.text
    await browser.get(path)
    assert (await browser.post(path + "/roles")).status_code == 422


async def test_a_link_for_a_disabled_account(sqlite_deployment: Deployment, member: Member) -> None:
    browser, _ = await sign_in(sqlite_deployment, member, ["admin"])
    account = await add_account(sqlite_deployment, member, "officer")
    path = f"/console/accounts/{account.id}"
    await browser.get(path)
    hidden = browser.read_hidden(path + "/link")
    await browser.post(path + "/disable", hidden, hidden=False)
    answer = await browser.post(path + "/link", hidden, hidden=False)
    assert answer.status_code == 409
    assert "This account is disabled" in answer.text


async def test_accounts_of_another_organisation(sqlite_deployment: Deployment, member: Member) -> None:
    other = await sqlite_deployment.add_organization("elm", "issuer")
    account = await add_account(sqlite_deployment, other, "officer", "admin", name="Secret Agent")
    browser, _ = await sign_in(sqlite_deployment, member, ["admin"])
    for action in ("", "/roles", "/link", "/disable"):
        for account_id in (account.id, "acc_unknown"):
            await browser.get("/console/accounts")
            path = f"/console/accounts/{account_id}{action}"
            answer = await (browser.post(path, {"role": "officer"}) if action else browser.get(path))
            assert answer.status_code == 404
            assert "Secret Agent" not in answer.text
