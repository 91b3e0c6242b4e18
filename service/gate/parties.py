"""Read what a platform holds about the parties of a transfer, as it stands in this transaction."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.held_credentials import HeldCredential
from service.gate.party_facts import Party
from service.keys import Signer
from service.storage.standings import KnownInvestor, Standing, list_investors, list_standing, read_investor_keys
from service.storage.statuses import StatusQuery, StatusReading, read_credential_statuses
from service.storage.tables import TrustedIssuer
from service.storage.trust import judge_issuer, jurisdiction_of, list_trusted_issuers, normalize_issuer


async def read_parties(
    session: AsyncSession,
    signer: Signer,
    *,
    base_url: str,
    org_id: str,
    refs: Collection[str],
    now: datetime,
    on: date,
) -> dict[str, Party]:
    """Read keys, investors, standings, trust and statuses, with one query for each.

    Args:
        refs: Investors as ``org_id`` knows them; an unknown one is a party of whom nothing is known.
        now: Decides which copies of status lists are still good.
        on: Day on which issuers must be trusted.
    """
    keys = await read_investor_keys(session, signer, org_id, refs)
    investors = await list_investors(session, keys, org_id, refs)
    standing = await list_standing(session, keys, org_id, refs)
    trusted = await list_trusted_issuers(session, org_id)
    queries = {query for rows in standing.values() for row in rows if (query := status_query(row))}
    readings = await read_credential_statuses(session, base_url=base_url, org_id=org_id, queries=queries, now=now)
    return {
        ref: build_party(ref, investors.get(ref), standing[ref], trusted=trusted, readings=readings, on=on)
        for ref in refs
    }


def status_query(row: Standing) -> StatusQuery | None:
    """Return the status entry that a credential names."""
    if row.status_uri is None or row.status_index is None:
        return None
    return StatusQuery(row.issuer, row.status_uri, row.status_index)


def build_party(
    ref: str,
    investor: KnownInvestor | None,
    rows: Sequence[Standing],
    *,
    trusted: Sequence[TrustedIssuer],
    readings: dict[StatusQuery, StatusReading],
    on: date,
) -> Party:
    """Put together what is known of one party; arguments as in ``read_parties``."""
    if investor is None:
        return Party(ref, is_bound=False, frozen=False, screening=None, credentials=())
    holders = {row.holder_thumbprint for row in rows if row.credential_type == "kyc" and _is_bound_to(investor, row)}
    return Party(
        ref,
        is_bound=investor.kyc_issuer is not None,
        subject=_digest_subject(investor),
        key=investor.key,
        frozen=investor.frozen,
        screening=investor.screening,
        credentials=tuple(
            _judge(row, row.holder_thumbprint in holders, trusted=trusted, readings=readings, on=on) for row in rows
        ),
    )


def _digest_subject(investor: KnownInvestor) -> str | None:
    """Return a name that two refs share exactly if they are bound to the same KYC."""
    if investor.kyc_issuer is None or investor.kyc_sub is None:
        return None
    person = f"{normalize_issuer(investor.kyc_issuer)}\0{investor.kyc_sub}"
    return "sha256:" + hashlib.sha256(person.encode()).hexdigest()


def _is_bound_to(investor: KnownInvestor, row: Standing) -> bool:
    return investor.kyc_issuer is not None and normalize_issuer(investor.kyc_issuer) == normalize_issuer(row.issuer)


def _judge(
    row: Standing,
    shares_holder: bool,
    *,
    trusted: Sequence[TrustedIssuer],
    readings: dict[StatusQuery, StatusReading],
    on: date,
) -> HeldCredential:
    verdict = judge_issuer(
        trusted,
        issuer=row.issuer,
        credential_type=row.credential_type,
        jurisdiction=jurisdiction_of(row.credential_type, row.claims),
        attester_class=row.claims.get("attester_class"),
        on=on,
    )
    query = status_query(row)
    return HeldCredential(
        id=row.id,
        type=row.credential_type,
        issuer=row.issuer,
        digest=row.digest,
        claims=row.claims,
        expires_at=row.expires_at,
        not_before=row.not_before,
        distrust=verdict.code,
        trusted_as=verdict.attester_class,
        shares_holder=shares_holder,
        reading=readings[query] if query else None,
        status_uri=row.status_uri,
        status_index=row.status_index,
    )
