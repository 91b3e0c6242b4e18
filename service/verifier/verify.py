"""Verify documents that the platform already has; nothing is kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.credentials.credential import Expected
from service.credentials.formats import UnverifiedDocument, read_document
from service.errors import MalformedError, VerificationError
from service.verifier.issuers import KeyFinder
from service.verifier.known import Known, read_known
from service.verifier.verification import (
    Examined,
    authenticate_document,
    judge_by,
    judge_credentials,
    queries_of,
    refresh_statuses_of,
)
from service.web.context import Context

THUMBPRINT_URN = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"  # RFC 9278


@dataclass(frozen=True, slots=True)
class Verification:
    """A document to verify; ``expected`` for a presentation, None for a bare credential."""

    document: str | dict[str, Any]
    expected: Expected | None


async def verify_all(context: Context, org_id: str, verifications: Sequence[Verification]) -> list[dict[str, Any]]:
    """Verify documents by the platform's own list of trusted issuers; answers come in order."""
    now = context.clock()
    documents = [_read(item.document) for item in verifications]
    readable = [each for read in documents if isinstance(read, list) for each in read]
    known = await read_known(context, org_id, readable, now)
    finder = KeyFinder(context, org_id, known.trusted, now, known.keys)
    examined = []
    for document, item in zip(documents, verifications, strict=True):
        examined.append(await authenticate_document(finder, document, item.expected))
        if len(verifications) > 1:
            await asyncio.sleep(0)  # a batch must not keep others waiting
    await _judge(context, finder, known, [each for group in examined for each in group])
    return [_describe(each) for (each,) in examined]


def _read(document: str | dict[str, Any]) -> list[UnverifiedDocument] | str | dict[str, Any]:
    """Read a document; one that cannot be read stays as it is."""
    try:
        return read_document(document)
    except (VerificationError, MalformedError):
        return document


async def _judge(context: Context, finder: KeyFinder, known: Known, examined: Sequence[Examined]) -> None:
    # What was read before others were asked may be older than a change that was answered since.
    if not finder.went_abroad and known.queries >= queries_of(examined):
        judge_by(known.trusted, partial(known.statuses.read, finder.org_id), examined, finder.now)
        return
    await refresh_statuses_of(finder, examined)
    async with context.database.reading() as session:
        await judge_credentials(
            session, base_url=context.base_url, org_id=finder.org_id, examined=examined, now=finder.now
        )


def _describe(examined: Examined) -> dict[str, Any]:
    credential = examined.credential
    outcome, holder = examined.checklist.outcome, examined.holder
    is_readable = next(iter(examined.checklist)).outcome == "pass"
    return {
        "valid": outcome == "verified",
        "outcome": outcome,
        "format": examined.format if is_readable else None,
        "issuer": examined.issuer,
        "holder": None if holder is None else THUMBPRINT_URN + holder,
        "claims": {} if credential is None else dict(credential.claims),
        "status": examined.status,
        "checks": [check.to_json() for check in examined.checklist],
    }
