"""The pages as one router; the last of them answers for addresses that lead nowhere, so it stays the last."""

from service.console import account_api, accounts_api, home_api, sign_in_api, static_files
from service.console.issuer import cases_api, decisions_api, evidence_api, grants_api, offers_api
from service.console.issuer.grant_routes import router as granted_router
from service.console.platform.routes import router as platform_router
from service.web.routing import gather

router = gather(
    static_files.router,
    sign_in_api.router,
    home_api.router,
    account_api.router,
    accounts_api.router,
    platform_router,
    cases_api.router,
    decisions_api.router,
    evidence_api.router,
    grants_api.router,
    offers_api.router,
    granted_router,
    home_api.last_router,
)
