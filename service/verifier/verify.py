"""Verify documents that the platform already has; nothing is kept."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from service.credentials.credential import Expected
from service.verifier.checks import Check, summarize
from service.verifier.issuers import KeyFinder
from service.verifier.known import Known, read_known
from service.verifier.verification import (
    Examined,
    authenticate_document,
    judge_by,
    judge_credentials,
    queries_of,
    refresh_statuses_of,
    try_to_read,
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
    documents = [try_to_read(item.document) for item in verifications]
    readable = [each for read in documents if not isinstance(read, str | dict) for each in read]
    known = await read_known(context, org_id, readable, now)
    finder = KeyFinder(context, org_id, known.trusted, now, known.keys)
    examined = []
    for document, item in zip(documents, verifications, strict=True):
        examined.append(await authenticate_document(finder, document, item.expected))
        if len(verifications) > 1:
            await asyncio.sleep(0)  # a batch must not keep others waiting
    await _judge(context, finder, known, [each for group in examined for each in group])
    return [_describe_all(group) for group in examined]


async def _judge(context: Context, finder: KeyFinder, known: Known, examined: Sequence[Examined]) -> None:
    # What was read before others were asked may be older than a change that was answered since.
    if not finder.went_abroad and known.queries >= queries_of(examined):
        judge_by(known.trusted, partial(known.statuses.read, finder.org_id), examined, finder.now)
        return
    await refresh_statuses_of(finder, examined)
    async with context.database.reading() as session:
        await judge_credentials(
            await session.connection(),
            base_url=context.base_url,
            org_id=finder.org_id,
            examined=examined,
            now=finder.now,
        )


def _describe_all(group: Sequence[Examined]) -> dict[str, Any]:
    """Describe a document; of a presentation of several credentials only what they have in common, then each."""
    described = [_describe(each) for each in group]
    if len(described) == 1:
        return described[0]
    outcome = summarize(check for each in group for check in each.checklist)
    shared = {name: described[0][name] for name in ("format", "issuer", "holder", "status")}
    return {
        "valid": outcome == "verified",
        "outcome": outcome,
        **{name: value if all(each[name] == value for each in described) else None for name, value in shared.items()},
        "claims": {},
        "checks": [_find_worst(name, group).to_json() for name in dict.fromkeys(_list_names(group))],
        "credentials": described,
    }


def _list_names(group: Sequence[Examined]) -> list[str]:
    return [check.check for each in group for check in each.checklist]


def _find_worst(name: str, group: Sequence[Examined]) -> Check:
    found = [check for each in group for check in each.checklist if check.check == name]
    return min(found, key=lambda check: ("fail", "undetermined", "pass").index(check.outcome))


def _describe(examined: Examined) -> dict[str, Any]:
    credential = examined.credential
    outcome = examined.checklist.outcome
    is_readable = next(iter(examined.checklist)).outcome == "pass"
    return {
        "valid": outcome == "verified",
        "outcome": outcome,
        "format": examined.format if is_readable else None,
        "issuer": examined.issuer,
        "holder": _name_holder(examined),
        "claims": {} if credential is None else dict(credential.claims),
        "status": examined.status,
        **({"status_messages": [asdict(each) for each in examined.messages]} if examined.messages else {}),
        "checks": [check.to_json() for check in examined.checklist],
    }


def _name_holder(examined: Examined) -> str | None:
    if examined.credential is not None and examined.credential.subject_id is not None:
        return examined.credential.subject_id
    thumbprint = examined.holder
    return None if thumbprint is None else THUMBPRINT_URN + thumbprint
