"""Verify documents that the platform already has; nothing is kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.storage.trust import list_trusted_issuers
from service.verifier.checks import CREDENTIAL_CHECKS, PRESENTATION_CHECKS, Checklist
from service.verifier.issuers import KeyFinder
from service.verifier.verification import (
    SD_JWT_VC,
    Examined,
    Expected,
    authenticate_credential,
    judge_credentials,
    refresh_statuses_of,
)
from service.web.context import Context

THUMBPRINT_URN = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"  # RFC 9278


@dataclass(frozen=True, slots=True)
class Verification:
    """A document to verify; ``expected`` for a presentation, None for a bare credential."""

    document: str | dict[str, Any] | None
    expected: Expected | None


async def verify_all(context: Context, org_id: str, verifications: Sequence[Verification]) -> list[dict[str, Any]]:
    """Verify documents by the platform's own list of trusted issuers; answers come in order."""
    now = context.clock()
    async with context.database.reading() as session:
        finder = KeyFinder(context, org_id, await list_trusted_issuers(session, org_id), now)
        await finder.load_own(session, (item.document for item in verifications if isinstance(item.document, str)))
    examined = []
    for item in verifications:
        if isinstance(item.document, str) and "~" in item.document:
            examined.append(await authenticate_credential(finder, item.document, item.expected))
        else:
            examined.append(_refuse_format(item))
        await asyncio.sleep(0)  # a batch must not keep others waiting
    await refresh_statuses_of(finder, examined)
    async with context.database.reading() as session:
        await judge_credentials(session, base_url=context.base_url, org_id=org_id, examined=examined, now=now)
    return [_describe(item) for item in examined]


def _refuse_format(item: Verification) -> Examined:
    checklist = Checklist(CREDENTIAL_CHECKS if item.expected is None else PRESENTATION_CHECKS)
    checklist.mark_failed("format", "unsupported_format", "Only SD-JWT VCs (dc+sd-jwt) can be verified.")
    return Examined(checklist)


def _describe(examined: Examined) -> dict[str, Any]:
    credential = examined.credential
    outcome = examined.checklist.outcome
    is_sd_jwt = next(iter(examined.checklist)).outcome == "pass"
    return {
        "valid": outcome == "verified",
        "outcome": outcome,
        "format": SD_JWT_VC if is_sd_jwt else None,
        "issuer": examined.issuer,
        "holder": None if examined.holder is None else THUMBPRINT_URN + examined.holder,
        "claims": {} if credential is None else dict(credential.claims),
        "status": examined.status,
        "checks": [check.to_json() for check in examined.checklist],
    }
