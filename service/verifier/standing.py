"""Each investor's standing at a platform: who they are taken for, and what verified presentations prove."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.keys import Signer
from service.storage.core import start_upsert
from service.storage.history import record_investor, record_standing
from service.storage.ids import new_id
from service.storage.personal_data import (
    InvestorContent,
    StandingContent,
    open_investor,
    seal_investor,
    seal_standing,
)
from service.storage.standings import Standing, list_standing
from service.storage.subject_keys import DataKey, ensure_subject_key, name_investor
from service.storage.tables import Investor, PresentationRequest, StandingCredential
from service.storage.trust import normalize_issuer
from service.verifier.verification import Examined, name_of_type

KYC = "kyc"


@dataclass(frozen=True, slots=True)
class LockedInvestor:
    """An investor's row, held until the transaction ends, with the key and what it opens."""

    row: Investor
    key: DataKey
    content: InvestorContent

    def keep(self, session: AsyncSession, content: InvestorContent, now: datetime) -> None:
        """Put new content into the row."""
        self.row.sealed = seal_investor(self.key, self.row.org_id, self.row.ref, content)
        self.row.updated_at = now
        session.add(self.row)


async def lock_investor(session: AsyncSession, signer: Signer, org_id: str, ref: str, now: datetime) -> LockedInvestor:
    """Return the investor, made if need be, locked until the transaction ends."""
    insert = start_upsert(Investor, session.get_bind().dialect.name)
    values = {"org_id": org_id, "ref": ref, "frozen": False, "created_at": now, "updated_at": now}
    await session.exec(insert.values(values).on_conflict_do_nothing())
    row = await session.get_one(Investor, (org_id, ref), with_for_update=True)
    key = await ensure_subject_key(await session.connection(), signer, org_id, name_investor(ref), now)
    return LockedInvestor(row, key, open_investor(key, row))


async def link_investor(
    session: AsyncSession, signer: Signer, org_id: str, ref: str, presented: Sequence[Examined], now: datetime
) -> bool:
    """Tell whether the holder of ``presented`` is the investor, and bind the investor to a KYC shown first.

    1. A KYC that shows its ``sub`` decides: it is the one that the investor is bound to, or the first one.
    2. Whatever else the investor has already shown must then be of the same holder key.
    3. Without such a KYC, the holder key must be one that the investor used with a KYC, or, as long as there is none,
       the one that they used at all.

    Args:
        session: The transaction of the verdict.
        signer: Opens the investor's key.
        org_id: The platform.
        ref: Its name for the investor.
        presented: Verified credentials that share one holder key.
        now: Time of the verdict.
    """
    investor = await lock_investor(session, signer, org_id, ref, now)
    linked = await _link(session, investor, presented, now)
    await record_investor(session, investor.row, now)
    return linked


async def _link(session: AsyncSession, investor: LockedInvestor, presented: Sequence[Examined], now: datetime) -> bool:
    org_id, ref = investor.row.org_id, investor.row.ref
    standing = (await list_standing(session, {ref: investor.key}, org_id, [ref]))[ref]
    holders = {each.holder for each in presented}
    person = _read_person(presented)
    if person is not None and investor.content.kyc_sub is not None:  # (1)
        return person == (investor.row.kyc_issuer, investor.content.kyc_sub)
    if person is not None:
        if not {row.holder_thumbprint for row in standing} <= holders:  # (2)
            return False
        investor.row.kyc_issuer, sub = person
        investor.keep(session, replace(investor.content, kyc_sub=sub), now)
        return True
    known = [row for row in standing if row.credential_type == KYC] or standing  # (3)
    return not known or holders <= {row.holder_thumbprint for row in known}


def _read_person(presented: Sequence[Examined]) -> tuple[str, str] | None:
    for each in presented:
        credential = each.credential
        if credential is not None and each.credential_type == KYC:
            sub = credential.claims.get("sub")
            if isinstance(sub, str):
                return normalize_issuer(credential.issuer), sub
    return None


async def keep_standing(
    session: AsyncSession,
    key: DataKey,
    request: PresentationRequest,
    examined: Examined,
    asked: frozenset[str],
    now: datetime,
) -> None:
    """Keep what a verified credential proves. Shown again, it adds to what it showed before.

    Args:
        session: The transaction of the verdict.
        key: The investor's.
        request: A request with an ``investor_ref``.
        examined: A credential that passed every check.
        asked: Names of the claims to keep.
        now: Time of the verdict.
    """
    credential = examined.credential
    assert credential is not None
    assert credential.expires_at is not None
    assert request.investor_ref is not None
    claims = {name: value for name, value in credential.claims.items() if name in asked}
    content = StandingContent(
        claims=claims,
        digest=credential.digest,
        holder_thumbprint=examined.holder or "",
        status_index=credential.status.index if credential.status else None,
    )
    known = await _find_standing(session, key, request.org_id, request.investor_ref, credential.digest)
    if known is not None:
        row = await session.get_one(StandingCredential, (request.org_id, known.id))
        added = replace(content, claims={**known.claims, **claims})
        row.sealed = seal_standing(key, row.org_id, row.id, added)
        row.request_id, row.presented_at = request.id, now
    else:
        standing_id = new_id("std")
        row = StandingCredential(
            org_id=request.org_id,
            id=standing_id,
            investor_ref=request.investor_ref,
            request_id=request.id,
            credential_type=name_of_type(credential.vct),
            vct=credential.vct,
            issuer=credential.issuer,
            sealed=seal_standing(key, request.org_id, standing_id, content),
            status_uri=credential.status.uri if credential.status else None,
            issued_at=credential.issued_at,
            not_before=credential.not_before,
            expires_at=credential.expires_at,
            presented_at=now,
        )
    session.add(row)
    await record_standing(session, row, now)


async def _find_standing(session: AsyncSession, key: DataKey, org_id: str, ref: str, digest: str) -> Standing | None:
    rows = (await list_standing(session, {ref: key}, org_id, [ref]))[ref]
    return next((row for row in rows if row.digest == digest), None)
