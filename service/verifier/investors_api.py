"""Investors as the platform knows them, and their standing."""

from typing import Annotated, Any

from fastapi import Depends, Query, Response
from fastapi.responses import JSONResponse

from service.rules.law import choose_law, choose_law_on
from service.verifier.answer_models import InvestorAnswer, StandingAnswer
from service.verifier.investors import put_investor, read_known
from service.verifier.models import ClientId, InvestorBody
from service.verifier.past_standing import read_known_as_of
from service.verifier.standing_answer import describe_standing
from service.verifier.withholding import COMPLIANCE, withhold_screenings
from service.web.accesses import record_access
from service.web.auth import Caller, require_scope
from service.web.dependencies import ContextDep
from service.web.instants import AsOf, resolve_as_of
from service.web.openapi import answers
from service.web.routing import v1_router

RulesVersion = Annotated[
    str | None, Query(description="Version of the rules to apply, instead of that of the instant.")
]
Verifier = Annotated[Caller, Depends(require_scope("verifier"))]
router = v1_router("verifier")


@router.put("/investors/{ref}", responses=answers(InvestorAnswer, 200, 201))
async def put_entry(ref: ClientId, body: InvestorBody, context: ContextDep, caller: Verifier) -> Response:
    """Create (201) or change (200) an investor; what is not sent stays as it is.

    Without the scope `compliance`, a screening that this call didn't send is not shown.
    """
    changes = body.model_dump(mode="json", exclude_unset=True)
    async with context.database.transaction() as session:
        saved, is_new = await put_investor(
            session, context.signer, caller.org_id, ref, changes, context.clock(), sees_all=_sees_all(caller)
        )
    return JSONResponse(saved, status_code=201 if is_new else 200)


@router.get("/investors/{ref}/standing", responses=answers(StandingAnswer))
async def get_standing(
    ref: ClientId, context: ContextDep, caller: Verifier, as_of: AsOf = None, rules_version: RulesVersion = None
) -> dict[str, Any]:
    """Return the facts that presentations proved, their sources, and which purposes they cover.

    With `as_of`, what was known and valid at that instant, under the rules of then or of `rules_version`.
    Without the scope `compliance`, what screenings found is left out: `screening` is null, `claims` of AML screenings
    are empty, and no fact comes from them.
    """
    now = context.clock()
    at = None if as_of is None else resolve_as_of(as_of, now)
    law = choose_law_on(at.date()) if at and rules_version is None else choose_law(rules_version)
    whose = {"base_url": context.base_url, "org_id": caller.org_id, "ref": ref}
    async with context.database.reading() as session:
        if at is None:
            known = await read_known(session, context.signer, **whose, now=now)
        else:
            known = await read_known_as_of(session, context.signer, **whose, at=at)
    await record_access(context, caller, object_kind="standing", object_id=ref, investor_refs=[ref])
    return withhold_screenings(describe_standing(known, at or now, law), sees_all=_sees_all(caller))


def _sees_all(caller: Caller) -> bool:
    return COMPLIANCE in caller.scopes
