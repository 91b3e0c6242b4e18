"""Every HTTP endpoint of the gate."""

from fastapi import APIRouter

from service.gate import securities_api, transfers_api

router = APIRouter()
for part in (securities_api.router, transfers_api.router):
    router.include_router(part)
