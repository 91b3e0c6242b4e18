"""The façade over HTTP, in the shape of the VC-API that the suites speak: 400 for whatever is not valid."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from service.errors import InvalidInputError, MalformedError, VerificationError
from service.linked_data.bundled_contexts import with_example_contexts
from service.vc_api.documents import issue_credential, resolve_did, verify_credential, verify_presentation
from service.web.dependencies import ContextDep
from service.web.problems import problem_document, problem_response
from service.web.routing import StrictRoute

ACCOUNT_METHODS = ("did:pkh:", "did:ethr:")
_VALID: dict[str, Any] = {"verified": True, "checks": ["proof"], "warnings": [], "errors": []}


class VcApiRoute(StrictRoute):
    """A route that answers 400 to whatever is not valid, as the VC-API has it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the strict handler."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except (VerificationError, InvalidInputError, MalformedError) as error:
                code, detail = error.code, error.detail
            except RequestValidationError:
                code, detail = InvalidInputError.code, "The request does not have the expected shape."
            errors = [{"code": code, "detail": detail}]
            return problem_response(problem_document(status=400, code=code, detail=detail, errors=errors))

        return answer


class CredentialBody(BaseModel):
    """What to sign."""

    credential: dict[str, Any]
    options: dict[str, Any] = {}


class VerifiableCredentialBody(BaseModel):
    """What to verify."""

    verifiableCredential: dict[str, Any]  # noqa: N815  # the wire's name
    options: dict[str, Any] = {}


class VerifiablePresentationBody(BaseModel):
    """What to verify."""

    verifiablePresentation: dict[str, Any]  # noqa: N815  # the wire's name
    options: dict[str, Any] = {}


router = APIRouter(prefix="/vc-api", tags=["vc-api"], route_class=VcApiRoute, include_in_schema=False)


@router.post("/credentials/issue", status_code=201)
async def issue(body: CredentialBody, request: Request, context: ContextDep) -> dict[str, Any]:
    """Sign a credential of one of the façade's own issuers."""
    issuers = request.app.state.vc_api_issuers
    work = partial(issue_credential, body.credential, body.options, issuers, now=context.clock())
    return {"verifiableCredential": await with_example_contexts(work)}


@router.post("/credentials/verify")
async def verify(body: VerifiableCredentialBody, context: ContextDep) -> dict[str, Any]:
    """Verify a credential."""
    work = partial(verify_credential, body.verifiableCredential, body.options, now=context.clock())
    await with_example_contexts(work)
    return _VALID


@router.post("/presentations/verify")
async def verify_a_presentation(body: VerifiablePresentationBody, context: ContextDep) -> dict[str, Any]:
    """Verify a presentation."""
    work = partial(verify_presentation, body.verifiablePresentation, body.options, now=context.clock())
    await with_example_contexts(work)
    return _VALID


@router.get("/identifiers")
async def list_issuers(request: Request) -> list[str]:
    """Return the façade's own issuers: Ed25519, P-256, P-384."""
    return list(request.app.state.vc_api_issuers)


@router.get("/identifiers/{did}")
async def resolve(did: str, context: ContextDep) -> dict[str, Any]:
    """Resolve a DID; of accounts on chains by didkit. Source: DID Resolution, section "HTTP(S) Binding"."""
    is_account = did.startswith(ACCOUNT_METHODS)
    document = await context.linked_data.resolve_did(did) if is_account else resolve_did(did)
    return {"didDocument": document, "didResolutionMetadata": {}, "didDocumentMetadata": {}}
