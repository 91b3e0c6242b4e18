"""All calls of the platform's front door."""

from service.verifier import (
    attestations_api,
    button_api,
    investors_api,
    openid4vp_api,
    presentations_api,
    trust_api,
    verify_api,
)
from service.web.routing import gather

_parts = (presentations_api, verify_api, trust_api, investors_api, attestations_api, openid4vp_api, button_api)
router = gather(*(part.router for part in _parts))
