"""Letters about qualified investors, and renewals: made once, bound by their digest; one that fails spoils no other."""

import asyncio
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import Result
from sqlmodel import select
from typer.testing import CliRunner

from service.cli.letters import LetterFileError
from service.cli.main import app
from service.issuer.evidence_types import PDF, recognize
from service.issuer.identity import get_issuer
from service.issuer.letters import LetterForm, check_letter, make_letter
from service.storage.tables import AuditEntry, Credential, CredentialLetter
from tests.case_support import CLAIMS, Desk, open_desks
from tests.deployment import PASSPHRASE, Deployment
from tests.evidence_support import make_pdf, upload
from tests.issuing_support import KYC_CLAIMS, Wallet, make_offer
from tests.letter_support import find_chinese_font, read_mapped_text
from tests.prepared import prepared

QUALIFIED = {"credential_configuration_id": "qualified-investor", "tx_code": False}
DIRECT = {"jurisdiction": "US", "category": "us.ai.income", **CLAIMS}


@prepared
async def desks(deployment: Deployment) -> tuple[Desk, Desk]:
    return await open_desks(deployment)


async def redeem(desk: Desk, made: dict[str, Any]) -> str:
    answer = await Wallet(desk.deployment, desk.member).redeem(made)
    assert answer.status_code == 200, answer.text
    [granted] = (await desk.call("GET", f"credential-offers/{made['id']}")).json()["credentials"]
    credential_id: str = granted["id"]
    return credential_id


async def grant(desk: Desk, **changes: Any) -> str:
    return await redeem(desk, await make_offer(desk.deployment, desk.member, **changes))


async def approve(desks: tuple[Desk, Desk]) -> str:
    case_id = await desks[0].open()
    assert (await upload(desks[0], case_id, make_pdf())).status_code == 201
    await desks[0].review(case_id)
    approved = await desks[1].approve(case_id, tx_code=False)
    assert approved.status_code == 201, approved.text
    return await redeem(desks[1], approved.json()["offer"])


async def fetch(desk: Desk, credential_id: str) -> httpx2.Response:
    return await desk.call("GET", f"credentials/{credential_id}/letter")


def read_text(pdf: bytes) -> str:
    """Return what a letter shows: every page is one compressed stream."""
    pages = [part.split(b"endstream")[0].strip(b"\r\n") for part in pdf.split(b"stream\n")[1::1]]
    shown = [zlib.decompress(page).decode("cp1252") for page in pages if page.startswith(b"x")]
    return " ".join("".join(shown).replace(") Tj", "\n").split("\n"))


async def test_a_letter_says_what_was_verified_and_stays_the_same(desks: tuple[Desk, Desk]) -> None:
    await grant(desks[0])
    granted = await approve(desks)
    first = await fetch(desks[0], granted)
    assert first.status_code == 200, first.text
    assert recognize(first.content) == first.headers["content-type"] == PDF
    assert first.headers["content-disposition"].startswith(f'attachment; filename="letter-{granted}.pdf"')
    text = read_text(first.content)
    wanted = ("Ada Canary-Lovelace", "us_cpa", "17 CFR 230.501\\(a\\)\\(6\\)", "230.506\\(c\\)\\(2\\)\\(ii\\)\\(C\\)")
    for words in (*wanted, "2026-11-20", granted, desks[0].client_id, desks[1].client_id, "is no legal, tax"):
        assert words in text
    assert hashlib.sha256(make_pdf()).hexdigest()[:40] in text
    assert not any(figure in text for figure in ("250117", "250,117"))  # ids and digests hold shorter runs by chance
    desks[0].deployment.clock.advance(days=3)
    status = {"status": "revoked", "reason": "left"}
    await desks[0].call("POST", f"credentials/{granted}/status", json=status)
    again = await fetch(desks[1], granted)
    assert again.content == first.content
    async with desks[0].deployment.context.database.reading() as session:
        [row] = (await session.exec(select(CredentialLetter))).all()
        entries = (await session.exec(select(AuditEntry).where(AuditEntry.subject_id == granted))).all()
        record = await check_letter(session, first.content)
        assert await check_letter(session, first.content + b"\n") is None
    made = [json.loads(entry.record) for entry in entries if entry.kind == "letter.made"]
    size = len(first.content)
    assert made == [{"client_id": desks[0].client_id, "language": "en", "sha256": row.sha256, "size": size}]
    assert row.sha256 == hashlib.sha256(first.content).hexdigest()
    assert b"PDF" not in row.sealed
    assert record is not None
    assert (record.is_recorded, record.status, record.credential_id) == (True, "revoked", granted)


async def test_each_language_has_a_letter_of_its_own_that_is_bound(desks: tuple[Desk, Desk]) -> None:
    await grant(desks[0], claims=KYC_CLAIMS | {"given_name": "伟", "family_name": "张"})
    granted, context = await approve(desks), desks[0].deployment.context
    answer = await desks[0].call("GET", f"credentials/{granted}/letter", params={"language": "zh"})
    assert (answer.status_code, answer.json()["code"]) == (409, "letter_language_unavailable")
    english = (await fetch(desks[0], granted)).content
    async with context.database.reading() as session:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=desks[0].member.org_id)
    form = LetterForm("zh", find_chinese_font())
    more: dict[str, Any] = {"client_id": desks[0].client_id, "now": desks[0].deployment.clock()}
    chinese = (await make_letter(context.database, context.signer, issuer, granted, form, **more)).pdf
    assert "姓名或名称张伟" in read_mapped_text(chinese)
    assert "合格投资者：收入" in read_mapped_text(chinese)
    again = await desks[0].call("GET", f"credentials/{granted}/letter", params={"language": "zh"})
    assert again.content == chinese != english
    assert f'filename="letter-{granted}-zh.pdf"' in again.headers["content-disposition"]
    async with context.database.transaction() as session:
        found = [await check_letter(session, each) for each in (english, chinese)]
        assert [each is not None and each.is_recorded for each in found] == [True, True]
        entries = (await session.exec(select(AuditEntry).where(AuditEntry.kind == "letter.made"))).all()
        [entry] = [each for each in entries if '"zh"' in each.record]
        entry.record = entry.record.replace("zh", "en")
        session.add(entry)
    async with context.database.reading() as session:
        found = [await check_letter(session, each) for each in (english, chinese)]
    assert [each is not None and each.is_recorded for each in found] == [True, False]


async def test_two_who_ask_at_once_get_one_letter(desks: tuple[Desk, Desk]) -> None:
    granted = await approve(desks)
    answers = await asyncio.gather(*(fetch(desk, granted) for desk in (*desks, *desks)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.content for answer in answers}) == 1


async def test_a_letter_whose_record_was_changed_is_found(desks: tuple[Desk, Desk]) -> None:
    granted = await approve(desks)
    pdf = (await fetch(desks[0], granted)).content
    async with desks[0].deployment.context.database.transaction() as session:
        [entry] = (await session.exec(select(AuditEntry).where(AuditEntry.kind == "letter.made"))).all()
        entry.record = entry.record.replace(desks[0].client_id, "somebody")
        session.add(entry)
    async with desks[0].deployment.context.database.reading() as session:
        record = await check_letter(session, pdf)
    assert record is not None
    assert not record.is_recorded


async def test_letters_that_are_not_made(desks: tuple[Desk, Desk]) -> None:
    kyc, revoked, old = await grant(desks[0]), await approve(desks), await approve(desks)
    await desks[0].call("POST", f"credentials/{revoked}/status", json={"status": "revoked", "reason": "left"})
    async with desks[0].deployment.context.database.transaction() as session:
        row = await session.get_one(Credential, (desks[0].member.org_id, old))
        row.sealed_claims = None
        session.add(row)
    for credential_id in (kyc, revoked, old):
        answer = await fetch(desks[0], credential_id)
        assert (answer.status_code, answer.json()["code"]) == (409, "letter_unavailable")
    stranger, _ = await open_desks(desks[0].deployment, "other")
    for credential_id in (revoked, "cred_unknown"):
        assert (await fetch(stranger, credential_id)).status_code == 404


async def run(deployment: Deployment, path: Path) -> Result:
    settings = deployment.settings
    environment = {
        "GOODSTANDING_DATABASE_URL": settings.database_url,
        "GOODSTANDING_DATA_DIR": str(settings.data_dir),
        "GOODSTANDING_KEY_PASSPHRASE": PASSPHRASE,
    }
    command = ["letters", "verify", str(path), "--json"]
    return await asyncio.to_thread(CliRunner().invoke, app, command, env=environment)


async def test_the_command_checks_a_file(desks: tuple[Desk, Desk], tmp_path: Path) -> None:
    granted, path = await approve(desks), tmp_path / "letter.pdf"
    path.write_bytes((await fetch(desks[0], granted)).content)
    good = await run(desks[0].deployment, path)
    assert good.exit_code == 0, good.output
    answer = json.loads(good.stdout)
    assert (answer["valid"], answer["credential_id"], answer["credential_status"]) == (True, granted, "valid")
    path.write_bytes(path.read_bytes().replace(b"%%EOF", b"%%EOF\n"))
    bad = await run(desks[0].deployment, path)
    assert (bad.exit_code, json.loads(bad.stdout)["valid"]) == (1, False)
    assert isinstance((await run(desks[0].deployment, tmp_path / "none.pdf")).exception, LetterFileError)


async def renew(desk: Desk, *ids: str, **more: Any) -> list[dict[str, Any]]:
    answer = await desk.call("POST", "credentials/renew", json={"credential_ids": ids, "tx_code": False} | more)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    assert [each["credential_id"] for each in found] == list(ids)
    return found


async def test_what_can_be_renewed_is_and_the_rest_says_why_not(desks: tuple[Desk, Desk]) -> None:
    desk = desks[0]
    screening = {"result": "clear", "screened_at": "2026-11-23T12:00:00Z", "lists": ["un@1"]}
    good, minor = (
        await grant(desk),
        await grant(desk, claims=KYC_CLAIMS | {"birthdate": "2008-11-25", "age_over_18": False}),
    )
    ending = await grant(desk, **QUALIFIED, claims=DIRECT | {"valid_until": "2026-12-31"})
    aml = await grant(desk, credential_configuration_id="aml-screening", claims=screening)
    revoked, suspended, old = [await grant(desk, **QUALIFIED, claims=DIRECT) for _ in range(3)]
    for credential_id, status in ((revoked, "revoked"), (suspended, "suspended")):
        await desk.call("POST", f"credentials/{credential_id}/status", json={"status": status, "reason": "x"})
    async with desk.deployment.context.database.transaction() as session:
        row = await session.get_one(Credential, (desk.member.org_id, old))
        row.sealed_claims = None
        session.add(row)
    desk.deployment.clock.advance(days=5)
    found = await renew(desk, good, ending, aml, revoked, "cred_unknown", suspended, old, minor)
    assert [each["problem"] and each["problem"]["code"] for each in found] == [
        None,
        "renewal_gains_nothing",
        "renewal_needs_screening",
        "credential_revoked",
        "not_found",
        "renewal_suspended",
        "renewal_claims_gone",
        None,
    ]
    renewed = await redeem(desk, found[0]["offer"])
    listed = (await desk.call("GET", f"credentials/{renewed}")).json()
    assert (listed["credential_configuration_id"], listed["subject_ref"]) == ("kyc", "investor-1")
    assert listed["expires_at"] == "2027-11-28T00:00:00Z"
    [waiting] = await renew(desk, minor)
    assert waiting["problem"]["code"] == "renewal_pending"
    [again] = await renew(desk, good)
    assert again["problem"] is None


async def test_claims_that_no_longer_fit_are_not_renewed(desks: tuple[Desk, Desk]) -> None:
    granted = await grant(desks[0], **QUALIFIED, claims=DIRECT)
    async with desks[0].deployment.context.database.transaction() as session:
        row = await session.merge(desks[0].member.organization)
        row.attester_class = "us_attorney"
    [refused] = await renew(desks[0], granted, credential_expires_on="2027-12-31")
    assert refused["problem"]["code"] == "claims_invalid"
    assert refused["problem"]["errors"][0]["path"] == "/attester_class"


async def test_a_renewal_is_done_once_and_in_one_order(desks: tuple[Desk, Desk]) -> None:
    first, second = await grant(desks[0]), await grant(desks[0])
    desks[0].deployment.clock.advance(days=5)
    body, headers = {"credential_ids": [second, first]}, {"Idempotency-Key": "once"}
    answers = [await desks[0].call("POST", "credentials/renew", json=body, headers=headers) for _ in range(2)]
    assert answers[0].text == answers[1].text
    offers = [each["offer"] for each in answers[0].json()["data"]]
    assert offers[0]["tx_code"].isdigit()
    assert offers[0]["id"] > offers[1]["id"]  # rows are locked by id, lest two calls wait for each other


@pytest.mark.parametrize(
    "body", [{"credential_ids": []}, {"credential_ids": ["a", "a"]}, {"credential_ids": ["a"] * 101}]
)
async def test_renewals_of_another_shape(desks: tuple[Desk, Desk], body: dict[str, Any]) -> None:
    answer = await desks[0].call("POST", "credentials/renew", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_another_issuers_credentials_are_not_renewed(desks: tuple[Desk, Desk]) -> None:
    granted = await grant(desks[0])
    stranger, _ = await open_desks(desks[0].deployment, "other")
    [refused] = await renew(stranger, granted)
    assert refused["problem"]["code"] == "not_found"


async def test_what_expires_is_listed_in_its_order(desks: tuple[Desk, Desk]) -> None:
    desk = desks[0]
    late, early = [
        await grant(desk, **QUALIFIED, claims=DIRECT | {"valid_until": day}) for day in ("2027-03-01", "2027-01-02")
    ]
    same = [await grant(desk, **QUALIFIED, claims=DIRECT | {"valid_until": "2027-02-01"}) for _ in range(3)]
    await grant(desk)
    asked = {"expires_from": "2026-12-01T00:00:00Z", "expires_before": "2027-04-01T00:00:00Z", "limit": 2}
    seen, after = list[str](), None
    while True:
        more = {} if after is None else {"after": after}
        page = (await desk.call("GET", "credentials", params=asked | more)).json()
        seen += [each["id"] for each in page["data"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [early, *same, late]
    await desk.call("POST", f"credentials/{late}/status", json={"status": "suspended", "reason": "x"})
    suspended = await desk.call("GET", "credentials", params={"status": "suspended"})
    assert [each["id"] for each in suspended.json()["data"]] == [late]
    for wrong in ({"status": "lost"}, {"expires_before": "soon"}, {"expires_before": "2027-04-01T00:00:00"}):
        assert (await desk.call("GET", "credentials", params=wrong)).status_code == 422
