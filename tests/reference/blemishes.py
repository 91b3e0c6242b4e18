"""What may be amiss whatever the regime; one of these at a time, so that most facts reach the regime's own rules."""

from datetime import date, timedelta
from typing import Any

CREDENTIAL_STATES = [
    "revoked", "suspended", "expired", "not_yet_valid", "issuer_untrusted", "issuer_out_of_scope", "holder_mismatch",
    "unknown",
]  # fmt: skip


def party_blemishes(today: date) -> list[dict[str, Any]]:
    """Return changes to one party."""
    return [
        {"kyc_valid_until": today.isoformat()},
        {"kyc_valid_until": (today - timedelta(days=1)).isoformat()},
        {"kyc_loa": "low"},
        {"kyc_loa": "high"},
        {"identified": False},
        {"sanctions": "potential"},
        {"sanctions": "hit"},
        {"screen_age_hours": 24},
        {"screen_age_hours": 25},
        {"pep": True},
        {"pep": True, "edd_done": True},
        {"frozen": True},
        *({"credential_status": state} for state in CREDENTIAL_STATES),
        *({"owners": owners} for owners in _blocked_owners()),
        *({"bo_regime": regime, "owners": owners} for regime in ("US", "HK", "UK") for owners in _known_owners()),
    ]


def _blocked_owners() -> list[list[dict[str, Any]]]:
    shares = [["50"], ["49.99"], ["30", "20"], ["29.99", "20"], ["25", "25.01"], ["0.01"]]
    return [
        [{"pct": pct, "blocked": True, "identified": True} for pct in blocked]
        + [{"pct": "1", "blocked": False, "identified": True}]
        for blocked in shares
    ]


def _known_owners() -> list[list[dict[str, Any]]]:
    return [
        [{"pct": pct, "identified": False, "blocked": False}, {"pct": "60", "identified": True, "blocked": False}]
        for pct in ("24.99", "25", "25.01")
    ]


def offering_blemishes(today: date) -> list[dict[str, Any]]:
    """Return changes to the offering."""
    return [
        {"state": "halted"},
        {"state": "closed"},
        {"bad_actor": True},
        {"shell": True},
        *({"lockup_until": (today + timedelta(days=shift)).isoformat()} for shift in (-1, 0, 1)),
        {"countries_allowed": ["DE", "US"]},
        {"countries_allowed": ["XX"]},
        {"countries_blocked": ["DE"]},
        {"countries_blocked": ["XX"]},
        {"min_quantity": 10},
        {"min_quantity": 1000},
    ]


POLICIES: list[dict[str, Any]] = [
    {},
    {},
    {},
    {"elapsed_boundary": "day_after"},
    {"freshness": "rule_text_months"},
    {"safe_harbour_only": False},
    {"allow_exempt_flowback": True},
    {"max_screen_age_hours": 5},
]
