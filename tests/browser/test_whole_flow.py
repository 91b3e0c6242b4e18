"""The whole way by clicks: officer, approver, investor, platform; a purchase, a withdrawal, a refusal."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from service.cli.sample_platform import build_sample_platform
from service.settings import Settings
from tests.browser import story
from tests.browser.conftest import NewContext
from tests.browser.people import People, open_link, open_people
from tests.browser.story import Desk, Offered
from tests.browser.web_wallet import Person
from tests.interop.support import Deployment
from tests.loopback import serving

MARKUP = "Ada <script>alert(1)</script>"
TURNED = MARKUP + "\u202egnp.exe"


@pytest.fixture(scope="module")
def origin(deployment: Deployment) -> Iterator[str]:
    settings = Settings(base_url=deployment.base_url, data_dir=deployment.folder / "data")
    with serving(lambda base: build_sample_platform(settings, int(base.rpartition(":")[2])), lifespan="on") as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(deployment: Deployment) -> AsyncIterator[People]:
    opened = open_people(deployment)
    yield opened
    await opened.close()


async def sign_in(new_context: NewContext, people: People, organization: str, role: str, language: str = "en") -> Desk:
    link = await people.add(organization, f"The {role}", role, language=language)
    context = await new_context(locale={"en": "en-US", "zh": "zh-CN"}[language])
    return Desk(await open_link(context, link, language))


async def test_from_the_officers_desk_to_a_refusal(
    new_context: NewContext, people: People, origin: str, expected_errors: list[str]
) -> None:
    """A name that holds markup is shown as what it is, everywhere; one that turns text around is refused."""
    expected_errors.append("status of 422 .*/console/grants/kyc")
    identity = await sign_in(new_context, people, "kyc", "officer")
    officer = await sign_in(new_context, people, "accreditor", "officer")
    approver = await sign_in(new_context, people, "accreditor", "approver")
    investor = await (await new_context()).new_page()

    case = await officer.open_case("client-1")
    await officer.review(case)
    await expect(officer.page.get_by_text("The figures meet the test.")).to_be_visible()
    await expect(officer.page.get_by_text("An approver decides this case.")).to_be_visible()
    await identity.fill_in("kyc", "client-1", story.attest_identity(given_name=TURNED))
    await expect(identity.page.get_by_text("marks that change the direction of text")).to_be_visible()
    await expect(identity.page.get_by_label("Family name")).to_have_value("Example")  # what was typed is kept
    await identity.correct("kyc", "given_name", MARKUP)
    await expect(identity.page.get_by_text(MARKUP)).to_be_visible()
    offers = [await identity.grant("kyc")]
    await identity.fill_in("aml-screening", "client-1", story.attest_screening())
    offers += [await identity.grant("aml-screening"), await approver.approve(case)]
    for offered in offers:
        await story.accept(investor, offered)
    await investor.goto("/wallet/#/")
    await investor.get_by_text("Identity (KYC)").first.click()
    await expect(investor.get_by_text(MARKUP)).to_be_visible()

    await story.prove(investor, origin)
    await expect(investor.get_by_text("You have shown all that this offering asks for")).to_be_visible()
    await story.buy(investor, origin)
    await expect(investor.get_by_text("No restriction found under rules")).to_be_visible()
    await investor.get_by_role("button", name="Complete the purchase").click()
    await expect(investor.get_by_text("Completed. The units are yours")).to_be_visible()

    await officer.revoke("client-1", "The confirmation was withdrawn.")
    await story.buy(investor, origin)
    await expect(investor.get_by_role("heading", level=1)).to_have_text("This purchase can’t go ahead")
    await expect(investor.get_by_text("One of your credentials was withdrawn by whoever issued it.")).to_be_visible()


async def test_in_chinese_with_second_thoughts(
    new_context: NewContext, people: People, origin: str, deployment: Deployment
) -> None:
    officer = await sign_in(new_context, people, "accreditor", "officer", "zh")
    approver = await sign_in(new_context, people, "accreditor", "approver", "zh")
    page = await (await new_context(locale="zh-CN")).new_page()
    person = Person(page, deployment, "client-2")
    case = await officer.open_case("client-2")
    await officer.review(case)
    await expect(officer.page.get_by_text("数据符合测试要求。")).to_be_visible()
    offers = [await person.offer(name) for name in ("kyc", "aml-screening")]
    for offered in (*(Offered(offer["web_link"]) for offer in offers), await approver.approve(case)):
        await story.accept(page, offered)
    await story.refuse(page, origin)
    await expect(page.get_by_role("status")).to_have_text("您已拒绝，没有出示任何信息。")
    await story.prove(page, origin)
    await story.buy(page, origin)
    await expect(page.get_by_role("heading", level=1)).to_have_text("未发现限制")
    await officer.revoke("client-2", "确认函已失效。")
    await story.buy(page, origin)
    await expect(page.get_by_text("您的一项凭证已被签发机构撤销。")).to_be_visible()
