"""Every HTTP endpoint of the gate."""

from fastapi import APIRouter

from service.gate import eligibility_api, holder_links_api, securities_api, transfers_api

router = APIRouter()
for part in (securities_api.router, holder_links_api.router, transfers_api.router, eligibility_api.router):
    router.include_router(part)
