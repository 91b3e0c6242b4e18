"""Endpoints of events and webhooks."""

from service.events import events_api, webhooks_api
from service.web.routing import gather

router = gather(events_api.router, webhooks_api.router)
