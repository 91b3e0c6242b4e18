"""Back office: whose key attestations count, and for which credentials one is required."""

from typing import Annotated, Any

from fastapi import Depends
from pydantic import Field, model_validator

from service.issuer.key_attestations import describe_policy, put_policy
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.models import AnswerModel, StrictModel
from service.web.openapi import answers
from service.web.routing import v1_router

IssuerCaller = Annotated[Caller, Depends(require_scope("issuer"))]
Values = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=20)]
router = v1_router("issuer")


class AttesterBody(StrictModel):
    """A wallet provider or a maker of key storage.

    Each key in ``jwks`` has a ``kid``; ``x509_anchors`` are PEM certificates of CAs that certify its keys alone.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    jwks: dict[str, Any] | None = None
    x509_anchors: (
        Annotated[list[Annotated[str, Field(max_length=20_000)]], Field(min_length=1, max_length=5)] | None
    ) = None

    @model_validator(mode="after")
    def check_keys(self) -> "AttesterBody":
        """Refuse an attester without any way to know its signature."""
        if self.jwks is None and self.x509_anchors is None:
            raise ValueError("one of jwks and x509_anchors is needed")
        return self


class RequirementBody(StrictModel):
    """Accepted values of OpenID4VCI 1.0, appendix D.2; ``{}`` asks for a trusted attestation and no more."""

    key_storage: Values | None = None
    user_authentication: Values | None = None


class PolicyBody(StrictModel):
    """Trusted attesters, and requirements by credential configuration."""

    attesters: Annotated[list[AttesterBody], Field(max_length=20)]
    required: dict[str, RequirementBody]


class PolicyAnswer(AnswerModel):
    """The policy as it was sent."""

    attesters: list[AttesterBody]
    required: dict[str, RequirementBody]


@router.get("/key-attestation-policy", responses=answers(PolicyAnswer))
async def read_key_attestation_policy(context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Return whose key attestations count; nobody's, unless a policy was put."""
    async with context.database.reading() as session:
        return await describe_policy(session, caller.org_id)


@router.put("/key-attestation-policy", responses=answers(PolicyAnswer))
async def put_key_attestation_policy(body: PolicyBody, context: ContextDep, caller: IssuerCaller) -> dict[str, Any]:
    """Replace the policy, for every request from now on."""
    sent = body.model_dump(exclude_none=True)
    async with context.database.transaction() as session:
        await put_policy(session, caller.org_id, **sent, now=context.clock())
        return await describe_policy(session, caller.org_id)
