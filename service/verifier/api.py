"""All calls of the platform's front door."""

from fastapi import APIRouter

from service.verifier import attestations_api, investors_api, openid4vp_api, presentations_api, trust_api, verify_api

router = APIRouter()
for part in (presentations_api, verify_api, trust_api, investors_api, attestations_api, openid4vp_api):
    router.include_router(part.router)
