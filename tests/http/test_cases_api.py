"""The review queue over HTTP: what is refused, who may do what, what is shown to whom."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from service.rules import RULES_VERSION
from tests.case_support import CLAIMS, INCOME, REVIEW, Desk, open_desks
from tests.deployment import Deployment
from tests.prepared import prepared

POOR = INCOME | {"income_y2": "200000.00"}


@prepared
async def desks(sqlite_deployment: Deployment) -> tuple[Desk, Desk]:
    return await open_desks(sqlite_deployment)


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that the service logs at the level DEBUG."""
    written = io.StringIO()
    before = structlog.get_config()
    structlog.configure(
        **before
        | {"logger_factory": structlog.PrintLoggerFactory(written), "cache_logger_on_first_use": False}
        | {"wrapper_class": structlog.make_filtering_bound_logger(logging.DEBUG)}
    )
    yield written
    structlog.configure(**before)


async def test_a_case_from_open_to_approved(desks: tuple[Desk, Desk]) -> None:
    reviewer, approver = desks
    body = {"credential_configuration_id": "qualified-investor", "subject_ref": "investor-1"}
    opened = await reviewer.call("POST", "cases", json=body)
    case = opened.json()
    assert opened.status_code == 201
    assert case.pop("id").startswith("case_")
    assert case == {
        "credential_configuration_id": "qualified-investor",
        "subject_ref": "investor-1",
        "state": "open",
        "opened_by": reviewer.client_id,
        "created_at": "2026-11-23T15:00:00Z",
        "rule": None,
        "passed": None,
        "reviewed_by": None,
        "reviewed_at": None,
        "decided_by": None,
        "decided_at": None,
        "offer_id": None,
        "review": None,
        "reason": None,
    }
    reviewed = (await reviewer.review(opened.json()["id"])).json()
    assert (reviewed["state"], reviewed["passed"], reviewed["rule"]) == ("reviewed", True, "us.ai.income")
    assert reviewed["review"] == {
        "rule": "us.ai.income",
        "passed": True,
        "as_of": "2026-11-23",
        "citation": "17 CFR 230.501(a)(6)",
        "confidence": "H",
        "rules_version": RULES_VERSION,
        "explanation": [
            "The same is expected in the current year: yes",
            "Own income of y1: 250,117 > 200,000 holds",
            "Own income of y2: 231,999.43 > 200,000 holds",
        ],
        "computed": {},
        "checklist": [
            "any IRS form that reports the income of the two most recent years",
            "written representation that the same is expected in the current year, of both spouses if joint",
        ],
        "figures": INCOME,
        "computed_limit": None,
        "claims": {"jurisdiction": "US", "category": "us.ai.income", "rules_version": RULES_VERSION},
    }
    approved = (await approver.approve(reviewed["id"])).json()
    assert approved["case"]["state"] == "approved"
    assert approved["case"]["decided_at"] == "2026-11-23T15:00:00Z"
    assert approved["offer"]["id"] == approved["case"]["offer_id"]
    assert approved["offer"]["tx_code"].isdigit()
    offer = (await approver.call("GET", f"credential-offers/{approved['offer']['id']}")).json()
    assert (offer["state"], offer["subject_ref"]) == ("pending", "investor-1")


async def test_computed_values_are_decimal_text(desks: tuple[Desk, Desk]) -> None:
    figures = {
        "total_assets": "2120000.50",
        "residence_fmv": 1_000_000,
        "residence_debt": 400_000,
        "residence_debt_60d_ago": 250_000,
        "other_liabilities": 0,
    }
    answer = await desks[0].review(await desks[0].open(), test="us.ai.net_worth", figures=figures)
    assert answer.json()["review"]["computed"] == {"net_worth": "970000.50"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"credential_configuration_id": "passport"}, "credential_configuration_unknown"),
        ({"credential_configuration_id": "kyc"}, "case_type_unsupported"),
        ({"credential_configuration_id": "aml-screening"}, "case_type_unsupported"),
        ({"subject_ref": "a b"}, "invalid_input"),
        ({"figures": {}}, "invalid_input"),
    ],
)
async def test_cases_that_are_not_opened(desks: tuple[Desk, Desk], changes: dict[str, Any], code: str) -> None:
    body = {"credential_configuration_id": "qualified-investor", "subject_ref": "investor-1"}
    answer = await desks[0].call("POST", "cases", json=body | changes)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("body", "status", "code", "detail"),
    [
        ({"figures": INCOME | {"income": 1}}, 400, "invalid_facts", "figures.income: unknown field"),
        ({"figures": INCOME | {"income_y1": 250117.5}}, 400, "invalid_facts", "figures.income_y1: an exact decimal"),
        ({"figures": INCOME | {"income_y1": -1}}, 400, "invalid_facts", "figures.income_y1: a number of at least 0"),
        ({"figures": {}}, 422, "input_missing", "INPUT_MISSING: figures.expects_same_current_year is missing"),
        ({"test": "us.ai.wealth"}, 422, "computation_unknown", "unknown investor test 'us.ai.wealth'"),
        ({"as_of": "1988-04-18"}, 422, "computation_unknown", "us.ai.income was not in force on 1988-04-18"),
        ({"as_of": "2026-11-24"}, 422, "invalid_input", "as_of must not be in the future"),
        ({"as_of": "soon"}, 422, "invalid_input", ""),
        ({"test": "us.person.reg_s"}, 422, "case_rule_unsuitable", "us.person.reg_s supports no category"),
        ({"test": None}, 422, "invalid_input", ""),
        ({"limit_at_least": "1"}, 422, "invalid_input", ""),
        ({"limit": "us.reg_cf", "limit_at_least": "1"}, 422, "invalid_input", ""),
        ({"test": None, "limit": "us.reg_cf"}, 422, "invalid_input", ""),
        ({"test": None, "limit": "us.reg_cf", "limit_at_least": "-1"}, 422, "invalid_input", ""),
        ({"test": None, "limit": "us.reg_cf", "limit_at_least": "1"}, 422, "case_rule_unsuitable", "A case of"),
        ({"unknown": 1}, 422, "invalid_input", ""),
    ],
)
async def test_reviews_that_are_refused(
    desks: tuple[Desk, Desk], body: dict[str, Any], status: int, code: str, detail: str
) -> None:
    case_id = await desks[0].open()
    answer = await desks[0].review(case_id, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["detail"].startswith(detail)
    assert "250117" not in answer.text
    assert (await desks[0].read(case_id))["state"] == "open"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (REVIEW, "case_rule_unsuitable"),
        ({"limit": "us.rule144.volume", "figures": {}, "limit_at_least": "1"}, "case_rule_unsuitable"),
        ({"limit": "us.506c", "figures": {}, "limit_at_least": "1"}, "computation_unknown"),
    ],
)
async def test_an_investment_limit_comes_from_an_investors_limit(
    desks: tuple[Desk, Desk], body: dict[str, Any], code: str
) -> None:
    case_id = await desks[0].open("investment-limit")
    answer = await desks[0].call("POST", f"cases/{case_id}/review", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_today_is_the_day_in_the_rules_zone(desks: tuple[Desk, Desk]) -> None:
    desks[0].deployment.clock.advance(hours=12)  # 03:00 UTC on the 24th: still the 23rd in New York
    answer = await desks[0].review(await desks[0].open())
    assert answer.json()["review"]["as_of"] == "2026-11-23"
    early = await desks[0].review(await desks[0].open(), as_of="2026-11-24")
    assert (early.status_code, early.json()["code"]) == (422, "invalid_input")


async def test_whoever_reviewed_cannot_approve(desks: tuple[Desk, Desk]) -> None:
    first, second = desks
    case_id = await first.open()
    await first.review(case_id)
    for desk, other in ((first, second), (second, first)):
        await desk.review(case_id)  # the last review counts
        refused = await desk.approve(case_id)
        assert (refused.status_code, refused.json()["code"]) == (403, "four_eyes_required")
        assert (await other.read(case_id))["state"] == "reviewed"
    assert (await first.approve(case_id)).status_code == 201


async def test_what_did_not_pass_is_not_approved_by_anybody(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    unreviewed = await desks[1].approve(case_id)
    assert (unreviewed.status_code, unreviewed.json()["code"]) == (409, "case_not_reviewed")
    reviewed = await desks[0].review(case_id, figures=POOR)
    assert (reviewed.json()["passed"], reviewed.json()["review"]["claims"]) == (False, {})
    refused = await desks[1].approve(case_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "case_not_passed")
    assert (await desks[0].review(case_id)).json()["passed"] is True
    assert (await desks[1].approve(case_id)).status_code == 201


async def test_a_decided_case_stays_as_it_is(desks: tuple[Desk, Desk]) -> None:
    approved, declined = [await desks[0].open() for _ in range(2)]
    await desks[0].review(approved)
    assert (await desks[1].approve(approved)).status_code == 201
    assert (await desks[0].decline(declined)).json()["reason"] == "no documents"
    for case_id in (approved, declined):
        for answer in (
            await desks[0].review(case_id),
            await desks[1].approve(case_id),
            await desks[1].decline(case_id),
        ):
            assert (answer.status_code, answer.json()["code"]) == (409, "case_closed")


@pytest.mark.parametrize("claim", ["category", "jurisdiction", "rules_version"])
async def test_the_approver_cannot_send_what_the_case_decides(desks: tuple[Desk, Desk], claim: str) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    refused = await desks[1].approve(case_id, claims=CLAIMS | {claim: "US"})
    assert (refused.status_code, refused.json()["code"]) == (422, "claims_invalid")
    assert refused.json()["errors"] == [{"path": f"/{claim}", "detail": "The case decides this claim."}]


@pytest.mark.parametrize("figure", sorted(INCOME))
async def test_a_figure_is_no_claim(desks: tuple[Desk, Desk], figure: str) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    refused = await desks[1].approve(case_id, claims=CLAIMS | {figure: INCOME[figure]})
    assert (refused.status_code, refused.json()["code"]) == (422, "claims_invalid")


@pytest.mark.parametrize(
    "body", [{"expires_in": 0}, {"tx_code": "true"}, {"claims": []}, {"unknown": 1}, {"credential_expires_on": "soon"}]
)
async def test_approvals_that_are_refused(desks: tuple[Desk, Desk], body: dict[str, Any]) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    answer = await desks[1].approve(case_id, **body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_how_the_approver_wants_it_offered(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    answer = await desks[1].approve(case_id, tx_code=False, expires_in=60, credential_expires_on="2026-12-31")
    offer = answer.json()["offer"]
    assert "tx_code" not in offer
    assert offer["expires_at"] == "2026-11-23T15:01:00Z"


async def test_lists_show_no_figures(desks: tuple[Desk, Desk]) -> None:
    ids = [await desks[0].open(subject_ref=f"investor-{number}") for number in range(3)]
    await desks[0].review(ids[1])
    first = await desks[0].call("GET", "cases", params={"limit": 2})
    assert [case["id"] for case in first.json()["data"]] == ids[:2]
    assert 'rel="next"' in first.headers["link"]
    rest = await desks[0].call("GET", "cases", params={"limit": 2, "after": first.json()["next"]})
    assert ([case["id"] for case in rest.json()["data"]], rest.json()["next"]) == (ids[2:], None)
    reviewed = await desks[1].call("GET", "cases", params={"state": "reviewed"})
    assert [case["id"] for case in reviewed.json()["data"]] == [ids[1]]
    assert reviewed.json()["data"][0]["passed"] is True
    assert not {"review", "reason"} & set(reviewed.json()["data"][0])
    assert "250" not in reviewed.text
    for ref, of_person in (("investor-2", ids[2:]), ("investor", [])):
        found = await desks[0].call("GET", "cases", params={"subject_ref": ref})
        assert [case["id"] for case in found.json()["data"]] == of_person
    assert (await desks[0].call("GET", "cases", params={"subject_ref": "a b"})).status_code == 422
    unknown = await desks[0].call("GET", "cases", params={"state": "lost"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid_input")


async def test_a_retry_with_the_same_key_does_nothing_twice(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    path, headers = f"cases/{case_id}/approve", {"Idempotency-Key": "once"}
    first, again = [await desks[1].call("POST", path, json={"claims": CLAIMS}, headers=headers) for _ in range(2)]
    assert (first.status_code, first.text) == (201, again.text)
    assert again.headers["idempotency-replayed"] == "true"


async def test_another_issuers_cases_look_unknown(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    stranger, _ = await open_desks(desks[0].deployment, "other")
    for method, path, body in (
        ("GET", "cases/{}", None),
        ("POST", "cases/{}/review", REVIEW),
        ("POST", "cases/{}/approve", {"claims": CLAIMS}),
        ("POST", "cases/{}/decline", {"reason": "x"}),
    ):
        answers = [await stranger.call(method, path.format(id_), json=body) for id_ in (case_id, "unknown")]
        bodies = [{name: value for name, value in answer.json().items() if name != "instance"} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert bodies[0] == bodies[1]
    assert (await stranger.call("GET", "cases")).json() == {"data": [], "next": None}
    assert (await desks[1].read(case_id))["state"] == "reviewed"


async def test_the_queue_needs_the_scope_of_issuers(desks: tuple[Desk, Desk]) -> None:
    deployment = desks[0].deployment
    venue = await deployment.add_organization("venue", "platform")
    headers = await deployment.headers(venue, "verifier")
    for method, path in (
        ("GET", "cases"),
        ("POST", "cases"),
        ("GET", "cases/x"),
        ("POST", "cases/x/review"),
        ("POST", "cases/x/approve"),
        ("POST", "cases/x/decline"),
    ):
        assert (await deployment.http.request(method, f"/v1/{path}", json={})).status_code == 401
        assert (await deployment.http.request(method, f"/v1/{path}", json={}, headers=headers)).status_code == 403


async def test_an_issuer_that_lost_its_role_approves_nothing(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    deployment = desks[0].deployment
    await deployment.headers(desks[1].member, "issuer")  # the token outlives the role by some minutes
    async with deployment.context.database.transaction() as session:
        row = await session.merge(desks[0].member.organization)
        row.roles = ["platform"]
    assert (await desks[1].approve(case_id)).status_code == 404


async def test_figures_stay_out_of_logs_and_problems(desks: tuple[Desk, Desk], logs: io.StringIO) -> None:
    case_id = await desks[0].open()
    for changes in ({}, {"figures": POOR}, {"test": "us.qib"}, {"figures": INCOME | {"income_y1": "250117x"}}):
        await desks[0].review(case_id, **changes)
    await desks[1].approve(case_id)
    await desks[1].read(case_id)
    written = logs.getvalue()
    assert written.count("/v1/cases/{case_id}") >= 6
    assert not [figure for figure in ("250117", "250,117", "231999") if figure in written]
