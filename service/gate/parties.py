"""Read what platforms hold about the parties of requests, for many requests at once."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from service.gate.held_credentials import HeldCredential
from service.gate.party_facts import Party
from service.keys import Signer
from service.storage.standings import InvestorKey, KnownInvestor, Standing, read_known
from service.storage.statuses import StatusQuery, StatusReading, StatusSource, choose_reading, open_statuses
from service.storage.trust import (
    TrustedIssuerRow,
    TrustEntry,
    judge_issuer,
    jurisdiction_of,
    normalize_issuer,
    read_trusted_issuers,
)


class PartySource(Protocol):
    """Where parties are described from: what is known now, or was at an instant."""

    def describe(self, key: InvestorKey, *, now: datetime, on: date) -> Party:
        """Return a party that was asked for; of an unknown one nothing is known.

        Args:
            now: Decides which copies of status lists are still good.
            on: Day on which issuers must be trusted.
        """

    def list_trust_ends(self, org_id: str, issuers: Collection[str]) -> list[date]:
        """Return the last days on which an organisation trusts some of these issuers, in their normal form."""


@dataclass(frozen=True, slots=True)
class PartyRecords:
    """Investors, standings, trust and statuses as one transaction finds them."""

    investors: Mapping[InvestorKey, KnownInvestor]
    standings: Mapping[InvestorKey, Sequence[Standing]]
    trusted: Mapping[str, Sequence[TrustedIssuerRow]]
    statuses: StatusSource

    def describe(self, key: InvestorKey, *, now: datetime, on: date) -> Party:
        """See ``PartySource``."""
        rows = self.standings[key]
        readings = {query: self.statuses.read(key[0], query, now) for row in rows for query in row.statuses}
        trusted = self.trusted[key[0]]
        return build_party(key[1], self.investors.get(key), rows, trusted=trusted, readings=readings, on=on)

    def list_trust_ends(self, org_id: str, issuers: Collection[str]) -> list[date]:
        """See ``PartySource``."""
        entries = [each for each in self.trusted[org_id] if normalize_issuer(each.issuer) in issuers]
        return [each.valid_until for each in entries if each.valid_until is not None]


@dataclass(slots=True)
class TrustCache:
    """Trust lists that were read before, by organisation: a version of a list never changes."""

    lists: dict[str, tuple[int, Sequence[TrustedIssuerRow]]] = field(default_factory=dict)

    async def read(
        self, connection: AsyncConnection, versions: Mapping[str, int]
    ) -> dict[str, Sequence[TrustedIssuerRow]]:
        """Return the lists of organisations whose lists have these versions now."""
        stale = [org_id for org_id, version in versions.items() if self.lists.get(org_id, (None,))[0] != version]
        if stale:
            found = await read_trusted_issuers(connection, stale)
            self.lists |= {org_id: (versions[org_id], rows) for org_id, rows in found.items()}
        return {org_id: self.lists[org_id][1] for org_id in versions}


async def read_statuses_of(
    connection: AsyncConnection, base_url: str, standings: Mapping[InvestorKey, Sequence[Standing]]
) -> StatusSource:
    """Read the status entries that credentials of some investors name."""
    queries: dict[str, set[StatusQuery]] = {org_id: set() for org_id, _ in standings}
    for (org_id, _), rows in standings.items():
        queries[org_id] |= {query for row in rows for query in row.statuses}
    return await open_statuses(connection, base_url, queries)


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
    """Read some investors of one platform; arguments as in ``PartyRecords.describe``."""
    keys = [(org_id, ref) for ref in refs]
    connection = await session.connection()
    trusted = await read_trusted_issuers(connection, [org_id])
    investors, standings = await read_known(connection, signer, keys)
    statuses = await read_statuses_of(connection, base_url, standings)
    records = PartyRecords(investors, standings, trusted, statuses)
    return {key[1]: records.describe(key, now=now, on=on) for key in keys}


def build_party(
    ref: str,
    investor: KnownInvestor | None,
    rows: Sequence[Standing],
    *,
    trusted: Sequence[TrustEntry],
    readings: Mapping[StatusQuery, StatusReading],
    on: date,
) -> Party:
    """Put together what is known of one party; of an unknown one nothing is.

    Args:
        on: Day on which issuers must be trusted.
    """
    if investor is None:
        return Party(ref, is_bound=False, frozen=False, screening=None, credentials=())
    holders = {row.holder_thumbprint for row in rows if row.credential_type == "kyc" and _is_bound_to(investor, row)}
    return Party(
        ref,
        is_bound=investor.kyc_issuer is not None,
        subject=digest_subject(investor),
        key=investor.key,
        frozen=investor.frozen,
        screening=investor.screening,
        credentials=tuple(
            _judge(row, row.holder_thumbprint in holders, trusted=trusted, readings=readings, on=on) for row in rows
        ),
    )


def _judge(
    row: Standing,
    shares_holder: bool,
    *,
    trusted: Sequence[TrustEntry],
    readings: Mapping[StatusQuery, StatusReading],
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
    said = [readings[query] for query in row.statuses]
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
        reading=choose_reading(said) if said else None,
        statuses=row.statuses,
    )


def digest_subject(investor: KnownInvestor) -> str | None:
    """Return a name that two refs share exactly if they are bound to the same KYC."""
    if investor.kyc_issuer is None or investor.kyc_sub is None:
        return None
    person = f"{normalize_issuer(investor.kyc_issuer)}\0{investor.kyc_sub}"
    return "sha256:" + hashlib.sha256(person.encode()).hexdigest()


def _is_bound_to(investor: KnownInvestor, row: Standing) -> bool:
    return investor.kyc_issuer is not None and normalize_issuer(investor.kyc_issuer) == normalize_issuer(row.issuer)
