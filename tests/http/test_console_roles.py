"""Who may open which page: every route has its row, and every row is tried with each role."""

import pytest
from starlette.routing import Route

from service.accounts.accounts import ROLES
from service.console.api import router
from tests.console_support import Browser, sign_in
from tests.deployment import Deployment, Member
from tests.prepared import prepared

EVERYBODY = frozenset(ROLES)
OFFICER, APPROVER = frozenset({"officer"}), frozenset({"approver"})
STAFF = EVERYBODY - {"admin"}
STRANGERS_TOO = {
    ("GET", "/console/sign-in"),
    ("GET", "/console/sign-in/link/{token}"),
    ("GET", "/console/static/{name}"),
    ("GET", "/console/{rest:path}"),
    ("POST", "/console/sign-in/link/{token}"),
    ("POST", "/console/sign-in/passkey"),
    ("POST", "/console/sign-in/passkey/options"),
    ("POST", "/console/sign-out"),
    ("POST", "/console/{rest:path}"),
}
# (method, path) -> role of the organisation, None for any; roles of the account
RIGHTS: dict[tuple[str, str], tuple[str | None, frozenset[str]]] = {
    ("GET", "/console"): (None, EVERYBODY),
    ("GET", "/console/account"): (None, EVERYBODY),
    ("POST", "/console/account/language"): (None, EVERYBODY),
    ("POST", "/console/account/passkeys"): (None, EVERYBODY),
    ("POST", "/console/account/passkeys/options"): (None, EVERYBODY),
    ("POST", "/console/account/passkeys/{passkey_id}/remove"): (None, EVERYBODY),
    ("GET", "/console/cases"): ("issuer", STAFF),
    ("GET", "/console/cases/new"): ("issuer", OFFICER),
    ("POST", "/console/cases"): ("issuer", OFFICER),
    ("GET", "/console/cases/{case_id}"): ("issuer", STAFF),
    ("POST", "/console/cases/{case_id}/review"): ("issuer", OFFICER),
    ("POST", "/console/cases/{case_id}/approve"): ("issuer", APPROVER),
    ("POST", "/console/cases/{case_id}/decline"): ("issuer", APPROVER),
    ("GET", "/console/grants"): ("issuer", OFFICER),
    ("GET", "/console/grants/{name}"): ("issuer", OFFICER),
    ("POST", "/console/grants/{name}"): ("issuer", OFFICER),
    ("POST", "/console/grants/{name}/make"): ("issuer", OFFICER),
    ("GET", "/console/offers/{offer_id}"): ("issuer", STAFF),
    ("GET", "/console/offers/{offer_id}/state"): ("issuer", STAFF),
    ("POST", "/console/offers/{offer_id}/cancel"): ("issuer", OFFICER),
    ("GET", "/console/accounts"): (None, frozenset({"admin"})),
    ("POST", "/console/accounts"): (None, frozenset({"admin"})),
    ("GET", "/console/accounts/{account_id}"): (None, frozenset({"admin"})),
    ("POST", "/console/accounts/{account_id}/roles"): (None, frozenset({"admin"})),
    ("POST", "/console/accounts/{account_id}/link"): (None, frozenset({"admin"})),
    ("POST", "/console/accounts/{account_id}/disable"): (None, frozenset({"admin"})),
}


@prepared
async def members(sqlite_deployment: Deployment) -> dict[str, Member]:
    return {role: await sqlite_deployment.add_organization(f"the-{role}", role) for role in ("issuer", "platform")}


def list_routes() -> list[tuple[str, str]]:
    routes = [route for route in router.routes if isinstance(route, Route)]
    return sorted((method, route.path) for route in routes for method in route.methods or () if method != "HEAD")


def test_every_route_has_its_row() -> None:
    assert sorted({*RIGHTS, *STRANGERS_TOO}) == list_routes()


async def open_page(browser: Browser, method: str, path: str) -> int:
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, "unknown")
    answer = await (browser.get(path) if method == "GET" else browser.post(path))
    return answer.status_code


@pytest.mark.parametrize("org_role", ["issuer", "platform"])
@pytest.mark.parametrize("role", ROLES)
async def test_a_role_opens_its_pages_alone(
    sqlite_deployment: Deployment, members: dict[str, Member], org_role: str, role: str
) -> None:
    browser, _ = await sign_in(sqlite_deployment, members[org_role], [role])
    await browser.get("/console")
    page = browser.page
    for (method, path), (of_organisation, roles) in RIGHTS.items():
        browser.page = page
        status = await open_page(browser, method, path)
        may = role in roles and of_organisation in (None, org_role)
        assert (status == 403) == (not may), (method, path, status)


async def test_strangers_are_led_to_sign_in(sqlite_deployment: Deployment, members: dict[str, Member]) -> None:
    browser, _ = await sign_in(sqlite_deployment, members["issuer"], ["officer"])
    await browser.get("/console")
    page = browser.page
    sqlite_deployment.clock.advance(hours=13)
    for method, path in RIGHTS:
        browser.page = page
        assert await open_page(browser, method, path) == {"GET": 303, "POST": 401}[method], (method, path)
