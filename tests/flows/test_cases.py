"""The review queue from figures to credential, on both kinds of database."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlmodel import SQLModel, col, select

from service.credentials.jose import load_key
from service.credentials.sd_jwt import verify_sd_jwt_vc
from service.rules import RULES_VERSION
from service.storage.tables import AuditEntry, CredentialOffer, IdempotencyRecord, ReviewCase
from tests.case_support import CLAIMS, INCOME, REVIEW, Desk, open_desks
from tests.deployment import Deployment
from tests.issuing_support import Wallet, issuer_path
from tests.prepared import prepared

FIGURES = ("250117", "250,117", "231999.43", "231,999.43")


@prepared
async def desks(deployment: Deployment) -> tuple[Desk, Desk]:
    return await open_desks(deployment)


async def read_claims(desk: Desk, made: dict[str, Any]) -> Mapping[str, Any]:
    """Redeem an offer and return every claim of the credential."""
    answer = await Wallet(desk.deployment, desk.member).redeem(made)
    assert answer.status_code == 200, answer.text
    metadata = await desk.deployment.http.get(f"/.well-known/jwt-vc-issuer{issuer_path(desk.member)}")
    key = load_key(metadata.json()["jwks"]["keys"][0])
    return verify_sd_jwt_vc(answer.json()["credentials"][0]["credential"], key, now=desk.deployment.clock()).claims


async def dump(deployment: Deployment) -> str:
    """Return every value of every row as text."""
    values: list[str] = []
    async with deployment.context.database.reading() as session:
        connection = await session.connection()
        for table in SQLModel.metadata.sorted_tables:
            rows = await connection.execute(text(f'SELECT * FROM "{table.name}"'))
            values += [
                value.decode("latin-1") if isinstance(value, bytes) else str(value) for row in rows for value in row
            ]
    return "\n".join(values)


async def test_from_figures_to_a_credential_without_them(deployment: Deployment, desks: tuple[Desk, Desk]) -> None:
    reviewer, approver = desks
    case_id = await reviewer.open()
    reviewed = await reviewer.review(case_id)
    assert reviewed.status_code == 200, reviewed.text
    assert reviewed.json()["review"]["explanation"][1] == "Own income of y1: 250,117 > 200,000 holds"
    approved = await approver.approve(case_id)
    assert approved.status_code == 201, approved.text
    claims = await read_claims(reviewer, approved.json()["offer"])
    expected = {"jurisdiction": "US", "category": "us.ai.income", "rules_version": RULES_VERSION, **CLAIMS}
    assert expected.items() <= claims.items()
    case = await approver.read(case_id)
    assert (case["state"], case["offer_id"]) == ("approved", approved.json()["offer"]["id"])
    assert (case["reviewed_by"], case["decided_by"]) == (reviewer.client_id, approver.client_id)
    for place in (str(claims), await dump(deployment)):
        assert "us.ai.income" in place
        assert not [figure for figure in FIGURES if figure in place]


async def test_figures_cannot_be_guessed_from_the_digest_of_a_request(
    deployment: Deployment, desks: tuple[Desk, Desk]
) -> None:
    path, headers = f"cases/{await desks[0].open()}/review", {"Idempotency-Key": "once"}
    answers = [await desks[0].call("POST", path, json=REVIEW, headers=headers) for _ in range(2)]
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    canonical = json.dumps(["POST", f"/v1/{path}", REVIEW], sort_keys=True, separators=(",", ":"))
    async with deployment.context.database.reading() as session:
        kept = (await session.exec(select(IdempotencyRecord))).one()
    assert kept.request_sha256 != hashlib.sha256(canonical.encode()).hexdigest()


async def test_the_reason_of_a_refusal_is_sealed_too(deployment: Deployment, desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    answer = await desks[0].decline(case_id, "Canaryname sent nothing")
    assert (answer.status_code, answer.json()["state"]) == (200, "declined")
    assert (await desks[1].read(case_id))["reason"] == "Canaryname sent nothing"
    assert "Canaryname" not in await dump(deployment)


async def test_every_step_is_in_the_audit_record(deployment: Deployment, desks: tuple[Desk, Desk]) -> None:
    first, second = [await desks[0].open() for _ in range(2)]
    await desks[0].review(first)
    offer_id = (await desks[1].approve(first)).json()["offer"]["id"]
    await desks[1].decline(second)
    async with deployment.context.database.reading() as session:
        query = select(AuditEntry).where(col(AuditEntry.kind).startswith("case.")).order_by(col(AuditEntry.id))
        entries = (await session.exec(query)).all()
    about = {"credential_configuration_id": "qualified-investor"}
    opener, approver = ({"client_id": desk.client_id, **about} for desk in desks)
    reviewed = {"as_of": "2026-11-23", "passed": True, "rule": "us.ai.income", "rules_version": RULES_VERSION}
    assert [(entry.subject_id, entry.kind, json.loads(entry.record)) for entry in entries] == [
        (first, "case.opened", {**opener, "subject_ref": "investor-1"}),
        (second, "case.opened", {**opener, "subject_ref": "investor-1"}),
        (first, "case.reviewed", {**opener, **reviewed}),
        (first, "case.approved", {**approver, "evidence": [], "offer_id": offer_id}),
        (second, "case.declined", approver),
    ]


async def test_two_approvals_at_once_make_one_offer(deployment: Deployment, desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    answers = await asyncio.gather(*(desks[1].approve(case_id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    async with deployment.context.database.reading() as session:
        assert len((await session.exec(select(CredentialOffer))).all()) == 1


async def test_a_refused_approval_leaves_the_case_as_it_was(deployment: Deployment, desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].review(case_id)
    refused = await desks[1].approve(case_id, claims=CLAIMS | {"steps_completed_on": "2027-01-01"})
    assert (refused.status_code, refused.json()["code"]) == (422, "claims_invalid")
    assert (await desks[1].read(case_id))["state"] == "reviewed"
    assert (await desks[1].approve(case_id)).status_code == 201


async def test_a_review_does_not_open_in_another_case(deployment: Deployment, desks: tuple[Desk, Desk]) -> None:
    first, second = [await desks[0].open() for _ in range(2)]
    await desks[0].review(first)
    async with deployment.context.database.transaction() as session:
        rows = {row.id: row for row in (await session.exec(select(ReviewCase))).all()}
        rows[second].sealed_review = rows[first].sealed_review
        session.add(rows[second])
    answer = await desks[0].call("GET", f"cases/{second}")
    assert (answer.status_code, answer.json()["code"]) == (500, "keystore_unusable")


async def test_figures_that_passed_under_older_law_only_are_not_approved(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    figures = {
        "total_assets": 1_500_000,
        "residence_fmv": 900_000,
        "residence_debt": 0,
        "other_liabilities": 0,
    }
    reviewed = await desks[0].review(case_id, test="us.ai.net_worth", figures=figures, as_of="2010-07-20")
    assert reviewed.json()["passed"] is True
    refused = await desks[1].approve(case_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "case_not_passed")


async def test_an_investment_limit_states_the_amount_that_the_investor_chose(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open("investment-limit")
    body = {"limit": "us.reg_cf", "figures": {"annual_income": 110_000, "net_worth": 110_000}}
    too_high = await desks[0].call("POST", f"cases/{case_id}/review", json=body | {"limit_at_least": "5500.01"})
    assert (too_high.status_code, too_high.json()["code"]) == (422, "limit_above_computed")
    answer = await desks[0].call("POST", f"cases/{case_id}/review", json=body | {"limit_at_least": "5500.00"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["review"]["computed_limit"] == "5500.00"
    approved = await desks[1].approve(case_id, claims={})
    assert approved.status_code == 201, approved.text
    claims = await read_claims(desks[0], approved.json()["offer"])
    stated = {"regime": "us.reg_cf", "limit_at_least": "5500.00", "currency": "USD", "as_of": "2026-11-23"}
    assert stated.items() <= claims.items()


async def test_an_amount_that_older_law_allowed_is_not_approved(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open("investment-limit")
    figures = {"annual_income": 110_000, "net_worth": 110_000}
    body = {"limit": "us.reg_cf", "figures": figures, "limit_at_least": "11000", "as_of": "2022-06-01"}
    reviewed = await desks[0].call("POST", f"cases/{case_id}/review", json=body)
    assert reviewed.json()["review"]["computed_limit"] == "11000.0"
    refused = await desks[1].approve(case_id, claims={})
    assert (refused.status_code, refused.json()["code"]) == (409, "case_not_passed")


async def test_who_has_no_limit_may_choose_any_amount(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open("investment-limit")
    body = {"limit": "us.reg_cf", "figures": {"accredited": True}, "limit_at_least": "1000000"}
    answer = await desks[0].call("POST", f"cases/{case_id}/review", json=body)
    assert answer.json()["review"]["computed_limit"] is None
    assert (await desks[1].approve(case_id, claims={})).status_code == 201


def test_the_figures_here_are_those_that_are_looked_for() -> None:
    assert f"{INCOME['income_y1']}" == FIGURES[0]
    assert INCOME["income_y2"] == FIGURES[2]
