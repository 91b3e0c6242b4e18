"""An issuer's pages about what it granted: status, letters, the calendar, who read what."""

import re
from html import unescape
from typing import Any

import pytest

from service.accounts.accounts import ROLES
from tests.case_support import CLAIMS, Desk, open_desks
from tests.console_support import Browser, sign_in
from tests.deployment import Deployment
from tests.issuing_support import Wallet, make_offer
from tests.prepared import prepared

QUALIFIED = {"jurisdiction": "US", "category": "us.ai.income", **CLAIMS}


@prepared
async def desk(sqlite_deployment: Deployment) -> Desk:
    return (await open_desks(sqlite_deployment))[0]


async def grant(desk: Desk, **changes: Any) -> str:
    made = await make_offer(desk.deployment, desk.member, **changes)
    assert (await Wallet(desk.deployment, desk.member).redeem(made)).status_code == 200
    offer = await desk.call("GET", f"credential-offers/{made['id']}")
    credential_id: str = offer.json()["credentials"][0]["id"]
    return credential_id


async def grant_qualified(desk: Desk, ref: str = "investor-1", **claims: Any) -> str:
    more = {"claims": QUALIFIED | claims, "subject_ref": ref}
    return await grant(desk, credential_configuration_id="qualified-investor", **more)


async def enter(desk: Desk, *roles: str, language: str = "en") -> Browser:
    browser, _ = await sign_in(desk.deployment, desk.member, roles, language=language)
    return browser


def read_text(page: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


async def show(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path)
    assert answer.status_code == status, (path, answer.status_code, read_text(answer.text)[-400:])
    return read_text(answer.text)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_page_opens_in_both_languages(desk: Desk, language: str) -> None:
    granted = await grant_qualified(desk)
    case_id = await desk.open()
    await desk.read(case_id)
    browser = await enter(desk, *ROLES, language=language)
    for path in (
        "/console/credentials",
        "/console/credentials?ref=nobody",
        f"/console/credentials/{granted}",
        *(f"/console/credentials/{granted}/status?to={to}" for to in ("valid", "suspended", "revoked")),
        *(f"/console/calendar?months={months}" for months in (1, 3, 12, 7)),
        "/console/accesses",
        "/console/accesses?ref=nobody",
    ):
        text = await show(browser, path)
        assert ("investor-1" in text) or "nobody" in path or "months=1" in path, path


async def test_credentials_are_found_by_reference_and_status(desk: Desk) -> None:
    first, second = await grant_qualified(desk, "ada"), await grant_qualified(desk, "bob")
    await desk.call("POST", f"credentials/{second}/status", json={"status": "revoked", "reason": "left"})
    browser = await enter(desk, "auditor")
    await browser.get("/console/credentials?ref=ada")
    assert (first in browser.page, second in browser.page) == (True, False)
    await browser.get("/console/credentials?status=revoked")
    assert (first in browser.page, second in browser.page) == (False, True)
    assert f"from Valid to Revoked program {desk.client_id}" in await show(browser, f"/console/credentials/{second}")


async def test_a_status_is_changed_with_a_reason_after_a_question(desk: Desk) -> None:
    granted = await grant_qualified(desk)
    browser = await enter(desk, "officer")
    path = f"/console/credentials/{granted}"
    await show(browser, f"{path}/status?to=suspended")
    empty = await browser.post(f"{path}/status", {"reason": "  "})
    assert empty.status_code == 422
    assert "Please give a reason" in read_text(browser.page)
    form = browser.page
    for _ in range(2):  # a double click does it once
        browser.page = form
        done = await browser.post(f"{path}/status", {"reason": "asked for more <b>"})
        assert (done.status_code, done.headers["location"]) == (303, path)
    text = await show(browser, path)
    assert text.count("Suspended") == 3  # as kept, as published, and in the history
    assert "from Valid to Suspended Ada Tester" in text
    assert "acc_" not in text
    assert "asked for more <b>" in text
    assert "<b>" not in browser.page
    await show(browser, f"{path}/status?to=revoked")
    assert (await browser.post(f"{path}/status", {"reason": "left"})).status_code == 303
    assert "That is final" in await show(browser, path)
    await show(browser, f"{path}/status?to=valid")
    refused = await browser.post(f"{path}/status", {"reason": "back"})
    assert refused.status_code == 409
    assert "which is final" in read_text(browser.page)
    assert ">back</textarea>" in browser.page  # what was typed is still there
    await show(browser, f"{path}/status?to=lost", status=422)


async def test_a_letter_is_given_out_as_a_file_and_recorded(desk: Desk) -> None:
    granted, kyc = await grant_qualified(desk), await grant(desk)
    browser = await enter(desk, "auditor")
    page = (await browser.get(f"/console/credentials/{granted}")).text
    assert f'{granted}/letter?language=en"' in page
    assert "letter?language=zh" not in page  # no font
    letter = await browser.get(f"/console/credentials/{granted}/letter")
    assert (letter.status_code, letter.headers["content-type"]) == (200, "application/pdf")
    assert letter.headers["content-disposition"].startswith("attachment;")
    assert letter.content == (await desk.call("GET", f"credentials/{granted}/letter")).content
    text = await show(browser, "/console/accesses?ref=investor-1")
    assert f"Letter {granted}" in text
    assert "Ada Tester" in text
    assert desk.client_id in text
    assert "No letter can be made" in await show(browser, f"/console/credentials/{kyc}/letter", status=409)


async def test_what_ends_is_grouped_and_renewed_together(desk: Desk) -> None:
    soon, fixed = await grant_qualified(desk, "ada"), await grant_qualified(desk, "bob", valid_until="2026-12-30")
    late = await grant(desk, subject_ref="carol")
    desk.deployment.clock.advance(days=5)
    browser = await enter(desk, "officer")
    text = await show(browser, "/console/calendar")
    assert (soon in browser.page, fixed in browser.page, late in browser.page) == (True, True, False)
    assert "2026-12-28 to 2026-12-31" in text
    assert text.index("2026-12") < text.index("2027-02")
    page = browser.page
    results = []
    for _ in range(2):
        browser.page = page
        answer = await browser.post("/console/calendar", {"credential": [soon, fixed, "cred_unknown"]})
        assert answer.status_code == 200
        results.append(re.findall(r"<code>(\d{6})</code>", answer.text))
    assert len(results[0]) == 1
    assert results[0] == results[1]  # sent twice, offered once
    text = read_text(browser.page)
    assert "would not last longer" in text
    assert "does not belong to your organisation" in text
    await browser.get("/console/calendar")
    nothing = await browser.post("/console/calendar", {})
    assert nothing.status_code == 422
    assert "choose at least one" in read_text(nothing.text)


async def test_another_issuers_pages_lead_nowhere(desk: Desk) -> None:
    granted = await grant_qualified(desk)
    stranger, _ = await open_desks(desk.deployment, "other")
    browser = await enter(stranger, *ROLES)
    path = f"/console/credentials/{granted}"
    for each in (path, f"{path}/status?to=revoked", f"{path}/letter"):
        await show(browser, each, status=404)
    assert "There are no credentials here" in await show(browser, "/console/credentials")


async def test_only_officers_change_anything(desk: Desk) -> None:
    granted = await grant_qualified(desk)
    browser = await enter(desk, "auditor", "approver", "admin")
    page = await browser.get(f"/console/credentials/{granted}")
    assert "/status?to=" not in page.text
    await browser.get("/console/calendar")
    assert 'type="checkbox"' not in browser.page
    assert (await browser.post("/console/calendar", {"credential": granted})).status_code == 403
    assert (await browser.post(f"/console/credentials/{granted}/status", {"to": "revoked"})).status_code == 403
