"""Back office: wallets that the issuer registers, and the wallet providers that it trusts."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from service.credentials.certificates import MAX_ANCHORS
from service.issuer.wallet_registration import (
    ProviderTerms,
    WalletTerms,
    delete_row,
    describe_wallet_client,
    describe_wallet_provider,
    get_row,
    page_wallet_clients,
    page_wallet_providers,
    put_wallet_client,
    put_wallet_provider,
)
from service.storage.tables import WalletClient, WalletProvider
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.models import AnswerModel, Page, StrictModel
from service.web.openapi import answers
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

IssuerCaller = Annotated[Caller, Depends(require_scope("issuer"))]
RowId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Method = Literal["none", "private_key_jwt", "attest_jwt_client_auth"]
router = v1_router("issuer")


class WalletClientBody(StrictModel):
    """A wallet. ``jwks`` (RFC 7517) goes with ``private_key_jwt``; RFC 9449, section 5.2, tells the flag."""

    name: Name
    redirect_uris: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=20)]
    token_endpoint_auth_method: Method
    jwks: dict[str, Any] | None = None
    dpop_bound_access_tokens: bool = False


class WalletProviderBody(StrictModel):
    """A maker of wallets: who attests, and for which ``sub`` it is believed.

    Its keys are in ``jwks``, or certified by one of ``x509_anchors``: PEM certificates of CAs.
    """

    name: Name
    client_ids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=500)]], Field(min_length=1, max_length=100)
    ]
    jwks: dict[str, Any] | None = None
    x509_anchors: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=16_384)]],
        Field(default_factory=list, max_length=MAX_ANCHORS),
    ]


class WalletClientAnswer(AnswerModel):
    """A registered wallet."""

    client_id: str
    name: str
    redirect_uris: list[str]
    token_endpoint_auth_method: Method
    jwks: dict[str, Any] | None
    dpop_bound_access_tokens: bool
    updated_at: str


class WalletProviderAnswer(AnswerModel):
    """A trusted wallet provider."""

    id: str
    name: str
    client_ids: list[str]
    jwks: dict[str, Any] | None
    x509_anchors: list[str]
    updated_at: str


@router.put("/wallet-clients/{client_id}", responses=answers(WalletClientAnswer, 200, 201))
async def put_client(client_id: RowId, body: WalletClientBody, context: ContextDep, caller: IssuerCaller) -> Response:
    """Register a wallet (201) or replace its registration (200)."""
    terms = WalletTerms(**body.model_dump())
    async with context.database.transaction() as session:
        row, is_new = await put_wallet_client(session, caller.org_id, client_id, terms, context.clock())
    return JSONResponse(describe_wallet_client(row), status_code=201 if is_new else 200)


@router.get("/wallet-clients", responses=answers(Page[WalletClientAnswer]))
async def list_clients(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: IssuerCaller,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List the registered wallets."""
    async with context.database.reading() as session:
        rows = await page_wallet_clients(session, caller.org_id, after=after, limit=limit)
    items = [describe_wallet_client(row) for row in rows]
    return page_of(request, response, items, limit=limit, key="client_id")


@router.get("/wallet-clients/{client_id}", responses=answers(WalletClientAnswer))
async def read_client(client_id: RowId, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return one registered wallet."""
    async with context.database.reading() as session:
        return describe_wallet_client(await get_row(session, WalletClient, caller.org_id, client_id))


@router.delete("/wallet-clients/{client_id}", status_code=204)
async def delete_client(client_id: RowId, context: ContextDep, caller: IssuerCaller) -> None:
    """Forget a registered wallet, from its next request on."""
    async with context.database.transaction() as session:
        await delete_row(session, WalletClient, caller.org_id, client_id, context.clock())


@router.put("/wallet-providers/{provider_id}", responses=answers(WalletProviderAnswer, 200, 201))
async def put_provider(
    provider_id: RowId, body: WalletProviderBody, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Trust a wallet provider (201) or change what it is trusted for (200)."""
    terms = ProviderTerms(**body.model_dump())
    async with context.database.transaction() as session:
        row, is_new = await put_wallet_provider(session, caller.org_id, provider_id, terms, context.clock())
    return JSONResponse(describe_wallet_provider(row), status_code=201 if is_new else 200)


@router.get("/wallet-providers", responses=answers(Page[WalletProviderAnswer]))
async def list_providers(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: IssuerCaller,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List the trusted wallet providers."""
    async with context.database.reading() as session:
        rows = await page_wallet_providers(session, caller.org_id, after=after, limit=limit)
    return page_of(request, response, [describe_wallet_provider(row) for row in rows], limit=limit)


@router.get("/wallet-providers/{provider_id}", responses=answers(WalletProviderAnswer))
async def read_provider(provider_id: RowId, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return one trusted wallet provider."""
    async with context.database.reading() as session:
        return describe_wallet_provider(await get_row(session, WalletProvider, caller.org_id, provider_id))


@router.delete("/wallet-providers/{provider_id}", status_code=204)
async def delete_provider(provider_id: RowId, context: ContextDep, caller: IssuerCaller) -> None:
    """Trust a wallet provider no more, from the next request on."""
    async with context.database.transaction() as session:
        await delete_row(session, WalletProvider, caller.org_id, provider_id, context.clock())
