"""A platform's pages as one router."""

from service.console.platform import (
    clients,
    decision_search,
    decisions,
    investors,
    log,
    offerings,
    positions,
    presentations,
    securities,
    trust,
    webhooks,
    what_if,
)
from service.web.routing import gather

router = gather(
    securities.router,
    offerings.router,
    positions.router,
    trust.router,
    investors.router,
    presentations.router,
    decision_search.router,
    decisions.router,
    what_if.router,
    log.router,
    webhooks.router,
    clients.router,
)
