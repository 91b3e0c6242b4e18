"""An issuer's pages: cases from opened to granted by two people, grants from a form, and what goes wrong."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlmodel import select

from service.console.issuer.verification import VerificationIncompleteError
from service.console.pages import explain
from service.storage.audit import PERSONAL_DATA_ACCESSED
from service.storage.tables import AuditEntry
from tests.case_support import Desk
from tests.console_support import Browser, open_browser, sign_in
from tests.deployment import BASE_URL, Deployment, Member
from tests.evidence_support import make_pdf
from tests.issuing_support import Wallet, add_issuer
from tests.prepared import prepared

INCOME = {
    "field.income_y1": "250,117",
    "field.income_y2": "231999.43",
    "field.expects_same_current_year": "yes",
}
CLAIMS = {"field.method": "third_party", "field.steps_completed_on": "2026-11-20", "tx_code": "yes"}
KYC = {
    "subject_ref": "investor-1",
    "field.given_name": "Grace <script>alert(1)</script>",
    "field.family_name": "Hopper",
    "field.birthdate": "1906-12-09",
    "field.country": "US",
    "field.state": "NY",
    "field.loa": "substantial",
    "field.us_person": "yes",
    "tx_code": "yes",
}


@dataclass
class Office:
    """Two people at one issuer, in two browsers."""

    deployment: Deployment
    member: Member
    officer: Browser
    approver: Browser

    async def open_case(self, kind: str = "qualified-investor", subject_ref: str = "investor-1") -> str:
        await self.officer.get("/console/cases/new")
        answer = await self.officer.post("/console/cases", {"type": kind, "subject_ref": subject_ref})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def review(self, case: str, figures: dict[str, Any], rule: str = "us.ai.income") -> Any:
        page = await self.officer.get(f"{case}?rule={rule}")
        assert page.status_code == 200
        return await self.officer.post(f"{case}/review", figures)


@prepared
async def office_before(sqlite_deployment: Deployment) -> Member:
    return await add_issuer(sqlite_deployment, "oak")


@pytest.fixture
async def office(sqlite_deployment: Deployment, office_before: Member) -> Office:
    officer, _ = await sign_in(sqlite_deployment, office_before, ["officer", "approver"], name="Olive Officer")
    approver, _ = await sign_in(sqlite_deployment, office_before, ["approver"], name="Ada Approver")
    return Office(sqlite_deployment, office_before, officer, approver)


async def test_from_opened_to_the_wallet_by_two_people(office: Office) -> None:
    case = await office.open_case()
    assert "Olive Officer" in (await office.officer.get("/console/cases")).text
    form = (await office.officer.get(f"{case}?rule=us.ai.income")).text
    assert "17 CFR 230.501(a)(6)" in form
    assert "any IRS form that reports the income" in form
    assert (await office.review(case, INCOME)).headers["location"] == case
    own = await office.officer.get(case)
    assert "The figures meet the test." in own.text
    assert "Own income of the year before last: 250,117 &gt; 200,000 holds" in own.text
    assert "<dd>Accredited investor: income (us.ai.income)</dd>" in own.text
    assert "You reviewed this case yourself" in own.text
    assert f"{case}/approve" not in own.text
    await check_chinese_case(office, case)
    await office.approver.get(case)
    made = await office.approver.post(f"{case}/approve", CLAIMS)
    assert made.status_code == 200, made.text
    [code] = re.findall(r'id="tx-code">(\d{6})<', made.text)
    assert "<svg" in made.text
    path = re.findall(r"/console/offers/offer_\w+", (await office.officer.get(case)).text)[0]
    later = await office.officer.get(path)
    assert code not in later.text
    assert "a code that was shown when the offer was made" in later.text
    [link] = re.findall(r'value="(http://localhost:8000/issuers/oak/offers/[^"]+)"', later.text)
    assert (await office.deployment.http.get(link)).status_code == 200
    assert "Waiting for the investor" in (await office.officer.get(path + "/state")).text
    listed = (await office.officer.get("/console/cases?state=approved")).text
    assert "Ada Approver" in listed
    assert "There are no cases here" in (await office.officer.get("/console/cases?state=open")).text


async def check_chinese_case(office: Office, case: str) -> None:
    """Read the case in Chinese: nothing that the server works out is left in English but citations and codes."""
    officer = office.officer
    await officer.post("/console/account/language", {"language": "zh"})
    page = (await officer.get(case)).text
    for said in (
        "<li>前年个人收入：250,117 &gt; 200,000，成立</li>",
        "<li>申报最近两年收入的任何美国国税局表格</li>",
        "<dd>合格投资者：收入（us.ai.income）</dd>",
        "<dd>美国（US）</dd>",
        '<optgroup label="新加坡">',
    ):
        assert said in page, said
    assert page.count('lang="en"') == 1  # the button that changes the language
    item = "申报最近两年收入的任何美国国税局表格"
    assert (await send_file(office, case, make_pdf(), item=item)).status_code == 303
    assert page.count(item) < (await officer.get(case)).text.count(item)
    await officer.post("/console/account/language", {"language": "en"})
    kept = (await officer.get(case)).text
    assert item not in kept
    assert kept.count("any IRS form that reports the income") > 3


async def test_what_a_page_approves_a_wallet_gets(office: Office) -> None:
    case = await office.open_case()
    await office.review(case, INCOME)
    await office.approver.get(case)
    made = await office.approver.post(f"{case}/approve", CLAIMS)
    [code] = re.findall(r'id="tx-code">(\d{6})<', made.text)
    [path] = set(re.findall(r"/console/offers/offer_\w+", (await office.officer.get(case)).text))
    desk = Desk(office.deployment, office.member)
    [link] = re.findall(r'value="http://localhost:8000/issuers/oak/offers/([^"]+)"', made.text)
    query = urlencode({"credential_offer_uri": f"http://localhost:8000/issuers/oak/credential-offers/{link}"})
    offer = {"deep_link": f"openid-credential-offer://?{query}", "tx_code": code}
    answer = await Wallet(office.deployment, office.member).redeem(offer)
    assert answer.status_code == 200, answer.text
    assert "The investor has the credential" in (await office.officer.get(path + "/state")).text
    assert (await desk.call("GET", "credentials")).json()["data"][0][
        "credential_configuration_id"
    ] == "qualified-investor"


@pytest.mark.parametrize(
    ("typed", "missing"),
    [
        ({}, ["method"]),
        ({"field.method": "third_party"}, ["steps_completed_on"]),
        ({"field.method": "income_review"}, ["tax_years", "current_year_representation"]),
        ({"field.method": "prior_verified"}, ["verified_on"]),
    ],
)
async def test_nothing_is_approved_on_which_no_sale_could_rest(
    office: Office, typed: dict[str, str], missing: list[str]
) -> None:
    case = await office.open_case()
    await office.review(case, INCOME)
    assert "Verification method *" in (await office.approver.get(case)).text
    answer = await office.approver.post(f"{case}/approve", typed)
    assert answer.status_code == 422
    assert explain("en", VerificationIncompleteError("")) in answer.text
    assert answer.text.count('class="field-problem"') == len(missing)
    assert "/console/offers/offer_" not in (await office.officer.get(case)).text
    await office.approver.post(f"{case}/approve", CLAIMS)
    assert "/console/offers/offer_" in (await office.officer.get(case)).text


async def test_the_reviewer_cannot_approve_by_force(office: Office) -> None:
    case = await office.open_case()
    await office.review(case, INCOME)
    await office.officer.get(case)
    hidden = office.officer.read_hidden("")
    answer = await office.officer.post(f"{case}/approve", CLAIMS | hidden, hidden=False)
    assert answer.status_code == 403
    assert "somebody else has to approve" in answer.text


async def test_a_second_account_of_the_reviewer_is_seen(office: Office) -> None:
    tie = "was made, changed or given a sign-in link by the other"
    admin, _ = await sign_in(office.deployment, office.member, ["admin", "officer"], name="Eve Everything")
    await admin.get("/console/accounts")
    made = await admin.post("/console/accounts", {"name": "Nobody Else", "role": "approver", "language": "en"})
    link = re.search(r"/console/sign-in/link/[\w-]+", made.text)
    assert link is not None, made.text
    second = open_browser(office.deployment)
    await second.get(link[0])
    await second.post(link[0])
    case = await office.open_case()
    await admin.get(f"{case}?rule=us.ai.income")
    await admin.post(f"{case}/review", INCOME)
    assert tie not in (await office.approver.get(case)).text
    assert tie in (await second.get(case)).text
    assert (await second.post(f"{case}/approve", CLAIMS)).status_code == 200
    assert tie in (await office.approver.get(case)).text
    history = await Desk(office.deployment, office.member).call("GET", f"cases/{case.rsplit('/', 1)[1]}/history")
    told = {each["kind"]: each["facts"].get("account_ties") for each in history.json()["data"]}
    assert told["case.approved"] == ["account.created", "account.link_made"]


async def test_four_eyes_hold_between_a_page_and_a_program(office: Office) -> None:
    case = await office.open_case()
    desk = Desk(office.deployment, office.member)
    case_id = case.rsplit("/", 1)[1]
    await office.review(case, INCOME)
    assert (await desk.approve(case_id)).status_code == 201
    shown = (await office.officer.get(case)).text
    assert f"program {desk.client_id}" in shown


async def test_approving_twice_makes_one_offer(office: Office) -> None:
    case = await office.open_case()
    await office.review(case, INCOME)
    await office.approver.get(case)
    fields = CLAIMS | office.approver.read_hidden(f"{case}/approve")
    first = await office.approver.post(f"{case}/approve", fields, hidden=False)
    second = await office.approver.post(f"{case}/approve", fields, hidden=False)
    codes = [re.findall(r'id="tx-code">(\d{6})<', each.text) for each in (first, second)]
    assert codes[0] == codes[1]
    assert len(codes[0]) == 1
    fresh = await office.approver.post(f"{case}/approve", fields | {"once": "another"}, hidden=False)
    assert fresh.status_code == 409
    assert "has been decided already" in fresh.text


async def test_a_form_that_was_sent_is_not_taken_for_one_with_other_entries(office: Office) -> None:
    await office.officer.get("/console/cases/new")
    first = {"type": "qualified-investor", "subject_ref": "investor-1"} | office.officer.read_hidden("/console/cases")
    made = await office.officer.post("/console/cases", first, hidden=False)
    again = await office.officer.post("/console/cases", first, hidden=False)
    assert again.headers["location"] == made.headers["location"]
    other = await office.officer.post("/console/cases", first | {"subject_ref": "investor-2"}, hidden=False)
    assert other.status_code == 409
    assert "with other entries" in other.text
    assert 'value="investor-2"' in other.text
    marked = await office.officer.post("/console/cases", {"type": "qualified-investor", "subject_ref": "investor-2"})
    assert marked.status_code == 303
    bare = await office.officer.post("/console/cases", first | {"once": ""}, hidden=False)
    assert bare.status_code == 400


async def test_figures_that_are_missing_or_wrong_are_kept_and_marked(office: Office) -> None:
    case = await office.open_case()
    figures = {"field.income_y1": "250117", "field.expects_same_current_year": "yes", "field.joint_y1": "1<2"}
    answer = await office.review(case, figures)
    assert answer.status_code in (400, 422)
    assert 'value="250117"' in answer.text
    assert 'value="1&lt;2"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    missing = await office.review(case, {"field.income_y1": "250117", "field.income_y2": "250117"})
    assert missing.status_code == 422
    assert "a figure that is missing" in missing.text
    assert "Please look at this field" in missing.text
    none = await office.review(case, {"rule": "us.no.such"})
    assert "Please choose a rule first" in none.text
    poor = await office.review(case, INCOME | {"field.income_y2": "200,000"})
    assert poor.status_code == 303
    page = (await office.approver.get(case)).text
    assert "do not meet the test" in page
    assert f"{case}/approve" not in page
    assert 'value="200000"' in (await office.officer.get(case)).text


async def test_claims_that_do_not_fit_are_marked(office: Office) -> None:
    case = await office.open_case()
    await office.review(case, INCOME)
    await office.approver.get(case)
    answer = await office.approver.post(f"{case}/approve", CLAIMS | {"field.steps_completed_on": "2027-01-01"})
    assert answer.status_code == 422
    assert 'value="2027-01-01"' in answer.text
    assert "Please look at this field" in answer.text
    assert (await office.approver.post(f"{case}/approve", CLAIMS)).status_code == 200


async def test_a_case_is_declined_with_a_reason(office: Office) -> None:
    case = await office.open_case()
    await office.approver.get(case)
    assert (await office.approver.post(f"{case}/decline", {"reason": " "})).status_code == 422
    assert (await office.approver.post(f"{case}/decline", {"reason": "x" * 501})).status_code == 422
    assert (await office.approver.post(f"{case}/decline", {"reason": "<b>forged</b>"})).status_code == 303
    shown = await office.officer.get(case)
    assert "&lt;b&gt;forged&lt;/b&gt;" in shown.text
    assert "declined" in shown.text


async def test_a_limit_that_the_investor_chose(office: Office) -> None:
    case = await office.open_case("investment-limit")
    figures = {"field.annual_income": "150,000", "field.net_worth": "100000", "field.accredited": "no"}
    high = await office.review(case, figures | {"limit_at_least": "1,000,000"}, "us.reg_cf")
    assert high.status_code == 422
    assert 'value="1,000,000"' in high.text
    assert "above the limit" in high.text
    wrong = await office.review(case, figures | {"limit_at_least": "much"}, "us.reg_cf")
    assert wrong.status_code == 422
    fits = await office.review(case, figures | {"limit_at_least": "5,000", "field.joint": "no"}, "us.reg_cf")
    assert fits.status_code == 303, fits.text
    assert "5000" in (await office.approver.get(case)).text


async def test_every_reading_of_figures_is_recorded(office: Office) -> None:
    case = await office.open_case()
    await office.review(case, INCOME)
    await office.approver.get(case)
    async with office.deployment.context.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == PERSONAL_DATA_ACCESSED)
        records = [entry.record for entry in (await session.exec(query)).all()]
    assert len(records) == 2  # the officer looked for the form, the approver at the result
    assert all('"client_id":"acc_' in record and '"investor_ref":"investor-1"' in record for record in records)


async def test_what_belongs_to_another_organisation(office: Office) -> None:
    case = await office.open_case()
    await office.officer.get(case)
    await office.officer.post(f"{case}/evidence", {"item": "a return"}, files={"file": ("a.pdf", make_pdf())})
    await office.review(case, INCOME)
    [file] = set(re.findall(rf"{case}/evidence/evd_\w+", (await office.approver.get(case)).text))
    await office.approver.post(f"{case}/approve", CLAIMS)
    [offer] = set(re.findall(r"/console/offers/offer_\w+", (await office.officer.get(case)).text))
    stranger, _ = await sign_in(office.deployment, await add_issuer(office.deployment, "elm"), ["officer", "approver"])
    for path in (case, file, offer, offer + "/state"):
        assert (await stranger.get(path)).status_code == 404, path
    for path in (*(f"{case}/{each}" for each in ("review", "ask", "approve", "decline")), f"{offer}/cancel"):
        await stranger.get("/console")
        answer = await stranger.post(path, {"reason": "x", "message": "x"} | INCOME)
        assert answer.status_code == 404, path
    assert "There are no cases here" in (await stranger.get("/console/cases")).text


@pytest.mark.parametrize(
    ("kind", "ref"), [("qualified-investor", "a b"), ("qualified-investor", ""), ("kyc", "a"), ("", "a")]
)
async def test_what_is_no_case(office: Office, kind: str, ref: str) -> None:
    await office.officer.get("/console/cases/new")
    answer = await office.officer.post("/console/cases", {"type": kind, "subject_ref": ref})
    assert answer.status_code == 422
    assert f'value="{ref}"' in answer.text


async def test_pages_of_the_queue(office: Office) -> None:
    for number in range(51):
        await office.open_case(subject_ref=f"investor-{number}")
    first = (await office.officer.get("/console/cases?state=open")).text
    assert first.count("investor-") == 50
    [more] = re.findall(r'href="(/console/cases\?state=open&amp;after=[^"]+)"', first)
    second = (await office.officer.get(more.replace("&amp;", "&"))).text
    assert second.count("investor-") == 1


async def test_identity_is_granted_after_a_look_at_it(office: Office) -> None:
    officer = office.officer
    await officer.get("/console/grants")
    await officer.get("/console/grants/kyc")
    wrong = await officer.post("/console/grants/kyc", KYC | {"field.birthdate": "1906-13-09"})
    assert wrong.status_code == 422
    assert 'value="1906-13-09"' in wrong.text
    assert wrong.text.count("Please look at this field") >= 1
    tricky = await officer.post("/console/grants/kyc", KYC | {"field.family_name": "Hopper\u202egnp"})
    assert "Hopper\u202egnp" not in tricky.text
    assert "change the direction of text" in tricky.text
    shown = await officer.post("/console/grants/kyc", KYC)
    assert shown.status_code == 200, shown.text
    assert "Grace &lt;script&gt;alert(1)&lt;/script&gt;" in shown.text
    changed = await officer.post("/console/grants/kyc", {"change": "yes"})
    assert 'value="Grace &lt;script&gt;' in changed.text
    assert '<option value="substantial" selected>' in changed.text
    await officer.post("/console/grants/kyc", KYC)
    fields = officer.read_hidden("/console/grants/kyc/make")
    made = await officer.post("/console/grants/kyc/make", fields, hidden=False)
    [code] = re.findall(r'id="tx-code">(\d{6})<', made.text)
    again = await officer.post("/console/grants/kyc/make", fields, hidden=False)
    assert code in again.text
    [offer] = set(re.findall(r'action="(/console/offers/offer_\w+)/cancel"', made.text))
    await officer.get(offer)
    assert (await officer.post(offer + "/cancel")).status_code == 303
    assert "The offer was cancelled" in (await officer.get(offer)).text


async def test_screening_is_granted_from_its_own_form(office: Office) -> None:
    officer = office.officer
    await officer.get("/console/grants/aml-screening")
    fields = {
        "subject_ref": "investor-1",
        "field.result": "clear",
        "field.screened_at": "2026-11-23T14:00",
        "field.lists": "ofac_sdn@2026-11-20\r\nun_1267@2026-11-01",
        "field.pep": "no",
    }
    refused = await officer.post("/console/grants/aml-screening", fields)  # silence about edd_done is no answer
    assert (refused.status_code, "would state this even if" in refused.text) == (422, True)
    past_the_look = await officer.post("/console/grants/aml-screening/make", fields | {"once": "sent-by-hand"})
    assert past_the_look.status_code == 422
    assert 'value=""' not in refused.text.partition("field.edd_done")[2].partition("</fieldset>")[0]
    fields["field.edd_done"] = "no"
    await officer.get("/console/grants/aml-screening")
    shown = await officer.post("/console/grants/aml-screening", fields)
    assert "ofac_sdn@2026-11-20, un_1267@2026-11-01" in shown.text
    made = await officer.post("/console/grants/aml-screening/make")
    assert made.status_code == 200, made.text
    assert "needs no code" in made.text
    for name in ("qualified-investor", "nothing"):
        assert (await officer.get(f"/console/grants/{name}")).status_code == 404


async def send_file(office: Office, case: str, content: bytes, name: str = "tax.pdf", **more: Any) -> Any:
    await office.officer.get(case)
    fields = office.officer.read_hidden(f"{case}/evidence") | {"item": "tax <forms>"} | more
    answer = await office.officer.http.post(
        f"{case}/evidence", data=fields, files={"file": (name, content)}, headers={"Origin": BASE_URL}
    )
    office.officer.page = answer.text
    return answer


async def test_evidence_is_taken_shown_and_given_back(office: Office) -> None:
    case = await office.open_case()
    assert "Nothing was handed in yet" in (await office.officer.get(case)).text
    answer = await send_file(office, case, make_pdf())
    assert answer.status_code == 303, answer.text
    page = (await office.approver.get(case)).text
    assert "tax &lt;forms&gt;" in page
    assert f'{case}/evidence"' not in page  # an approver adds nothing
    [path] = re.findall(rf'href="({case}/evidence/evd_[^"]+)" download', page)
    file = await office.approver.get(path)
    assert file.content == make_pdf()
    assert file.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in file.headers["content-security-policy"]
    stranger, _ = await sign_in(office.deployment, await add_issuer(office.deployment, "elm"), ["officer"])
    assert (await stranger.get(path)).status_code == 404
    async with office.deployment.context.database.reading() as session:
        query = select(AuditEntry.record).where(AuditEntry.kind == PERSONAL_DATA_ACCESSED)
        assert any('"kind":"evidence"' in record for record in (await session.exec(query)).all())


async def test_files_that_are_refused_leave_a_way_on(office: Office) -> None:
    case = await office.open_case()
    for content, said in ((b"<html>", "is no PDF, PNG or JPEG"), (b"", "is no PDF"), (make_pdf()[:-40], "damaged")):
        answer = await send_file(office, case, content)
        assert answer.status_code == 422, said
        assert said in answer.text
        assert 'value="tax &lt;forms&gt;"' in answer.text
    large = await send_file(office, case, b"x" * (11 << 20))
    assert large.status_code == 413
    assert large.headers["content-type"].startswith("text/html")
    assert "larger than 10 MiB" in large.text
    foreign = await send_file(office, case, make_pdf(), form_token="x")
    assert foreign.status_code == 403


async def test_a_file_from_nobody_is_not_read(office: Office) -> None:
    case = await office.open_case()
    await office.officer.get(case)
    office.deployment.clock.advance(hours=1)
    fields = {"item": "x", "form_token": "x"}
    answer = await office.officer.http.post(
        f"{case}/evidence", data=fields, files={"file": ("a.pdf", make_pdf())}, headers={"Origin": BASE_URL}
    )
    assert answer.status_code == 401
    assert "choose them again" in answer.text


async def test_more_is_asked_for_and_the_case_waits(office: Office) -> None:
    case = await office.open_case()
    await office.review(case, INCOME)
    await office.officer.get(case)
    assert (await office.officer.post(f"{case}/ask", {"message": " "})).status_code == 422
    await office.officer.get(case)
    ask = {"message": "Your <tax> form of last year", "item": ["any IRS form"]} | office.officer.read_hidden(
        f"{case}/ask"
    )
    for _ in range(2):
        assert (await office.officer.post(f"{case}/ask", ask, hidden=False)).status_code == 303
    page = (await office.approver.get(case)).text
    assert page.count("Your &lt;tax&gt; form of last year") == 1
    assert "waiting for the investor" in page
    await office.approver.post(f"{case}/approve", CLAIMS | {"once": "x"})
    assert "waiting for the investor" in (await office.approver.get(case)).text
    assert (await send_file(office, case, make_pdf())).status_code == 303
    assert "waiting for the investor" not in (await office.approver.get(case)).text
    assert "file added" in (await office.approver.get(case)).text
