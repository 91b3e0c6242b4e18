"""Every HTTP endpoint of the gate."""

from service.gate import eligibility_api, holder_links_api, securities_api, transfers_api
from service.web.routing import gather

router = gather(securities_api.router, holder_links_api.router, transfers_api.router, eligibility_api.router)
