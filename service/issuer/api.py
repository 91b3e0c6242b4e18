"""Every HTTP endpoint of issuers."""

from service.issuer import (
    authorization_api,
    backoffice_api,
    cases_api,
    evidence_api,
    grants_api,
    key_attestations_api,
    openid4vci_api,
    publication_api,
    wallet_clients_api,
)
from service.web.routing import gather

router = gather(
    authorization_api.router,
    backoffice_api.router,
    cases_api.router,
    evidence_api.router,
    grants_api.router,
    key_attestations_api.router,
    wallet_clients_api.router,
    openid4vci_api.router,
    publication_api.router,
)
