"""Letters about grants, and renewals of many, over HTTP."""

import base64
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Request, Response
from pydantic import Field, model_validator
from sqlmodel.ext.asyncio.session import AsyncSession

from service.errors import ServiceError
from service.issuer.answer_models import MadeOfferAnswer
from service.issuer.backoffice_api import describe_made_offer
from service.issuer.evidence_types import PDF
from service.issuer.evidence_upload import build_download_headers
from service.issuer.identity import get_issuer
from service.issuer.letters import Letter, LetterForm, make_letter
from service.issuer.offers import DEFAULT_LIFETIME, MAX_LIFETIME, MadeOffer
from service.issuer.renewal import RenewalRequest, renew_credentials
from service.web.accesses import record_access
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.idempotency import Answer, answer_once
from service.web.models import AnswerModel, StrictModel
from service.web.openapi import answers, answers_media, takes_idempotency_key
from service.web.problems import problem_of
from service.web.routing import v1_router

IssuerCaller = Annotated[Caller, Depends(require_scope("issuer"))]
CredentialId = Annotated[str, Field(min_length=1, max_length=64)]
router = v1_router("issuer")
MAX_RENEWALS = 100


class RenewalBody(StrictModel):
    """Credentials to renew, each named once, and how the offers are made."""

    credential_ids: Annotated[list[CredentialId], Field(min_length=1, max_length=MAX_RENEWALS)]
    tx_code: bool = True
    expires_in: Annotated[int, Field(ge=1, le=int(MAX_LIFETIME.total_seconds()))] = int(
        DEFAULT_LIFETIME.total_seconds()
    )
    credential_expires_on: Annotated[date | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def check_ids(self) -> "RenewalBody":
        """Refuse an id that comes twice."""
        if len(set(self.credential_ids)) < len(self.credential_ids):
            raise ValueError("each credential may be named once")
        return self


class RenewalItemAnswer(AnswerModel):
    """What became of one credential: an offer, or the problem that stood in its way."""

    credential_id: str
    offer: MadeOfferAnswer | None
    problem: dict[str, Any] | None


class RenewalAnswer(AnswerModel):
    """An item for each credential, in the order of the request."""

    data: list[RenewalItemAnswer]


@router.post("/credentials/renew", responses=answers(RenewalAnswer), openapi_extra=takes_idempotency_key())
async def post_renewals(body: RenewalBody, request: Request, context: ContextDep, caller: IssuerCaller) -> Response:
    """Offer credentials anew whose claims may be signed today; each item has an offer or its reason."""
    wanted = RenewalRequest(body.tx_code, timedelta(seconds=body.expires_in), body.credential_expires_on)

    async def handle(session: AsyncSession) -> Answer:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=caller.org_id)
        found = await renew_credentials(
            session,
            context.signer,
            issuer,
            body.credential_ids,
            wanted,
            actor=caller.client_id,
            now=context.clock(),
        )
        return Answer(200, {"data": _describe_renewals(body.credential_ids, found)})

    return await answer_once(context, request, caller, handle)


@router.get("/credentials/{credential_id}/letter", responses=answers_media(PDF))
async def get_letter(
    credential_id: str, context: ContextDep, caller: IssuerCaller, language: Literal["en", "zh"] = "en"
) -> Response:
    """Return the letter about a qualified-investor grant in a language: made once, the same bytes ever after."""
    async with context.database.reading() as session:
        issuer = await get_issuer(await session.connection(), base_url=context.base_url, org_id=caller.org_id)
    letter = await make_letter(
        context.database,
        context.signer,
        issuer,
        credential_id,
        LetterForm(language, context.letter_font),
        client_id=caller.client_id,
        now=context.clock(),
    )
    await record_access(
        context, caller, object_kind="letter", object_id=credential_id, investor_refs=[letter.subject_ref]
    )
    return Response(letter.pdf, media_type=PDF, headers=name_letter(letter))


def name_letter_file(letter: Letter) -> dict[str, str]:
    """Return the headers by which a browser saves a letter."""
    suffix = "" if letter.language == "en" else f"-{letter.language}"
    return build_download_headers(f"letter-{letter.credential_id}{suffix}.pdf")


def name_letter(letter: Letter) -> dict[str, str]:
    """Return the headers of a letter's download. Source: RFC 9530, section 3."""
    digest = base64.b64encode(bytes.fromhex(letter.sha256)).decode()
    return name_letter_file(letter) | {"Repr-Digest": f"sha-256=:{digest}:"}


def _describe_renewals(ids: Sequence[str], found: Sequence[MadeOffer | ServiceError]) -> list[dict[str, Any]]:
    return [
        {"credential_id": each, "offer": None, "problem": problem_of(made)}
        if isinstance(made, ServiceError)
        else {"credential_id": each, "offer": describe_made_offer(made), "problem": None}
        for each, made in zip(ids, found, strict=True)
    ]
