"""Each investor's standing at a platform: who they are taken for, and what verified presentations prove."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.keys import Signer
from service.storage.core import plan_inserts, plan_upserts, read_values, update_rows
from service.storage.due_events import plan_due_events, plan_standing_expiry
from service.storage.history import record_investor, record_standing
from service.storage.ids import new_id
from service.storage.personal_data import (
    InvestorContent,
    StandingContent,
    open_investor,
    seal_investor,
    seal_standing,
)
from service.storage.prepared import execute_together
from service.storage.rows import find_row, find_rows, get_row, insert_new_rows
from service.storage.standings import InvestorRow, Standing, StandingRow, know_standing
from service.storage.subject_keys import DataKey, ensure_subject_key, name_investor
from service.storage.tables import Investor, StandingCredential, StandingStatusList
from service.storage.trust import normalize_issuer
from service.verifier.request_rows import KeptRequest
from service.verifier.verification import Examined, name_of_type

KYC = "kyc"


@dataclass(frozen=True, slots=True)
class LockedInvestor:
    """An investor's row, held until the transaction ends, with the key and what it opens."""

    row: InvestorRow
    key: DataKey
    content: InvestorContent

    async def keep(
        self, connection: AsyncConnection, content: InvestorContent, now: datetime, **changes: Any
    ) -> "LockedInvestor":
        """Put new content into the row, and what else changes; returns the investor as it is then."""
        sealed = seal_investor(self.key, self.row.org_id, self.row.ref, content)
        changes |= {"sealed": sealed, "updated_at": now}
        await update_rows(connection, Investor, [{"org_id": self.row.org_id, "ref": self.row.ref, **changes}])
        return LockedInvestor(replace(self.row, **changes), self.key, content)


async def lock_investor(
    connection: AsyncConnection, signer: Signer, org_id: str, ref: str, now: datetime
) -> LockedInvestor:
    """Return the investor, made if need be, locked until the transaction ends."""
    key = {"org_id": org_id, "ref": ref}
    row = await find_row(connection, InvestorRow, Investor, key, lock=True)
    if row is None:
        made = {**key, "frozen": False, "created_at": now, "updated_at": now}
        await insert_new_rows(connection, Investor, [made])
        row = await get_row(connection, InvestorRow, Investor, key, lock=True)  # another request may have been first
    opened = await ensure_subject_key(connection, signer, org_id, name_investor(ref), now)
    return LockedInvestor(row, opened, open_investor(opened, row))


async def list_shown(connection: AsyncConnection, investor: LockedInvestor) -> dict[str, Standing]:
    """Return what the investor has shown, by digest."""
    key = {"org_id": investor.row.org_id, "investor_ref": investor.row.ref}
    rows = await find_rows(connection, StandingRow, StandingCredential, key)
    return {known.digest: known for known in (know_standing(row, investor.key) for row in rows)}


async def link_investor(
    connection: AsyncConnection,
    investor: LockedInvestor,
    shown: Sequence[Standing],
    presented: Sequence[Examined],
    now: datetime,
) -> bool:
    """Tell whether the holder of ``presented`` is the investor, and bind the investor to a KYC shown first.

    1. A KYC that shows its ``sub`` decides: it is the one that the investor is bound to, or the first one.
    2. Whatever else the investor has already shown must then be of the same holder key.
    3. Without such a KYC, the holder key must be one that the investor used with a KYC, or, as long as there is none,
       the one that they used at all.

    Args:
        connection: The transaction of the verdict.
        investor: Locked.
        shown: From ``list_shown``.
        presented: Verified credentials that share one holder key.
        now: Time of the verdict.
    """
    linked, bound = await _link(connection, investor, shown, presented, now)
    await record_investor(connection, bound.row, now)
    return linked


async def _link(
    connection: AsyncConnection,
    investor: LockedInvestor,
    shown: Sequence[Standing],
    presented: Sequence[Examined],
    now: datetime,
) -> tuple[bool, LockedInvestor]:
    holders = {each.holder for each in presented}
    person = _read_person(presented)
    if person is not None and investor.content.kyc_sub is not None:  # (1)
        return person == (investor.row.kyc_issuer, investor.content.kyc_sub), investor
    if person is not None:
        if not {row.holder_thumbprint for row in shown} <= holders:  # (2)
            return False, investor
        issuer, sub = person
        return True, await investor.keep(connection, replace(investor.content, kyc_sub=sub), now, kyc_issuer=issuer)
    known = [row for row in shown if row.credential_type == KYC] or shown  # (3)
    return not known or holders <= {row.holder_thumbprint for row in known}, investor


def _read_person(presented: Sequence[Examined]) -> tuple[str, str] | None:
    for each in presented:
        credential = each.credential
        if credential is not None and each.credential_type == KYC:
            sub = credential.claims.get("sub")
            if isinstance(sub, str):
                return normalize_issuer(credential.issuer), sub
    return None


async def keep_standing(
    connection: AsyncConnection,
    key: DataKey,
    request: KeptRequest,
    examined: Examined,
    asked: frozenset[str],
    shown: dict[str, Standing],
    now: datetime,
) -> None:
    """Keep what a verified credential proves. Shown again, it adds to what it showed before.

    Args:
        connection: The transaction of the verdict.
        key: The investor's.
        request: A request with an ``investor_ref``.
        examined: A credential that passed every check.
        asked: Names of the claims to keep.
        shown: What the investor had shown before, from ``list_shown``; this is added.
        now: Time of the verdict.
    """
    credential = examined.credential
    assert credential is not None
    assert credential.expires_at is not None
    assert request.investor_ref is not None
    known = shown.get(credential.digest)
    first, further = next(iter(credential.statuses), None), credential.statuses[1:]
    claims = {name: value for name, value in credential.claims.items() if name in asked}
    content = StandingContent(
        claims=claims if known is None else {**known.claims, **claims},
        digest=credential.digest,
        holder_thumbprint=examined.holder or "",
        status_index=first.index if first else None,
        further_statuses=[(each.uri, each.index) for each in further],
    )
    standing_id = new_id("std") if known is None else known.id
    row = StandingRow(
        org_id=request.org_id,
        id=standing_id,
        investor_ref=request.investor_ref,
        request_id=request.id,
        credential_type=name_of_type(credential.vct),
        vct=credential.vct,
        issuer=credential.issuer,
        sealed=seal_standing(key, request.org_id, standing_id, content),
        status_uri=first.uri if first else None,
        issued_at=credential.issued_at,
        not_before=credential.not_before,
        expires_at=credential.expires_at,
        presented_at=now,
    )
    # What is signed does not change; the digest is of it.
    ahead = plan_standing_expiry(
        org_id=row.org_id,
        standing_id=row.id,
        investor_ref=row.investor_ref,
        credential_type=row.credential_type,
        expires_at=row.expires_at,
    )
    changes = [
        plan_upserts(StandingCredential, [read_values(row)], connection.dialect.name),
        plan_due_events(ahead, connection.dialect.name),
    ]
    others = {each.uri for each in further} - {row.status_uri}
    if known is None and others:
        place = {"org_id": row.org_id, "standing_id": row.id}
        changes.append(plan_inserts(StandingStatusList, [{**place, "uri": uri} for uri in sorted(others)]))
    await execute_together(connection, changes)
    await record_standing(connection, row, now)
    shown[credential.digest] = know_standing(row, key)
