"""Every HTTP endpoint of issuers."""

from fastapi import APIRouter

from service.issuer import (
    authorization_api,
    backoffice_api,
    cases_api,
    key_attestations_api,
    openid4vci_api,
    publication_api,
    wallet_clients_api,
)

router = APIRouter()
_parts = (
    authorization_api.router,
    backoffice_api.router,
    cases_api.router,
    key_attestations_api.router,
    wallet_clients_api.router,
    openid4vci_api.router,
    publication_api.router,
)
for part in _parts:
    router.include_router(part)
