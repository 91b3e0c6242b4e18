"""All calls about erasing people."""

from fastapi import APIRouter

from service.privacy import investors_api, persons_api

router = APIRouter()
for part in (investors_api, persons_api):
    router.include_router(part.router)
