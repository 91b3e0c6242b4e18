"""Pages about what was granted, and who read what, as one router."""

from service.console.issuer import accesses, calendar, grants
from service.web.routing import gather

router = gather(grants.router, calendar.router, accesses.router)
