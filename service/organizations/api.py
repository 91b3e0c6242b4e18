"""Admin API for organisations and clients, and every organisation's DID document."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from service.credentials.did import DidKey, build_did_document
from service.errors import NotFoundError
from service.organizations import clients, oauth_api, organizations
from service.organizations.organizations import NewOrganization
from service.storage.tables import Organization, SigningKey
from service.web import signing
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once
from service.web.models import AnswerModel, Page, StrictModel, TextIfAny
from service.web.openapi import answers, answers_media, takes_idempotency_key
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import gather, v1_router

Admin = Annotated[Caller, Depends(require_scope("admin"))]
Name = Annotated[str, Field(min_length=1, max_length=200)]
admin_router = v1_router("organizations")
public_router = APIRouter(tags=["did"])
_RELATIONSHIPS = {
    signing.ISSUER: ("assertionMethod",),
    signing.GATE: ("assertionMethod",),
    signing.VERIFIER: ("authentication", "assertionMethod"),
}


class OrganizationBody(StrictModel):
    """A new organisation."""

    name: Name
    slug: Annotated[str, Field(max_length=63)]
    roles: Annotated[list[str], Field(min_length=1, max_length=3)]
    attester_class: Annotated[str | None, Field(max_length=64)] = None
    attester_register_id: Annotated[str | None, Field(max_length=200)] = None
    is_transfer_agent: bool = False


class ClientBody(StrictModel):
    """A new API client. One with ``jwks`` (RFC 7517) has no secret and authenticates with ``private_key_jwt``."""

    name: Name
    scopes: Annotated[list[str], Field(min_length=1, max_length=10)]
    jwks: dict[str, Any] | None = None


class OrganizationAnswer(AnswerModel):
    """An organisation; ``credential_issuer`` is there for issuers."""

    id: str
    slug: str
    name: str
    roles: list[str]
    did: str
    attester_class: str | None
    attester_register_id: str | None
    is_transfer_agent: bool
    credential_issuer: TextIfAny


class ClientAnswer(AnswerModel):
    """A new API client; the secret is shown this once. A client with keys has none."""

    client_id: str
    client_secret: TextIfAny
    scopes: list[str]


@admin_router.post(
    "/organizations", status_code=201, responses=answers(OrganizationAnswer, 201), openapi_extra=takes_idempotency_key()
)
async def create_organization(body: OrganizationBody, request: Request, context: ContextDep, caller: Admin) -> Response:
    """Create an organisation and its keys."""

    async def handle(session: Any) -> Answer:
        row = await organizations.create_organization(
            session, context.signer, context.base_url, NewOrganization(**body.model_dump()), context.clock()
        )
        return Answer(201, organizations.describe_organization(row, context.base_url))

    return await answer_once(context, request, caller, handle)


@admin_router.get("/organizations", responses=answers(Page[OrganizationAnswer]))
async def list_organizations(
    request: Request,
    response: Response,
    context: ContextDep,
    _caller: Admin,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List organisations."""
    async with context.database.reading() as session:
        rows = await organizations.list_organizations(session, after=after, limit=limit)
    items = [organizations.describe_organization(row, context.base_url) for row in rows]
    return page_of(request, response, items, limit=limit)


@admin_router.get("/organizations/{org_id}", responses=answers(OrganizationAnswer))
async def read_organization(org_id: str, context: ContextDep, _caller: Admin) -> dict[str, Any]:
    """Return one organisation."""
    async with context.database.reading() as session:
        row = await organizations.get_organization(session, org_id)
    return organizations.describe_organization(row, context.base_url)


@admin_router.post("/organizations/{org_id}/clients", status_code=201, responses=answers(ClientAnswer, 201))
async def create_client(org_id: str, body: ClientBody, context: ContextDep, _caller: Admin) -> JSONResponse:
    """Create an API client. The secret is shown once, so this answer is never kept for replay."""
    async with context.database.transaction() as session:
        row = await organizations.get_organization(session, org_id)
        made = clients.create_client(
            session, row, name=body.name, scopes=body.scopes, now=context.clock(), jwks=body.jwks
        )
    answer = clients.describe_client(made)
    return JSONResponse(answer, status_code=201, headers={"Cache-Control": "no-store"})


def _did_document(organization: Organization, keys: list[SigningKey]) -> dict[str, Any]:
    methods = [DidKey(kid=key.kid, jwk=key.public_jwk, relationships=_RELATIONSHIPS[key.purpose]) for key in keys]
    return build_did_document(organization.did, methods)


async def _read_did_document(context: ContextDep, slug: str, *, issuer: bool) -> JSONResponse:
    async with context.database.reading() as session:
        organization = await organizations.find_organization(session, slug)
        if organization is None or ("issuer" in organization.roles) != issuer:
            raise NotFoundError
        keys = await signing.list_published_keys(session, organization.id, list(_RELATIONSHIPS), context.clock())
    return JSONResponse(
        _did_document(organization, list(keys)),
        media_type="application/did+json",
        headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=60"},
    )


@public_router.get("/issuers/{slug}/did.json", responses=answers_media("application/did+json"))
async def read_issuer_did(slug: str, context: ContextDep) -> JSONResponse:
    """Return the did:web document of an issuer."""
    return await _read_did_document(context, slug, issuer=True)


@public_router.get("/organizations/{slug}/did.json", responses=answers_media("application/did+json"))
async def read_organization_did(slug: str, context: ContextDep) -> JSONResponse:
    """Return the did:web document of an organisation that issues nothing."""
    return await _read_did_document(context, slug, issuer=False)


router = gather(admin_router, public_router, oauth_api.router)
