"""What the issuers of these tests attest; all made up, dated relative to today."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_NOW = datetime.now(UTC)
_TODAY = _NOW.astimezone(ZoneInfo("America/New_York")).date()  # rules of the United States count days there

KYC: dict[str, Any] = {
    "given_name": "Zoë",
    "family_name": "Example",
    "birthdate": "1984-02-29",
    "age_over_18": True,
    "nationality": "US",
    "country": "US",
    "state": "NY",
    "us_person": True,
    "loa": "substantial",
    "verified_on": (_TODAY - timedelta(days=20)).isoformat(),
    "trust_framework": "us_cip",
}
SCREENING: dict[str, Any] = {
    "result": "clear",
    "screened_at": (_NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "lists": [f"ofac_sdn@{_TODAY - timedelta(days=1)}"],
    "pep": False,
    "edd_done": False,
}
ACCREDITATION: dict[str, Any] = {
    "jurisdiction": "US",
    "category": "us.ai.income",
    "method": "third_party",
    "steps_completed_on": (_TODAY - timedelta(days=14)).isoformat(),
    "joint": False,
    "valid_until": (_TODAY + timedelta(days=70)).isoformat(),
}
