"""The attestation under which a platform may ask."""

from typing import Annotated, Any

from fastapi import Depends, Response

from service.verifier.answer_models import VerifierAttestationAnswer
from service.verifier.attestations import describe_attestation, find_attestation, put_attestation
from service.verifier.models import VerifierAttestationBody
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.openapi import answers
from service.web.routing import v1_router

Verifier = Annotated[Caller, Depends(require_scope("verifier"))]
router = v1_router("verifier")


@router.put("/verifier-attestation", responses=answers(VerifierAttestationAnswer))
async def put_entry(body: VerifierAttestationBody, context: ContextDep, caller: Verifier) -> dict[str, Any]:
    """Keep the attestation of the key that signs your requests, for `client_id_prefix` `verifier_attestation`."""
    async with context.database.transaction() as session:
        row = await put_attestation(session, caller.org_id, body.attestation, context.clock())
        return describe_attestation(row)


@router.get("/verifier-attestation", responses=answers(VerifierAttestationAnswer))
async def get_entry(context: ContextDep, caller: Verifier) -> dict[str, Any]:
    """Return what is kept for the key that signs your requests now."""
    async with context.database.reading() as session:
        return describe_attestation(await find_attestation(session, caller.org_id))


@router.delete("/verifier-attestation", status_code=204)
async def delete_entry(context: ContextDep, caller: Verifier) -> Response:
    """Forget it."""
    async with context.database.transaction() as session:
        await session.delete(await find_attestation(session, caller.org_id))
    return Response(status_code=204)
