"""The composition root: builds everything from the settings; nothing else constructs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import structlog
from fastapi import FastAPI
from starlette.middleware import Middleware

from service import __version__
from service.composition import build_context, read_clock
from service.console.api import router as console_router
from service.events.api import router as events_router
from service.events.courier import run_courier
from service.gate.api import router as gate_router
from service.gate.expiry import expire_reservations_forever
from service.issuer.api import router as issuer_router
from service.log.api import router as log_router
from service.log.sequencer import run_sequencer
from service.organizations.api import router as organizations_router
from service.organizations.throttle import AuthenticationThrottle
from service.privacy.api import router as privacy_router
from service.privacy.retention import run_retention_forever, sweep_expired_forever
from service.settings import Settings
from service.storage.clock import DatabaseClock, read_database_clock
from service.storage.migrate import check_schema
from service.vc_api.api import router as vc_api_router
from service.vc_api.issuers import open_issuers
from service.verifier.api import router as verifier_router
from service.verifier.status_schedule import REFRESH_EVERY, refresh_all_status_lists
from service.wallet.web_api import router as wallet_router
from service.web.auth import TokenCache
from service.web.body_limit import BodyLimitMiddleware
from service.web.context import Context
from service.web.cors import WalletCorsMiddleware
from service.web.docs_page import router as docs_router
from service.web.dpop import DpopNonceMiddleware
from service.web.head import HeadMiddleware
from service.web.nul import NulMiddleware
from service.web.openapi import install_openapi
from service.web.operator_port import OperatorPortMiddleware
from service.web.probes import router as probes_router
from service.web.problems import answer_unexpected, install_problem_handlers
from service.web.request_id import RequestIdMiddleware
from service.web.route_index import RouteIndex

_log = structlog.get_logger(__name__)


async def refresh_status_lists_forever(context: Context, *, every_s: float = REFRESH_EVERY.total_seconds()) -> None:
    """Keep the status lists of issuers elsewhere fresh, apart from any decision: a fetch must not tell who trades."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await refresh_all_status_lists(context)
        except Exception as error:  # the next round tries again; until then decisions see the list's age
            _log.warning("status_refresh_failed", error=type(error).__name__)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    await check_schema(context.database)
    background = [asyncio.create_task(run(context)) for run in app.state.background]
    yield
    for task in background:
        task.cancel()
    await asyncio.wait(background)
    await context.linked_data.close()
    await context.fetcher.close()
    await context.database.close()


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = read_clock,
    database_clock: DatabaseClock = read_database_clock,
    with_sequencer: bool = True,
) -> FastAPI:
    """Build the application.

    Args:
        settings: From ``load_settings``.
        clock, database_clock: Tests pass their own.
        with_sequencer: Let this process extend the transparency log, send events and end reservations by the clock too;
            without it, little changes but by requests.
    """
    chain = (
        RequestIdMiddleware,
        WalletCorsMiddleware,
        DpopNonceMiddleware,
        HeadMiddleware,
        NulMiddleware,
        BodyLimitMiddleware,
    )
    middleware = [Middleware(each) for each in chain]
    if settings.admin_port is not None:
        middleware.append(Middleware(OperatorPortMiddleware, port=settings.admin_port))
    app = FastAPI(
        title="Goodstanding",
        version=__version__,
        summary="Reusable investor credentials and a transfer gate.",
        lifespan=_lifespan,
        middleware=middleware,
        # A redirect would be built from the Host header and, behind a TLS proxy, lead a bearer token to plain http.
        redirect_slashes=False,
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere; ours is service.web.docs_page
        redoc_url=None,
        exception_handlers={Exception: answer_unexpected},
    )
    app.state.context = build_context(settings, clock=clock, database_clock=database_clock)
    app.state.background = [
        refresh_status_lists_forever,
        run_retention_forever,
        sweep_expired_forever,
        *([run_sequencer, run_courier, expire_reservations_forever] if with_sequencer else []),
    ]
    app.state.token_cache = TokenCache()
    app.state.throttle = AuthenticationThrottle()
    install_problem_handlers(app)
    install_openapi(app)
    parties = [
        events_router,
        organizations_router,
        issuer_router,
        verifier_router,
        gate_router,
        log_router,
        privacy_router,
        wallet_router,
    ]
    if settings.vc_api:
        app.state.vc_api_issuers = open_issuers(app.state.context.signer, settings.data_dir)
        parties.append(vc_api_router)
    for router in (docs_router, probes_router, *parties, console_router):
        app.router.routes.extend(router.routes)
    app.router.routes.insert(0, RouteIndex(app.router.routes))
    return app
