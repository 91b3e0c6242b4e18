"""The demo organisations, their trust and one security; running it again changes nothing."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from service.demo.people import ensure_people
from service.gate.securities import put_offering, put_security
from service.gate.security_models import OfferingTerms, SecurityTerms
from service.issuer.wallet_registration import WalletTerms, put_wallet_client
from service.keys.files import replace_private_file
from service.log.identity import describe_log
from service.organizations.clients import authenticate_client, create_client
from service.organizations.organizations import (
    NewOrganization,
    allowed_scopes,
    create_organization,
    describe_organization,
    find_organization,
)
from service.organizations.setup import create_system_keys
from service.storage.tables import Organization, TrustedIssuer, WalletClient
from service.verifier.trust import TrustTerms, put_trusted_issuer
from service.web.context import Context

SECURITY_ID = "demo"
SETTLE_WITHIN_S = 15 * 60
"""A person reads what came of a purchase before completing it; the default is for programs."""
WEB_WALLET = "goodstanding-web-wallet"
OFFERING_IDS = {"us.506c": "reg-d-506c", "us.reg_s": "reg-s"}
ORGANIZATIONS = {
    "kyc": NewOrganization("Harbour Identity (demo)", "harbour-identity", ["issuer"], "kyc_provider", "demo-kyc-1"),
    "accreditor": NewOrganization("Ledger & Oak CPAs (demo)", "ledger-oak", ["issuer"], "us_cpa", "demo-cpa-1"),
    "platform": NewOrganization("Meridian Exchange (demo)", "meridian-exchange", ["platform"]),
}


async def _ensure_organization(session: AsyncSession, context: Context, name: str) -> Organization:
    new = ORGANIZATIONS[name]
    found = await find_organization(session, new.slug)
    return found or await create_organization(session, context.signer, context.base_url, new, context.clock())


async def find_demo_organizations(session: AsyncSession) -> dict[str, Organization]:
    """Return those of the demo organisations that exist, by their name in the seed document."""
    found = {name: await find_organization(session, new.slug) for name, new in ORGANIZATIONS.items()}
    return {name: row for name, row in found.items() if row is not None}


async def _ensure_client(
    session: AsyncSession, context: Context, organization: Organization, kept: Mapping[str, Any]
) -> dict[str, str]:
    """Keep the client of the last run if it still works, else make one."""
    client_id, secret = str(kept.get("client_id", "")), str(kept.get("client_secret", ""))
    known = await authenticate_client(session, client_id, secret)
    if known is not None and known.org_id == organization.id:
        return {"client_id": client_id, "client_secret": secret}
    scopes = allowed_scopes(organization.roles)
    made = create_client(session, organization, name="demo", scopes=scopes, now=context.clock())
    return {"client_id": made.client_id, "client_secret": made.client_secret}


def _security_terms() -> SecurityTerms:
    return SecurityTerms(
        name="Demo Units",
        issuer="DEMO-ISSUER",
        currency="USD",
        issued_quantity="1000000",
        settle_within=SETTLE_WITHIN_S,
    )


def _offering_terms(regime: str, started_on: str) -> OfferingTerms:
    shared: dict[str, Any] = {"regime": regime, "issuer": "DEMO-ISSUER", "security": "equity", "reporting": False}
    shared |= {"class_outstanding_since": started_on, "issuer_domestic": True}
    if regime == "us.reg_s":
        shared |= {"category": 3, "dcp_start": started_on}
    return OfferingTerms(**shared)


async def _ensure_security(session: AsyncSession, context: Context, platform: Organization) -> dict[str, Any]:
    now = context.clock()
    saved = await put_security(session, platform.id, SECURITY_ID, _security_terms(), now=now)
    if saved.created:  # terms that a user changed since stay as they are
        started_on = (now - timedelta(days=30)).date().isoformat()
        for regime, offering_id in OFFERING_IDS.items():
            terms = _offering_terms(regime, started_on)
            await put_offering(session, platform.id, SECURITY_ID, offering_id, terms, now=now)
    return {"id": SECURITY_ID, "offerings": OFFERING_IDS}


def _trust(issuer: str, types: Sequence[str], attester_class: str) -> TrustTerms:
    # No limit to jurisdictions: a credential that is shown without its jurisdiction would be out of it.
    return TrustTerms(issuer, types, [], attester_class, None, None, None)


async def _ensure_trust(
    session: AsyncSession, context: Context, platform: Organization, issuers: Mapping[str, Organization]
) -> None:
    """Trust both issuers for their types, and the KYC provider's accreditations as what they are: a vendor's."""
    kyc, accreditor = (f"{context.base_url}/issuers/{issuers[name].slug}" for name in ("kyc", "accreditor"))
    entries = {
        "harbour-identity": _trust(kyc, ["kyc", "aml-screening"], "kyc_provider"),
        "harbour-identity-accreditation": _trust(kyc, ["qualified-investor"], "kyc_provider"),
        "ledger-oak": _trust(accreditor, ["qualified-investor", "investment-limit"], "us_cpa"),
    }
    for entry_id, terms in entries.items():
        if await session.get(TrustedIssuer, (platform.id, entry_id)) is None:
            await put_trusted_issuer(session, platform.id, entry_id, terms, context.clock())


async def _ensure_web_wallet(session: AsyncSession, context: Context, issuer: Organization) -> None:
    """Let holders whose wallet is this deployment's own page agree on the issuer's page."""
    if await session.get(WalletClient, (issuer.id, WEB_WALLET)) is None:
        terms = WalletTerms("Goodstanding web wallet", [f"{context.base_url}/wallet/"], "none", None, False)
        await put_wallet_client(session, issuer.id, WEB_WALLET, terms, context.clock())


async def _seed_in_one_transaction(context: Context, kept: Mapping[str, Any]) -> dict[str, Any]:
    known = kept.get("organizations", {})
    described: dict[str, Any] = {}
    async with context.database.transaction() as session:
        await create_system_keys(session, context.signer, context.clock())
        rows = {name: await _ensure_organization(session, context, name) for name in ORGANIZATIONS}
        for name, row in rows.items():
            await ensure_people(session, context, row)
            client = await _ensure_client(session, context, row, known.get(name, {}))
            public = describe_organization(row, context.base_url)
            wanted = ("slug", "credential_issuer", "did", "attester_class")
            if "issuer" in row.roles:
                await _ensure_web_wallet(session, context, row)
            described[name] = {"org_id": row.id, **{key: public[key] for key in wanted if public.get(key)}, **client}
        await _ensure_trust(session, context, rows["platform"], rows)
        described["platform"]["securities"] = {"demo": await _ensure_security(session, context, rows["platform"])}
        log = await describe_log(session, context.base_url, context.clock())
    return {
        "base_url": context.base_url,
        "organizations": described,
        "log": {name: log[name] for name in ("url", "vkey")},
    }


def _read_kept(file: Path) -> dict[str, Any]:
    try:
        kept = json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}  # without the file, or with a damaged one, new clients are made
    return kept if isinstance(kept, dict) else {}


async def seed_deployment(context: Context, file: Path) -> dict[str, Any]:
    """Create what is missing and return the seed document.

    Args:
        context: A migrated deployment.
        file: Where the credentials are kept for the next run; mode 0600.
    """
    kept = _read_kept(file)
    document = await _seed_in_one_transaction(context, kept)
    replace_private_file(file, json.dumps(document, indent=2).encode())
    return document
