"""The façade over HTTP, in the shape of the VC-API that the suites speak: 400 for whatever is not valid."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from service.errors import InvalidInputError, MalformedError, NotFoundError, VerificationError
from service.linked_data.bundled_contexts import with_example_contexts
from service.vc_api.documents import issue_credential, resolve_did, verify_credential, verify_presentation
from service.vc_api.statuses import FacadeStatuses
from service.web.context import Context
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


class StatusBody(BaseModel):
    """Which entry of a credential to set, or to clear."""

    credentialId: str | None = None  # noqa: N815  # the wire's name
    credentialStatus: dict[str, Any]  # noqa: N815  # the wire's name
    status: bool | int = True


def _open_statuses(context: Context) -> FacadeStatuses:
    return FacadeStatuses(context.data_dir, context.base_url)


router = APIRouter(prefix="/vc-api", tags=["vc-api"], route_class=VcApiRoute, include_in_schema=False)


@router.post("/credentials/issue", status_code=201)
async def issue(body: CredentialBody, request: Request, context: ContextDep) -> dict[str, Any]:
    """Sign a credential of one of the façade's own issuers."""
    issuers, statuses = request.app.state.vc_api_issuers, _open_statuses(context)
    work = partial(issue_credential, body.credential, body.options, issuers, statuses, now=context.clock())
    return {"verifiableCredential": await with_example_contexts(work)}


@router.post("/credentials/verify")
async def verify(body: VerifiableCredentialBody, context: ContextDep) -> dict[str, Any]:
    """Verify a credential."""
    statuses = _open_statuses(context)
    work = partial(verify_credential, body.verifiableCredential, body.options, statuses, now=context.clock())
    await with_example_contexts(work)
    return _VALID


@router.post("/presentations/verify")
async def verify_a_presentation(body: VerifiablePresentationBody, context: ContextDep) -> dict[str, Any]:
    """Verify a presentation."""
    statuses = _open_statuses(context)
    work = partial(verify_presentation, body.verifiablePresentation, body.options, statuses, now=context.clock())
    await with_example_contexts(work)
    return _VALID


@router.post("/credentials/status")
async def change_status(body: StatusBody, context: ContextDep) -> dict[str, Any]:
    """Set or clear the status of a credential that the façade issued."""
    _open_statuses(context).change(body.credentialStatus, int(body.status))
    return {}


@router.get("/status-lists/{fragment}/{name}")
async def read_status_list(fragment: str, name: str, request: Request, context: ContextDep) -> dict[str, Any]:
    """Return a status list of one of the façade's issuers."""
    issuer = request.app.state.vc_api_issuers.get(f"did:key:{fragment}")
    if issuer is None:
        raise NotFoundError
    work = partial(_open_statuses(context).build, issuer, name, now=context.clock())
    built = await with_example_contexts(work)
    if built is None:
        raise NotFoundError
    return built


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
