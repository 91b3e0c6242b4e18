"""An issuer's two clerks and the review queue, over HTTP."""

from dataclasses import dataclass
from typing import Any

import httpx2

from service.organizations.clients import create_client
from tests.deployment import Deployment, Member
from tests.issuing_support import add_issuer

INCOME = {
    "income_y1": 250_117,
    "income_y2": "231999.43",
    "joint_y1": None,
    "joint_y2": None,
    "expects_same_current_year": True,
}
REVIEW = {"test": "us.ai.income", "figures": INCOME}
CLAIMS = {"method": "third_party", "steps_completed_on": "2026-11-20"}


@dataclass
class Desk:
    """Calls /v1/cases as one API client of an issuer."""

    deployment: Deployment
    member: Member

    @property
    def client_id(self) -> str:
        return self.member.credentials.client_id

    async def call(self, method: str, path: str, **values: Any) -> httpx2.Response:
        headers = await self.deployment.headers(self.member, "issuer") | values.pop("headers", {})
        return await self.deployment.http.request(method, f"/v1/{path}", headers=headers, **values)

    async def open(self, configuration_id: str = "qualified-investor", subject_ref: str = "investor-1") -> str:
        body = {"credential_configuration_id": configuration_id, "subject_ref": subject_ref}
        answer = await self.call("POST", "cases", json=body)
        assert answer.status_code == 201, answer.text
        case_id: str = answer.json()["id"]
        return case_id

    async def review(self, case_id: str, **changes: Any) -> httpx2.Response:
        return await self.call("POST", f"cases/{case_id}/review", json=REVIEW | changes)

    async def approve(self, case_id: str, **changes: Any) -> httpx2.Response:
        return await self.call("POST", f"cases/{case_id}/approve", json={"claims": CLAIMS} | changes)

    async def decline(self, case_id: str, reason: str = "no documents") -> httpx2.Response:
        return await self.call("POST", f"cases/{case_id}/decline", json={"reason": reason})

    async def read(self, case_id: str) -> dict[str, Any]:
        answer = await self.call("GET", f"cases/{case_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def open_desks(deployment: Deployment, slug: str = "kyc") -> tuple[Desk, Desk]:
    """Return the desks of two API clients of one new issuer."""
    member = await add_issuer(deployment, slug)
    async with deployment.context.database.transaction() as session:
        second = create_client(session, member.organization, name="second", scopes={"issuer"}, now=deployment.clock())
    return Desk(deployment, member), Desk(deployment, Member(member.organization, second))
