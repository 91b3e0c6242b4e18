"""Backups of the web wallet: made, restored in another profile and used there; and what bad ones say."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.accessibility import find_barriers
from tests.browser.conftest import NewContext
from tests.browser.web_wallet import Person, name_person, open_wallet
from tests.interop.support import Deployment

PASSPHRASE = "seven brown otters sing"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "hasPrf": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
EXPORTS = """async (load) => {
  const { all } = await load('store.js');
  const keys = (await all('keys')).map(({privateKey}) => privateKey);
  const formats = keys.flatMap((key) => ['pkcs8', 'jwk', 'raw'].map((format) => crypto.subtle.exportKey(format, key)));
  const tried = await Promise.allSettled(formats);
  return [keys.length, tried.map(({status}) => status).filter((status) => status === 'fulfilled').length];
}"""
FORGET = """async (load) => {
  for (const {name} of await indexedDB.databases()) {
    await new Promise((done) => { indexedDB.deleteDatabase(name).onsuccess = done; });
  }
  localStorage.clear();
}"""


async def turn_on(page: Page, passphrase: str = PASSPHRASE) -> None:
    await open_wallet(page, "/wallet/#/backup")
    await page.get_by_label("Passphrase", exact=True).fill(passphrase)
    await page.get_by_label("The same passphrase again").fill(passphrase)
    await page.get_by_role("button", name="Turn on with this passphrase").click()
    await expect(page.get_by_role("button", name="Save the file")).to_be_visible()


async def save(page: Page, path: Path) -> Path:
    await open_wallet(page, "/wallet/#/backup")
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Save the file").click()
    download = await waiting.value
    assert download.suggested_filename.startswith("goodstanding-wallet-backup-")
    await download.save_as(path)
    await expect(page.locator("main")).to_contain_text("Last saved")
    return path


async def choose(page: Page, content: bytes) -> None:
    await open_wallet(page, "/wallet/#/backup")
    file = {"name": "backup.json", "mimeType": "application/json", "buffer": content}
    await page.get_by_label("Backup file").set_input_files([file])  # type: ignore[list-item]  # a FilePayload


async def restore(page: Page, content: bytes, passphrase: str = PASSPHRASE) -> None:
    await choose(page, content)
    # Not the field of the same name above it, with which the present backup's passphrase is changed.
    await page.locator("#opening").get_by_label("Passphrase of the backup").fill(passphrase)
    await page.get_by_role("button", name="Restore", exact=True).click()


@pytest_asyncio.fixture(loop_scope="session")
async def person(page: Page, deployment: Deployment) -> Person:
    return Person(page, deployment, name_person())


async def in_fresh_profile(new_context: NewContext, person: Person) -> Person:
    return Person(await (await new_context()).new_page(), person.deployment, person.ref)


async def test_what_was_restored_in_a_fresh_profile_is_presented(
    person: Person, new_context: NewContext, tmp_path: Path
) -> None:
    await person.accept(await person.offer("aml-screening"))  # before there was a backup
    await turn_on(person.page)
    await expect(person.page.locator("#without")).to_contain_text("screening")
    await person.page.get_by_role("button", name="Begin new keys").click()
    await person.accept(await person.offer("kyc"))
    kyc = [{"id": "k", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}}]
    query = {"credentials": [{**kyc[0], "claims": [{"path": ["country"]}]}]}
    await person.share(await person.ask(dcql_query=query))
    file = await save(person.page, tmp_path / "backup.json")
    assert await find_barriers(person.page) == []
    text = file.read_text()
    assert not any(each in text for each in ("urn:goodstanding:vct", "given_name", "pkcs8", person.deployment.base_url))

    other = await in_fresh_profile(new_context, person)
    await restore(other.page, file.read_bytes())
    await expect(other.page.locator("#lost")).to_contain_text("screening")
    await expect(other.page.locator("main")).to_contain_text("Credentials restored: 1.")
    saved_at = "async (load) => (await load('store.js')).setting('backup-saved-at')"
    assert await other.run(saved_at) == int(datetime.fromisoformat(json.loads(text)["made_at"]).timestamp())
    keys, exported = await other.run(EXPORTS)
    assert keys > 0
    assert exported == 0
    request = await other.ask(dcql_query=query)
    await other.share(request)
    assert (await other.verdict(request))["state"] == "verified"
    await open_wallet(other.page, "/wallet/#/history")
    assert await other.page.locator("main li, main article, main section").count() >= 2
    again = await save(other.page, tmp_path / "again.json")  # the restored wallet goes on backing up
    third = await in_fresh_profile(new_context, person)
    await restore(third.page, again.read_bytes())
    await expect(third.page.locator("main")).to_contain_text("Credentials restored: 1.")


BAD = {
    "is incomplete": lambda text: text[: len(text) // 2],
    "isn't a backup of this wallet": lambda text: '{"hello": 1}',
    "A newer version of the wallet": lambda text: text.replace('"version":1', '"version":2'),
    "damaged or was changed": lambda text: text.replace('"iterations":600000', '"iterations":10'),
}


async def test_files_that_cannot_be_restored_say_why_and_change_nothing(person: Person, tmp_path: Path) -> None:
    await turn_on(person.page)
    text = (await save(person.page, tmp_path / "backup.json")).read_text()
    await person.run(FORGET)
    alert = person.page.get_by_role("alert")
    for sentence, spoil in BAD.items():
        await choose(person.page, spoil(text).encode())
        await expect(alert).to_contain_text(sentence)
    assert await find_barriers(person.page) == []
    await restore(person.page, text.encode(), "another passphrase")
    await expect(alert).to_contain_text("doesn't open the backup")
    await restore(person.page, text.replace('"made_at":"20', '"made_at":"19').encode())
    await expect(alert).to_contain_text("damaged or was changed")
    assert await person.run("async (load) => (await load('store.js')).all('settings')") == []
    await restore(person.page, text.encode())
    await expect(person.page.locator("main")).to_contain_text("Credentials restored: 0.")


async def test_a_passkey_opens_its_backup_and_no_other_does(
    person: Person, new_context: NewContext, tmp_path: Path
) -> None:
    context: BrowserContext = person.page.context
    session = await context.new_cdp_session(person.page)
    await session.send("WebAuthn.enable")
    added = await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    await open_wallet(person.page, "/wallet/#/backup")
    await person.page.get_by_role("button", name="Use a passkey").click()
    await expect(person.page.get_by_role("button", name="Save the file")).to_be_visible()
    await person.accept(await person.offer("kyc"))
    text = (await save(person.page, tmp_path / "backup.json")).read_text()
    assert [lock["kind"] for lock in json.loads(text)["locks"]] == ["passkey"]
    await person.run(FORGET)
    await choose(person.page, text.encode())
    await person.page.get_by_role("button", name="Restore", exact=True).click()
    await expect(person.page.locator("main")).to_contain_text("Credentials restored: 1.")
    await session.send("WebAuthn.removeVirtualAuthenticator", added)
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    await person.run(FORGET)
    await choose(person.page, text.encode())
    await person.page.get_by_role("button", name="Restore", exact=True).click()
    await expect(person.page.get_by_role("alert")).to_contain_text("The passkey wasn't used", timeout=30_000)


async def test_the_passphrase_can_be_changed_and_has_to_be_long_enough(person: Person, tmp_path: Path) -> None:
    page = person.page
    await open_wallet(page, "/wallet/#/backup")
    for first, again, sentence in (("short", "short", "at least 10"), ("long enough 1", "long enough 2", "the same")):
        await page.get_by_label("Passphrase", exact=True).fill(first)
        await page.get_by_label("The same passphrase again").fill(again)
        await page.get_by_role("button", name="Turn on with this passphrase").click()
        await expect(page.get_by_role("alert")).to_contain_text(sentence)
    await turn_on(page)
    older = (await save(page, tmp_path / "older.json")).read_bytes()
    await page.get_by_text("Change how the backup opens").click()
    await page.get_by_label("Passphrase of the backup").fill(PASSPHRASE)
    await page.get_by_label("Passphrase", exact=True).fill("another passphrase")
    await page.get_by_label("The same passphrase again").fill("another passphrase")
    await page.get_by_role("button", name="Change to this passphrase").click()
    await expect(page.locator("details[open]")).to_have_count(0)
    newer = (await save(page, tmp_path / "newer.json")).read_bytes()
    for content, opens in ((newer, "another passphrase"), (older, PASSPHRASE)):
        await person.run(FORGET)
        await restore(page, content, opens)
        await expect(page.locator("main")).to_contain_text("Credentials restored: 0.")


async def test_nothing_that_the_wallet_keeps_opens_its_own_backup(person: Person) -> None:
    await turn_on(person.page)
    await person.accept(await person.offer("kyc"))
    kept: dict[str, Any] = await person.run("""async (load) => {
      const { all, setting } = await load('store.js');
      const key = await setting('backup-key');
      const shared = (await all('keys')).filter(({slot}) => slot !== null);
      const wrapped = shared.map((each) => Object.keys(each.wrapped ?? {}).sort());
      return {usages: key.authentication.usages, extractable: key.authentication.extractable, wrapped,
              kinds: Object.values(key).filter((value) => value instanceof CryptoKey).length};
    }""")
    assert kept["usages"] == ["sign"]
    assert (kept["extractable"], kept["kinds"]) == (False, 1)
    assert kept["wrapped"]
    assert all(each == ["iv", "point", "sealed", "to"] for each in kept["wrapped"])


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_page_fits_a_narrow_screen(new_context: NewContext, language: str) -> None:
    context = await new_context(locale={"en": "en-GB", "zh": "zh-CN"}[language], viewport={"width": 320, "height": 640})
    page = await context.new_page()
    for address in ("/wallet/#/backup", "/wallet/#/add", "/wallet/#/settings"):
        await open_wallet(page, address)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        assert await find_barriers(page) == []
