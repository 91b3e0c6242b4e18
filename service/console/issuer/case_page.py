"""One case as a page: what was handed in beside what the rule asks for, the figures, the working, the decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response

from service.accounts.accounts import APPROVER, OFFICER
from service.console.issuer.access import record_reading
from service.console.issuer.actors import read_actors
from service.console.issuer.claims_form import describe_claims, label_claim, name_type
from service.console.issuer.fields import Field, write_typed
from service.console.issuer.figures import (
    Rule,
    describe_figures,
    find_rule,
    list_rules,
    list_thresholds,
    name_figure,
    name_rule,
)
from service.console.issuer.verification import mark_method
from service.console.pages import explain, render
from service.console.values import name_jurisdiction, name_value
from service.console.viewer import Viewer
from service.console.wordings import say_step
from service.errors import ServiceError
from service.issuer import cases
from service.issuer.case_history import list_case_events
from service.issuer.case_records import APPROVED, DECLINED, REVIEWED, CaseView
from service.issuer.case_review import INVESTMENT_LIMIT
from service.issuer.evidence import list_evidence
from service.issuer.four_eyes import list_account_ties
from service.web.body_limit import MAX_FILE_BYTES
from service.web.context import Context
from service.web.problems import status_of

CASE_DECIDES = frozenset({"jurisdiction", "category", "regime", "limit_at_least", "currency", "as_of"})


@dataclass(frozen=True, slots=True)
class Sent:
    """What was typed into a form of the page that was refused.

    Attributes:
        form: ``evidence``, ``ask``, ``review``, ``approve`` or ``decline``.
        error: Why.
        fields: Names of the fields that are wrong.
    """

    form: str
    error: ServiceError
    rule_id: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)
    fields: Sequence[str] = ()


async def render_case(
    request: Request, context: Context, viewer: Viewer, case_id: str, sent: Sent | None = None
) -> Response:
    """Render a case; that the viewer reads it is recorded first.

    Raises:
        NotFoundError: None of this id, another organisation's, or its person was erased.
    """
    async with context.database.reading() as session:
        view = await cases.get_case(session, context.signer, viewer.org_id, case_id)
        name_actor = await read_actors(session, viewer)
        _, files = await list_evidence(session, context.signer, viewer.org_id, case_id)
        _, events = await list_case_events(session, context.signer, viewer.org_id, case_id)
        ties = await list_account_ties(session, viewer.org_id, view.reviewed_by, viewer.account_id)
    await record_reading(context, viewer, kind="case", object_id=case_id, subject_ref=view.subject_ref)
    problem = None if sent is None else explain(viewer.language, sent.error)
    return render(
        request,
        viewer,
        "issuer/case.html",
        status=200 if sent is None else status_of(type(sent.error)),
        problem=problem,
        case=view,
        type_name=name_type(view.credential_configuration_id, viewer.language),
        name_actor=name_actor,
        files=files,
        events=events,
        max_file_bytes=MAX_FILE_BYTES,
        item=_read_sent(sent, "evidence", "item"),
        message=_read_sent(sent, "ask", "message"),
        sent=sent,
        is_decided=view.state in (APPROVED, DECLINED),
        may_review=OFFICER in viewer.roles,
        may_decide=APPROVER in viewer.roles,
        has_ties=view.state == REVIEWED and bool(ties),
        is_own_review=view.state == REVIEWED and view.reviewed_by == viewer.account_id,
        **_describe_review_form(request, viewer, view, sent),
        **_describe_review(viewer, view),
        **_describe_approval(viewer, view, sent),
    )


def _describe_review_form(request: Request, viewer: Viewer, view: CaseView, sent: Sent | None) -> dict[str, Any]:
    chosen = request.query_params.get("rule") or (sent.rule_id if sent is not None else "") or view.rule or ""
    rule = find_rule(view.credential_configuration_id, chosen)
    fields = [] if rule is None else describe_figures(rule, viewer.language)
    typed: Mapping[str, str] = write_typed(fields, {})
    if sent is not None and sent.form == "review":
        typed = {**typed, **sent.typed}
    elif view.review is not None and rule is not None and view.review.rule == rule.id:
        typed = write_typed(fields, view.review.figures)
    return {
        "rules": _name_rules(viewer, view),
        "rule": rule,
        "rule_name": "" if rule is None else name_rule(viewer.language, rule),
        "thresholds": [] if rule is None else list_thresholds(rule, viewer.language),
        "figures": fields,
        "figures_typed": typed,
        "asks_limit": view.credential_configuration_id == INVESTMENT_LIMIT,
        "review_more": sent.more if sent is not None and sent.form == "review" else _read_more(view),
    }


def _read_more(view: CaseView) -> dict[str, str]:
    return {"limit_at_least": "" if view.review is None else view.review.claims.get("limit_at_least", "")}


def _name_rules(viewer: Viewer, view: CaseView) -> dict[str, list[tuple[str, str]]]:
    def describe(rule: Rule) -> tuple[str, str]:
        return rule.id, name_rule(viewer.language, rule)

    grouped = list_rules(view.credential_configuration_id)
    return {
        name_jurisdiction(viewer.language, group.upper()): [describe(rule) for rule in rules]
        for group, rules in grouped.items()
    }


def _describe_review(viewer: Viewer, view: CaseView) -> dict[str, Any]:
    if view.review is None:
        return {"review": None}
    kind = view.credential_configuration_id
    return {
        "review": view.review,
        "working": [say_step(viewer.language, step) for step in view.review.steps],
        "review_figures": [
            (name_figure(viewer.language, name), name_value(viewer.language, name, value))
            for name, value in view.review.figures.items()
        ],
        "review_claims": [
            (label_claim(kind, viewer.language, name), name_value(viewer.language, name, value))
            for name, value in view.review.claims.items()
        ],
    }


def _describe_approval(viewer: Viewer, view: CaseView, sent: Sent | None) -> dict[str, Any]:
    fields = describe_approval(view, viewer)
    typed = sent.typed if sent is not None and sent.form == "approve" else write_typed(fields, {})
    return {
        "claims": fields,
        "claims_typed": typed,
        "approve_more": sent.more if sent is not None and sent.form == "approve" else {"tx_code": "yes"},
        "reason": _read_sent(sent, "decline", "reason"),
    }


def _read_sent(sent: Sent | None, form: str, name: str) -> str:
    return sent.more.get(name, "") if sent is not None and sent.form == form else ""


def describe_approval(view: CaseView, viewer: Viewer) -> list[Field]:
    """Return the fields of the claims that the approver adds to those of the review."""
    fields = describe_claims(view.credential_configuration_id, viewer.language, without=CASE_DECIDES)
    return mark_method(view, fields)
