"""The issuer's own side: make and cancel offers, look up grants, change their status."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response
from pydantic import AwareDatetime, Field
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.issuer import credentials, deferral, offers
from service.issuer import status as statuses
from service.issuer.answer_models import CredentialAnswer, MadeOfferAnswer, OfferAnswer, Status
from service.issuer.credentials import CredentialFilter, CredentialView
from service.issuer.identity import get_issuer
from service.issuer.offers import (
    DEFAULT_LIFETIME,
    MAX_LIFETIME,
    PRE_AUTHORIZED_CODE,
    MadeOffer,
    OfferRequest,
    OfferView,
)
from service.storage.subject_keys import name_person
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once, answer_once_off_orm
from service.web.models import Page, StrictModel
from service.web.openapi import answers, takes_idempotency_key
from service.web.pagination import DEFAULT_LIMIT, After, Limit, page_of
from service.web.routing import v1_router

SubjectRef = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
IssuerCaller = Annotated[Caller, Depends(require_scope("issuer"))]
router = v1_router("issuer")


class OfferBody(StrictModel):
    """A new credential offer."""

    credential_configuration_id: Annotated[str, Field(max_length=64)]
    claims: dict[str, Any]
    subject_ref: SubjectRef
    tx_code: bool
    expires_in: Annotated[int, Field(ge=1, le=int(MAX_LIFETIME.total_seconds()))] = int(
        DEFAULT_LIFETIME.total_seconds()
    )
    credential_expires_on: Annotated[date | None, Field(strict=False)] = None
    deferred: bool = False
    grant: Literal["pre-authorized_code", "authorization_code"] = PRE_AUTHORIZED_CODE
    renews: Annotated[str | None, Field(max_length=64)] = None

    def to_request(self) -> OfferRequest:
        """Return the same in the words of the use case."""
        return OfferRequest(
            credential_configuration_id=self.credential_configuration_id,
            claims=self.claims,
            subject_ref=self.subject_ref,
            tx_code=self.tx_code,
            lifetime=timedelta(seconds=self.expires_in),
            credential_expires_on=self.credential_expires_on,
            is_deferred=self.deferred,
            grant_type=self.grant,
            renews=self.renews,
        )


class StatusBody(StrictModel):
    """A new status; ``reason`` stays with the issuer."""

    status: Literal["valid", "suspended", "revoked"]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


@router.post(
    "/credential-offers",
    status_code=201,
    responses=answers(MadeOfferAnswer, 201),
    openapi_extra=takes_idempotency_key(),
)
async def create_credential_offer(
    body: OfferBody, request: Request, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Offer a credential to a person."""

    async def work(connection: AsyncConnection) -> Answer:
        issuer = await get_issuer(connection, base_url=context.base_url, org_id=caller.org_id)
        made = await offers.create_offer(
            connection, context.signer, issuer, body.to_request(), actor=caller.client_id, now=context.clock()
        )
        return Answer(201, describe_made_offer(made))

    return await answer_once_off_orm(context, request, caller, work)


@router.get("/credential-offers/{offer_id}", responses=answers(OfferAnswer))
async def read_credential_offer(offer_id: str, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return an offer's state and what was granted through it."""
    async with context.database.reading() as session:
        return _describe_offer(await offers.get_offer(session, caller.org_id, offer_id, now=context.clock()))


@router.delete("/credential-offers/{offer_id}", responses=answers(OfferAnswer))
async def cancel_credential_offer(offer_id: str, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Cancel a pending offer."""
    async with context.database.transaction() as session:
        return _describe_offer(await offers.cancel_offer(session, caller.org_id, offer_id, now=context.clock()))


@router.post(
    "/credential-offers/{offer_id}/release", responses=answers(OfferAnswer), openapi_extra=takes_idempotency_key()
)
async def release_credential_offer(
    offer_id: str, request: Request, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Let a deferred credential be issued."""

    async def handle(session: AsyncSession) -> Answer:
        view = await deferral.release_offer(session, caller.org_id, offer_id, now=context.clock())
        return Answer(200, _describe_offer(view), name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle)


@router.post(
    "/credential-offers/{offer_id}/deny", responses=answers(OfferAnswer), openapi_extra=takes_idempotency_key()
)
async def deny_credential_offer(offer_id: str, request: Request, context: ContextDep, caller: IssuerCaller) -> Response:
    """End a deferred offer without a credential."""

    async def handle(session: AsyncSession) -> Answer:
        view = await deferral.deny_offer(session, caller.org_id, offer_id, now=context.clock())
        return Answer(200, _describe_offer(view), name_person(view.subject_ref))

    return await answer_once(context, request, caller, handle)


@router.get("/credentials", responses=answers(Page[CredentialAnswer]))
async def list_credentials(
    request: Request,
    response: Response,
    context: ContextDep,
    caller: IssuerCaller,
    subject_ref: Annotated[SubjectRef | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    expires_from: Annotated[AwareDatetime | None, Query()] = None,
    expires_before: Annotated[AwareDatetime | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    after: After = None,
) -> dict[str, Any]:
    """List granted credentials; where it is asked when they expire, in the order of that."""
    wanted = CredentialFilter(subject_ref, status, expires_from, expires_before)
    async with context.database.reading() as session:
        rows = await credentials.list_credentials(session, caller.org_id, wanted, after=after, limit=limit + 1)
    return page_of(request, response, [_describe_credential(row) for row in rows], limit=limit)


@router.get("/credentials/{credential_id}", responses=answers(CredentialAnswer))
async def read_credential(credential_id: str, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return one granted credential: metadata and status, no claims."""
    async with context.database.reading() as session:
        row = await credentials.load_credential(session, caller.org_id, credential_id)
    return _describe_credential(credentials.view_credential(row))


@router.post(
    "/credentials/{credential_id}/status", responses=answers(CredentialAnswer), openapi_extra=takes_idempotency_key()
)
async def change_credential_status(
    credential_id: str, body: StatusBody, request: Request, context: ContextDep, caller: IssuerCaller
) -> Response:
    """Change the status of every copy of a credential."""

    async def handle(session: AsyncSession) -> Answer:
        changed = await statuses.change_status(
            session,
            caller.org_id,
            credential_id,
            status=body.status,
            reason=body.reason,
            actor=caller.client_id,
            now=context.clock(),
        )
        return Answer(200, _describe_credential(changed))

    return await answer_once(context, request, caller, handle)


def format_seconds(instant: datetime) -> str:
    """Return RFC 3339 in UTC, in whole seconds."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def describe_made_offer(made: MadeOffer) -> dict[str, Any]:
    """Return a new offer as its answer shows it."""
    answer: dict[str, Any] = {
        "id": made.id,
        "credential_offer_uri": made.credential_offer_uri,
        "deep_link": made.deep_link,
        "web_link": made.web_link,
        "expires_at": format_seconds(made.expires_at),
    }
    return answer if made.tx_code is None else answer | {"tx_code": made.tx_code}


def _describe_offer(view: OfferView) -> dict[str, Any]:
    return {
        "id": view.id,
        "state": view.state,
        "deferral": view.deferral,
        "credential_configuration_id": view.credential_configuration_id,
        "subject_ref": view.subject_ref,
        "created_at": format_seconds(view.created_at),
        "expires_at": format_seconds(view.expires_at),
        "credentials": [
            {
                "id": granted.id,
                "credential_configuration_id": granted.credential_configuration_id,
                "status": granted.status,
            }
            for granted in view.credentials
        ],
    }


def _describe_credential(view: CredentialView) -> dict[str, Any]:
    return {
        "id": view.id,
        "credential_configuration_id": view.credential_configuration_id,
        "subject_ref": view.subject_ref,
        "offer_id": view.offer_id,
        "status": view.status,
        "status_reason": view.status_reason,
        "status_changed_at": None if view.status_changed_at is None else format_seconds(view.status_changed_at),
        "issued_at": format_seconds(view.created_at),
        "expires_at": format_seconds(view.expires_at),
    }
