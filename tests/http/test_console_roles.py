"""Who may open which page: every route has its row, and every row is tried with each role."""

import pytest
from starlette.routing import Route

from service.accounts.accounts import ROLES
from service.console.api import router
from tests.console_support import Browser, sign_in
from tests.deployment import Deployment, Member
from tests.prepared import prepared

EVERYBODY = frozenset(ROLES)
OFFICER, APPROVER, ADMIN = frozenset({"officer"}), frozenset({"approver"}), frozenset({"admin"})
STAFF = frozenset({"officer", "approver", "auditor"})
WRITERS, COMPLIANCE = frozenset({"officer", "admin"}), frozenset({"compliance"})
STRANGERS_TOO = {
    "GET /console/sign-in",
    "GET /console/sign-in/link/{token}",
    "GET /console/static/{name}",
    "GET /console/{rest:path}",
    "POST /console/sign-in/link/{token}",
    "POST /console/sign-in/passkey",
    "POST /console/sign-in/passkey/options",
    "POST /console/sign-out",
    "POST /console/{rest:path}",
}
# role of the organisation, None for any; roles of the account; the routes
TABLE: list[tuple[str | None, frozenset[str], str]] = [
    (
        None,
        EVERYBODY,
        """
        GET /console
        GET /console/account
        POST /console/account/language
        POST /console/account/passkeys
        POST /console/account/passkeys/options
        POST /console/account/passkeys/{passkey_id}/remove
        """,
    ),
    (
        None,
        ADMIN,
        """
        GET /console/accounts
        POST /console/accounts
        GET /console/accounts/{account_id}
        POST /console/accounts/{account_id}/roles
        POST /console/accounts/{account_id}/link
        POST /console/accounts/{account_id}/disable
        """,
    ),
    (
        "issuer",
        STAFF,
        """
        GET /console/cases
        GET /console/cases/{case_id}
        GET /console/cases/{case_id}/evidence/{evidence_id}
        GET /console/offers/{offer_id}
        GET /console/offers/{offer_id}/state
        GET /console/credentials
        GET /console/credentials/{credential_id}
        GET /console/credentials/{credential_id}/letter
        GET /console/calendar
        """,
    ),
    (
        "issuer",
        OFFICER,
        """
        GET /console/cases/new
        POST /console/cases
        POST /console/cases/{case_id}/ask
        POST /console/cases/{case_id}/evidence
        POST /console/cases/{case_id}/review
        GET /console/grants
        GET /console/grants/{name}
        POST /console/grants/{name}
        POST /console/grants/{name}/make
        POST /console/offers/{offer_id}/cancel
        GET /console/credentials/{credential_id}/status
        POST /console/credentials/{credential_id}/status
        POST /console/calendar
        """,
    ),
    (
        "issuer",
        frozenset({"auditor"}) | ADMIN,
        """
        GET /console/accesses
        """,
    ),
    (
        "issuer",
        APPROVER,
        """
        POST /console/cases/{case_id}/approve
        POST /console/cases/{case_id}/decline
        """,
    ),
    (
        "platform",
        EVERYBODY,
        """
        GET /console/decisions
        GET /console/decisions/{transfer_id}
        GET /console/decisions/{transfer_id}/facts
        POST /console/decisions/{transfer_id}/replay
        GET /console/decisions/{transfer_id}/receipt
        GET /console/investors
        GET /console/investors/{ref}
        GET /console/log
        POST /console/log
        GET /console/presentations/{request_id}
        GET /console/presentations/{request_id}/state
        GET /console/securities
        GET /console/securities/{security_id}
        GET /console/securities/{security_id}/offerings/{offering_id}
        GET /console/securities/{security_id}/positions
        GET /console/securities/{security_id}/versions
        GET /console/trusted-issuers
        GET /console/webhooks
        GET /console/webhooks/deliveries
        GET /console/what-if
        POST /console/what-if
        """,
    ),
    (
        "platform",
        WRITERS,
        """
        POST /console/decisions/{transfer_id}/settle
        POST /console/decisions/{transfer_id}/void
        POST /console/investors/{ref}/ask
        GET /console/new-security
        POST /console/new-security
        GET /console/new-trusted-issuer
        POST /console/new-trusted-issuer
        GET /console/securities/{security_id}/edit
        POST /console/securities/{security_id}/edit
        GET /console/securities/{security_id}/new-offering
        POST /console/securities/{security_id}/new-offering
        GET /console/securities/{security_id}/new-position
        POST /console/securities/{security_id}/new-position
        GET /console/securities/{security_id}/offerings/{offering_id}/edit
        POST /console/securities/{security_id}/offerings/{offering_id}/edit
        GET /console/trusted-issuers/{entry_id}
        POST /console/trusted-issuers/{entry_id}
        POST /console/trusted-issuers/{entry_id}/end
        POST /console/webhooks/deliveries/{delivery_id}/redeliver
        """,
    ),
    ("platform", WRITERS | COMPLIANCE, "POST /console/investors\nPOST /console/investors/{ref}/freeze"),
    ("platform", COMPLIANCE, "POST /console/investors/{ref}/screening"),
    (
        "platform",
        ADMIN,
        """
        GET /console/clients
        POST /console/clients
        POST /console/clients/{client_id}/revoke
        POST /console/webhooks
        POST /console/webhooks/{endpoint_id}/change
        POST /console/webhooks/{endpoint_id}/delete
        POST /console/webhooks/{endpoint_id}/rotate
        POST /console/webhooks/{endpoint_id}/test
        """,
    ),
]
RIGHTS = {
    line.strip(): (of_organisation, roles)
    for of_organisation, roles, lines in TABLE
    for line in lines.splitlines()
    if line.strip()
}


@prepared
async def members(sqlite_deployment: Deployment) -> dict[str, Member]:
    return {role: await sqlite_deployment.add_organization(f"the-{role}", role) for role in ("issuer", "platform")}


def list_routes() -> list[str]:
    routes = [route for route in router.routes if isinstance(route, Route)]
    return sorted(f"{method} {route.path}" for route in routes for method in route.methods or () if method != "HEAD")


def test_every_route_has_its_row() -> None:
    assert sorted({*RIGHTS, *STRANGERS_TOO}) == list_routes()


async def open_page(browser: Browser, route: str) -> int:
    method, path = route.split()
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
    for route, (of_organisation, roles) in RIGHTS.items():
        browser.page = page
        status = await open_page(browser, route)
        may = role in roles and of_organisation in (None, org_role)
        assert (status == 403) == (not may), (route, status)


async def test_strangers_are_led_to_sign_in(sqlite_deployment: Deployment, members: dict[str, Member]) -> None:
    browser, _ = await sign_in(sqlite_deployment, members["issuer"], ["officer"])
    await browser.get("/console")
    page = browser.page
    sqlite_deployment.clock.advance(hours=13)
    for route in RIGHTS:
        browser.page = page
        assert await open_page(browser, route) == {"GET": 303, "POST": 401}[route.split()[0]], route
