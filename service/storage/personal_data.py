"""What a platform keeps of an investor, sealed under the investor's key and opened. Pure, but for the one read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from service.storage.subject_keys import DataKey, KeyWrapper, name_investor, read_subject_keys


class SealedStanding(Protocol):
    """A row of ``standing_credential``, through the ORM or not."""

    @property
    def org_id(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def investor_ref(self) -> str: ...
    @property
    def sealed(self) -> bytes: ...


class SealedInvestor(Protocol):
    """A row of ``investor``, through the ORM or not."""

    @property
    def org_id(self) -> str: ...
    @property
    def ref(self) -> str: ...
    @property
    def sealed(self) -> bytes | None: ...


class SealedPresented(Protocol):
    """A row of ``presentation_request``."""

    @property
    def org_id(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def sealed_answer(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class StandingContent:
    """What a presented credential says, and what would lead from it to the holder.

    Attributes:
        digest: Of the credential, as ``VerifiedCredential.digest``.
        holder_thumbprint: RFC 7638 thumbprint of the holder's key.
        status_index: Place in the list at ``status_uri``; None if it names none.
        further_statuses: Lists and places of the entries beyond that one, which count as much.
    """

    claims: Mapping[str, Any]
    digest: str
    holder_thumbprint: str
    status_index: int | None
    further_statuses: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class InvestorContent:
    """What only the platform and the investor's KYC issuer know.

    Attributes:
        screening: The platform's own: ``result``, ``screened_at``, ``lists``; None if it made none.
        kyc_sub: ``sub`` of the KYC that the investor is bound to; None while unbound.
        matched_at: When the platform last kept a screening that was not clear; None if never.
    """

    screening: Mapping[str, Any] | None = None
    kyc_sub: str | None = None
    matched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PresentedContent:
    """What came back for a presentation request: credentials as its platform sees them, and every check."""

    credentials: Sequence[Mapping[str, Any]] = ()
    checks: Sequence[Mapping[str, Any]] = ()


def seal_standing(key: DataKey, org_id: str, standing_id: str, content: StandingContent) -> bytes:
    """Seal for the row of this id."""
    members: dict[str, Any] = {
        "claims": content.claims,
        "digest": content.digest,
        "holder": content.holder_thumbprint,
        "index": content.status_index,
    }
    if content.further_statuses:
        members["further"] = content.further_statuses
    return key.seal(_write(members), context=_standing_context(org_id, standing_id))


def open_standing(key: DataKey, row: SealedStanding) -> StandingContent:
    """Open what ``seal_standing`` made for this row.

    Raises:
        KeystoreError: Altered, or another row's.
    """
    members = json.loads(key.unseal(row.sealed, context=_standing_context(row.org_id, row.id)))
    further = [(uri, index) for uri, index in members.get("further", ())]
    return StandingContent(members["claims"], members["digest"], members["holder"], members["index"], further)


async def open_standing_claims(
    connection: AsyncConnection, wrapper: KeyWrapper, org_id: str, rows: Sequence[SealedStanding]
) -> dict[str, StandingContent]:
    """Open many rows with one query for all their keys.

    Returns:
        Row id to content; a row whose key was destroyed is left out.

    Raises:
        KeystoreError: A row or a key was altered.
    """
    subjects = {name_investor(row.investor_ref) for row in rows}
    keys = await read_subject_keys(connection, wrapper, org_id, subjects)
    return {row.id: open_standing(key, row) for row in rows if (key := keys.get(name_investor(row.investor_ref)))}


def seal_investor(key: DataKey, org_id: str, ref: str, content: InvestorContent) -> bytes:
    """Seal for the row of this investor."""
    matched_at = content.matched_at.isoformat() if content.matched_at else None
    members = {"screening": content.screening, "kyc_sub": content.kyc_sub, "matched_at": matched_at}
    return key.seal(_write(members), context=_investor_context(org_id, ref))


def open_investor(key: DataKey | None, row: SealedInvestor) -> InvestorContent:
    """Open what ``seal_investor`` made for this row; nothing is known where there is no key any more.

    Raises:
        KeystoreError: Altered, or another row's.
    """
    if key is None or row.sealed is None:
        return InvestorContent()
    members = json.loads(key.unseal(row.sealed, context=_investor_context(row.org_id, row.ref)))
    matched_at = members["matched_at"]
    return InvestorContent(
        members["screening"], members["kyc_sub"], datetime.fromisoformat(matched_at) if matched_at else None
    )


def seal_presented(key: DataKey, org_id: str, request_id: str, content: PresentedContent) -> bytes:
    """Seal for the row of this request."""
    members = {"credentials": list(content.credentials), "checks": list(content.checks)}
    return key.seal(_write(members), context=_presented_context(org_id, request_id))


def open_presented(key: DataKey | None, row: SealedPresented) -> PresentedContent:
    """Open what ``seal_presented`` made for this row; empty before the answer, and after the key was destroyed.

    Raises:
        KeystoreError: Altered, or another row's.
    """
    if key is None or row.sealed_answer is None:
        return PresentedContent()
    members = json.loads(key.unseal(row.sealed_answer, context=_presented_context(row.org_id, row.id)))
    return PresentedContent(members["credentials"], members["checks"])


def _presented_context(org_id: str, request_id: str) -> str:
    return f"presentation {org_id} {request_id}"


def _standing_context(org_id: str, standing_id: str) -> str:
    return f"standing {org_id} {standing_id}"


def _investor_context(org_id: str, ref: str) -> str:
    return f"investor {org_id} {ref}"


def _write(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
