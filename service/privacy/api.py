"""All calls about erasing people."""

from service.privacy import investors_api, persons_api
from service.web.routing import gather

router = gather(investors_api.router, persons_api.router)
