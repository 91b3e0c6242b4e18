"""Every HTTP endpoint of issuers."""

from fastapi import APIRouter

from service.issuer import backoffice_api, cases_api, openid4vci_api, publication_api

router = APIRouter()
for part in (backoffice_api.router, cases_api.router, openid4vci_api.router, publication_api.router):
    router.include_router(part)
