"""Verify a credential or a presentation that the platform already has."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import ValidationError
from pydantic_core import to_json

from service.credentials.credential import Expected
from service.verifier.answer_models import VerdictAnswer, VerdictsAnswer
from service.verifier.models import BatchBody, VerificationBody
from service.verifier.verify import Verification, verify_all
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep, get_context
from service.web.openapi import answers
from service.web.problems import shape_problem
from service.web.routing import v1_router

Verifier = Annotated[Caller, Depends(require_scope("verifier"))]
router = v1_router("verifier")


def _read_verification(body: VerificationBody) -> Verification:
    expected = body.expected
    document = body.credential if body.credential is not None else body.presentation
    bound = None if expected is None else Expected(expected.nonce, expected.audience)
    assert document is not None  # one of the two is there, or the body is refused
    return Verification(document, bound)


@router.post("/verify", responses=answers(VerdictAnswer))
async def verify(body: VerificationBody, request: Request, caller: Verifier) -> Response:
    """Verify one; an unauthentic credential is an answer, not an error."""
    [verdict] = await verify_all(get_context(request), caller.org_id, [_read_verification(body)])
    return Response(to_json(verdict), media_type="application/json")


@router.post("/verify/batch", responses=answers(VerdictsAnswer))
async def verify_batch(body: BatchBody, context: ContextDep, caller: Verifier) -> dict[str, Any]:
    """Verify up to 500; answers come in order, a problem document in place of an item that cannot be read."""
    read: list[Verification | ValidationError] = []
    for item in body.verifications:
        try:
            read.append(_read_verification(VerificationBody.model_validate(item)))
        except ValidationError as error:
            read.append(error)
    answers = iter(await verify_all(context, caller.org_id, [item for item in read if isinstance(item, Verification)]))
    return {"data": [next(answers) if isinstance(item, Verification) else _problem(item) for item in read]}


def _problem(error: ValidationError) -> dict[str, Any]:
    return shape_problem(error.errors(), detail="The verification does not have the expected shape.")
