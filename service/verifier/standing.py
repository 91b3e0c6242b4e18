"""Each investor's standing at a platform: who they are taken for, and what verified presentations prove."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.storage.ids import new_id
from service.storage.standings import list_standing
from service.storage.tables import Investor, PresentationRequest, StandingCredential
from service.storage.trust import normalize_issuer
from service.verifier.verification import Examined, name_of_type

KYC = "kyc"


async def lock_investor(session: AsyncSession, org_id: str, ref: str, now: datetime) -> Investor:
    """Return the investor's row, made if need be, locked until the transaction ends."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = {"org_id": org_id, "ref": ref, "frozen": False, "created_at": now, "updated_at": now}
    await session.exec(insert(Investor).values(values).on_conflict_do_nothing())
    return await session.get_one(Investor, (org_id, ref), with_for_update=True)


async def link_investor(
    session: AsyncSession, org_id: str, ref: str, presented: Sequence[Examined], now: datetime
) -> bool:
    """Tell whether the holder of ``presented`` is the investor, and bind the investor to a KYC shown first.

    1. A KYC that shows its ``sub`` decides: it is the one that the investor is bound to, or the first one.
    2. Whatever else the investor has already shown must then be of the same holder key.
    3. Without such a KYC, the holder key must be one that the investor used with a KYC, or, as long as there is none,
       the one that they used at all.

    Args:
        session: The transaction of the verdict.
        org_id: The platform.
        ref: Its name for the investor.
        presented: Verified credentials that share one holder key.
        now: Time of the verdict.
    """
    investor = await lock_investor(session, org_id, ref, now)
    standing = (await list_standing(session, org_id, [ref]))[ref]
    holders = {each.holder for each in presented}
    person = _read_person(presented)
    if person is not None and investor.kyc_sub is not None:  # (1)
        return person == (investor.kyc_issuer, investor.kyc_sub)
    if person is not None:
        if not {row.holder_thumbprint for row in standing} <= holders:  # (2)
            return False
        investor.kyc_issuer, investor.kyc_sub = person
        investor.updated_at = now
        session.add(investor)
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
    session: AsyncSession, request: PresentationRequest, examined: Examined, asked: frozenset[str], now: datetime
) -> None:
    """Keep what a verified credential proves. Shown again, it adds to what it showed before.

    Args:
        session: The transaction of the verdict.
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
    known = await _find_standing(session, request.org_id, request.investor_ref, credential.digest)
    if known is not None:
        known.claims = {**known.claims, **claims}
        known.request_id, known.presented_at = request.id, now
        session.add(known)
        return
    session.add(
        StandingCredential(
            org_id=request.org_id,
            id=new_id("std"),
            investor_ref=request.investor_ref,
            request_id=request.id,
            credential_type=name_of_type(credential.vct),
            vct=credential.vct,
            issuer=credential.issuer,
            digest=credential.digest,
            holder_thumbprint=examined.holder or "",
            claims=claims,
            status_uri=credential.status.uri if credential.status else None,
            status_index=credential.status.index if credential.status else None,
            issued_at=credential.issued_at,
            not_before=credential.not_before,
            expires_at=credential.expires_at,
            presented_at=now,
        )
    )


async def _find_standing(session: AsyncSession, org_id: str, ref: str, digest: str) -> StandingCredential | None:
    query = select(StandingCredential).where(
        StandingCredential.org_id == org_id,
        StandingCredential.investor_ref == ref,
        StandingCredential.digest == digest,
    )
    return (await session.exec(query)).first()
