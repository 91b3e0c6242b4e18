"""What a scenario file leaves out.

The defaults of the format live here and nowhere else: an evaluation never assumes a fact.

Source: FACTS.md, "Defaults are the scenario loader's".
"""

from collections.abc import Mapping
from typing import Any

_PARTY_DEFAULTS: Mapping[str, Any] = {
    "credential_status": "valid",
    "edd_done": False,
    "frozen": False,
    "identified": True,
    "is_fund": False,
    "institutional": False,
    "offshore": False,
    "owners": (),
    "pep": False,
    "qib": False,
    "qp": False,
    "regs_certified": False,
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "buyer": {**_PARTY_DEFAULTS, "excluded_501e": False, "existing_holder": False, "hold_only": False},
    "offering": {
        "bad_actor": False,
        "countries_allowed": None,
        "countries_blocked": None,
        "exchange_act_12g": False,
        "ica": None,
        "lien_allowed": True,
        "lockup_until": None,
        "min_quantity": 1,
        "shell": False,
        "state": "open",
        "unit_decimals": 0,
    },
    "policy": {
        "allow_exempt_flowback": False,
        "elapsed_boundary": "anniversary_permits",
        "freshness": "min_3_months_90_days",
        "max_screen_age_hours": 24,
        "max_state_age_hours": None,
        "safe_harbour_only": True,
    },
    "pledgor": _PARTY_DEFAULTS,
    "seller": {**_PARTY_DEFAULTS, "affiliate_sales": (), "exits": False},
    "trade": {"info_package": False, "info_rights_144a": False},
    "venue": {"licensed": True},
}
_PARTIES = ("buyer", "pledgor", "seller")
_LOT_DEFAULTS: Mapping[str, Any] = {"lien": False, "paid_in_full_on": None}
_SALE_DEFAULTS: Mapping[str, Any] = {"count": 1}
_AFFILIATES_NAMED = frozenset({"us.reg_a_t1", "us.reg_a_t2", "us.reg_cf"})
"""Regimes whose scenarios name affiliates only: there a seller of whom nothing is said is none."""


def fill_defaults(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts with the format's defaults for what is absent; a party that takes no part stays absent."""
    filled = dict(facts)
    for name, defaults in _DEFAULTS.items():
        if name not in _PARTIES or filled.get(name) is not None:
            filled[name] = {**defaults, **(filled.get(name) or {})}
    for name in _PARTIES:
        if filled.get(name) is not None:
            filled[name]["owners"] = _fill_entries(filled[name]["owners"], _find_owner_defaults(filled[name]))
    if filled.get("seller") is not None:
        filled["seller"]["affiliate_sales"] = list(filled["seller"]["affiliate_sales"] or ())
        if filled["seller"].get("lots") is not None:
            filled["seller"]["lots"] = _fill_entries(filled["seller"]["lots"], _LOT_DEFAULTS)
        if filled["offering"].get("regime") in _AFFILIATES_NAMED:
            filled["seller"].setdefault("affiliate", False)
    return _fill_state(filled)


def _find_owner_defaults(party: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what owners leave out; whether each is identified only where no ``bo_regime`` asks for it."""
    return {"blocked": False} if party.get("bo_regime") else {"blocked": False, "identified": True}


def _fill_state(facts: dict[str, Any]) -> dict[str, Any]:
    sales = (facts.get("state") or {}).get("nonaccredited_sales")
    if sales is None:
        return facts
    return {**facts, "state": {**facts["state"], "nonaccredited_sales": _fill_entries(sales, _SALE_DEFAULTS)}}


def _fill_entries(entries: Any, defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{**defaults, **entry} for entry in entries or ()]
