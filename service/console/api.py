"""The pages as one router; the last of them answers for addresses that lead nowhere, so it stays the last."""

from service.console import account_api, accounts_api, home_api, sign_in_api, static_files
from service.console.platform.routes import router as platform_router
from service.web.routing import gather

router = gather(
    static_files.router,
    sign_in_api.router,
    home_api.router,
    account_api.router,
    accounts_api.router,
    platform_router,
    home_api.last_router,
)
