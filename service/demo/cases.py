"""The people of the story and what the issuers attest of them. All made up."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

LISTS = ["ofac_sdn@2026-11-20", "un_sc@2026-11-20", "uk_uksl@2026-11-20"]


def identity_of_us_person(today: date) -> dict[str, Any]:
    """KYC claims of an investor who lives in New York."""
    return {
        "given_name": "Ada",
        "family_name": "Example",
        "birthdate": "1984-02-29",
        "age_over_18": True,
        "nationality": "US",
        "country": "US",
        "state": "NY",
        "us_person": True,
        "loa": "substantial",
        "verified_on": (today - timedelta(days=20)).isoformat(),
        "trust_framework": "us_cip",
    }


def identity_of_hong_kong_person(today: date) -> dict[str, Any]:
    """KYC claims of an investor who lives in Hong Kong."""
    return {
        "given_name": "Chen",
        "family_name": "Sample",
        "birthdate": "1979-07-01",
        "age_over_18": True,
        "nationality": "CN",
        "country": "HK",
        "us_person": False,
        "loa": "substantial",
        "verified_on": (today - timedelta(days=20)).isoformat(),
        "trust_framework": "hk_amlo",
    }


def screening(now: datetime) -> dict[str, Any]:
    """AML-screening claims, an hour old."""
    screened_at = (now - timedelta(hours=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"result": "clear", "screened_at": screened_at, "lists": LISTS, "pep": False, "edd_done": False}


def accreditation(today: date) -> dict[str, Any]:
    """Accredited-investor claims after a written confirmation under Rule 506(c)(2)(ii)(C)."""
    return {
        "jurisdiction": "US",
        "category": "us.ai.income",
        "method": "third_party",
        "steps_completed_on": (today - timedelta(days=14)).isoformat(),
        "joint": False,
        "valid_until": (today + timedelta(days=70)).isoformat(),
    }


def purchase(security_id: str, offering_id: str, investor_ref: str, **more: Any) -> dict[str, Any]:
    """A primary purchase of 100 units at 1,000 US dollars each."""
    return {
        "security_id": security_id,
        "offering_id": offering_id,
        "action": "primary",
        "seller": None,
        "buyer": {"investor_ref": investor_ref},
        "quantity": "100",
        "price": {"amount": "1000.00", "currency": "USD"},
        **more,
    }
