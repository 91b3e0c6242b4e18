"""What the web wallet says of its credentials' status, of lists that don't hold, and of what ends soon."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from playwright.async_api import Page, Route, expect

from service.credentials.status_list import build_status_list_claims, set_status
from tests.browser.accessibility import find_barriers
from tests.browser.conftest import NewContext
from tests.browser.web_wallet import Person, name_person, open_wallet
from tests.interop.support import Deployment

REFERENCE = "async (load) => (await (await load('store.js')).all('credentials'))[0]"
MAX_BYTES = 8 * 1024 * 1024


class Lists:
    """Status lists that an issuer of the seed might publish, under a key that it might have, on the wallet's way."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.known: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": "1"}
        self.token = ""
        self.issued_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)

    def publish(
        self, credential: dict[str, Any], value: int, *, bits: int = 2, packed: bytes = b"", **more: Any
    ) -> None:
        reference, signer = credential["statusReference"], more.pop("signer", self.key)
        statuses = bytearray(packed or bytes((reference["idx"] + 1) * bits // 8 + 1))
        if not packed:
            set_status(statuses, bits, reference["idx"], value)
        self.issued_at += timedelta(seconds=1)
        claims = build_status_list_claims(
            uri=reference["uri"],
            bits=bits,
            packed=statuses,
            issued_at=self.issued_at,
            expires_at=self.issued_at + timedelta(days=1),
            ttl=timedelta(minutes=1),
        )
        header = {"typ": more.pop("typ", "statuslist+jwt"), "kid": "1"}
        self.token = jwt.encode(claims | more, signer, algorithm="ES256", headers=header)

    async def answer_keys(self, route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json=await answer.json() | {"jwks": {"keys": [self.known]}})

    async def answer_list(self, route: Route) -> None:
        await route.fulfill(body=self.token, headers={"Access-Control-Allow-Origin": "*"})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lists() -> AsyncIterator[Lists]:
    yield Lists()


@pytest_asyncio.fixture(loop_scope="session")
async def person(page: Page, deployment: Deployment) -> Person:
    return Person(page, deployment, name_person())


async def hold(person: Person, lists: Lists) -> dict[str, Any]:
    """Have the person receive a credential, then come between them and what its issuer publishes."""
    await person.accept(await person.offer("kyc"))
    credential: dict[str, Any] = await person.run(REFERENCE)
    await person.page.route("**/.well-known/jwt-vc-issuer/**", lists.answer_keys)
    await person.page.route("**/status-lists/**", lists.answer_list)
    return credential


async def check(page: Page, credential: dict[str, Any]) -> None:
    await open_wallet(page, f"/wallet/#/credential/{credential['id']}")
    await page.get_by_role("button", name="Check the status now").click()


async def test_what_the_issuer_withdrew_or_suspended_shows_on_the_cards(person: Person) -> None:
    issued = {"kyc": person.deployment.kyc, "qualified-investor": person.deployment.accreditor}
    for configuration, status in (("kyc", "suspended"), ("qualified-investor", "revoked")):
        offer = await person.offer(configuration)
        await person.accept(offer)
        issuer = issued[configuration]
        [credential] = (await issuer.get(f"/v1/credential-offers/{offer['id']}"))["credentials"]
        body = {"status": status, "reason": "asked for"}
        await issuer.post(f"/v1/credentials/{credential['id']}/status", body, key=f"status-{credential['id']}")
    await open_wallet(person.page, "/wallet/")
    await expect(person.page.locator(".card.state-suspended")).to_contain_text("checked")
    await expect(person.page.locator(".card.state-revoked")).to_contain_text("How to renew it")
    assert await find_barriers(person.page) == []
    await person.page.context.set_offline(True)  # what is known stays readable, with its time
    await person.page.reload()
    await expect(person.page.locator(".card.state-suspended")).to_contain_text("checked")


async def test_each_change_is_followed_and_stays_with_its_time(person: Person, lists: Lists) -> None:
    credential = await hold(person, lists)
    badge = person.page.locator(".badge")
    for bits, value, word in ((1, 0, "valid"), (2, 2, "suspended"), (4, 0, "valid"), (8, 1, "withdrawn by the issuer")):
        lists.publish(credential, value, bits=bits)
        await check(person.page, credential)
        await expect(badge).to_have_text(word)
        await expect(person.page.locator("main")).to_contain_text("Status last checked")


async def test_lists_that_do_not_hold_change_nothing(person: Person, lists: Lists, expected_errors: list[str]) -> None:
    expected_errors.append("ERR_FAILED|net::")
    credential = await hold(person, lists)
    page, badge = person.page, person.page.locator(".badge")
    lists.publish(credential, 2)
    await check(page, credential)
    await expect(badge).to_have_text("suspended")
    stranger = ec.generate_private_key(ec.SECP256R1())
    spoiled: list[dict[str, Any]] = [
        {"signer": stranger},
        {"typ": "jwt"},
        {"sub": "https://other.example/list"},
        {"exp": int(datetime.now(UTC).timestamp()) - 3600},
        {"iat": int(lists.issued_at.timestamp()) - 60},
        {"packed": b"\0"},
        {"packed": bytes(MAX_BYTES + 1)},
        {"status_list": {"bits": 2, "lst": "AAAA"}},
    ]
    for more in spoiled:
        lists.publish(credential, 0, **more)
        await check(page, credential)
        await expect(page.get_by_role("alert").last).to_contain_text("isn't genuine or is damaged")
        await expect(badge).to_have_text("suspended")
    await page.route("**/status-lists/**", lambda route: route.abort())
    await check(page, credential)
    await expect(page.get_by_role("alert").last).to_contain_text("No answer came")
    await expect(badge).to_have_text("suspended")


async def test_a_backup_is_reminded_of_once_a_month(person: Person) -> None:
    page = person.page
    reminder = page.locator("#backup-reminder")
    await open_wallet(page, "/wallet/")
    await expect(reminder).to_be_hidden()
    await person.accept(await person.offer("aml-screening"))
    await open_wallet(page, "/wallet/")
    await expect(reminder).to_contain_text("Keep a backup?")
    assert await find_barriers(page) == []
    await reminder.get_by_role("button", name="Not now").click()
    await expect(reminder).to_be_hidden()
    found = await person.run("""async (load) => {
      const [{ findReminder }, { setSetting }] = [await load('holdings.js'), await load('store.js')];
      const [now, day] = [Date.now() / 1000, 86400];
      const off = [await findReminder(now + 29 * day), await findReminder(now + 31 * day)];
      await setSetting('backup-key', { locks: [] });
      const on = await findReminder(now + 31 * day);
      await setSetting('backup-saved-at', Math.ceil(now));
      return [...off, on, await findReminder(now + 31 * day)];
    }""")
    assert found == [None, "none", "old", None]


async def test_a_list_past_its_end_says_nothing(person: Person, lists: Lists) -> None:
    credential = await hold(person, lists)
    lists.publish(credential, 0)
    await check(person.page, credential)
    await expect(person.page.locator(".badge")).to_have_text("valid")
    states = await person.run("""async (load) => {
      const { stateOf } = await load('records.js');
      const [credential] = await (await load('store.js')).all('credentials');
      return [-1, 0].map((seconds) => stateOf(credential, credential.status.expiresAt + seconds));
    }""")
    assert states == ["valid", "unknown"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_what_ends_soon_says_how_to_renew_it(
    new_context: NewContext, deployment: Deployment, language: str
) -> None:
    context = await new_context(permissions=["clipboard-read", "clipboard-write"])
    person = Person(await context.new_page(), deployment, name_person())
    page = person.page
    day = (datetime.now(UTC) + timedelta(days=330)).date().isoformat()
    await person.accept(await person.offer("kyc", credential_expires_on=day))
    await open_wallet(page, "/wallet/")
    await expect(page.locator(".card")).to_have_count(1)
    await expect(page.locator(".renewal")).to_have_count(0)
    await page.clock.set_fixed_time(datetime.now(UTC) + timedelta(days=320))
    if language == "zh":
        await open_wallet(page, "/wallet/#/settings")
        await page.get_by_role("button", name="简体中文").click()
        await expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await open_wallet(page, "/wallet/")
    await page.locator(".renewal a").click()
    section = page.locator("#renewal")
    await expect(section).to_contain_text({"en": "Ask Harbour Identity", "zh": "请联系Harbour Identity"}[language])
    await section.get_by_role("button").click()
    assert {"en": "Please renew", "zh": "续签"}[language] in await page.evaluate("navigator.clipboard.readText()")
    assert await find_barriers(page) == []
