"""Reading the facts of a scenario, with the defaults that the scenario format documents."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.reference.verdict import MissingFactError

PARTY = {
    "credential_status": "valid",
    "identified": True,
    "pep": False,
    "edd_done": False,
    "owners": [],
    "affiliate_sales": [],
    "excluded_501e": False,
    "existing_holder": False,
    "exits": False,
    "is_fund": False,
    "qib": False,
    "qp": False,
    "institutional": False,
    "offshore": False,
    "regs_certified": False,
}
OFFERING = {"state": "open", "min_quantity": 1, "bad_actor": False, "shell": False, "exchange_act_12g": False}
TRADE = {"info_package": False, "info_rights_144a": False}
POLICY = {
    "max_screen_age_hours": 24,
    "safe_harbour_only": True,
    "freshness": "min_3_months_90_days",
    "elapsed_boundary": "anniversary_permits",
    "allow_exempt_flowback": False,
}


class Facts:
    """A scenario's ``given``; reading what is absent raises, so no check can pass over it unseen."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = dict(given)
        for part, defaults in (("offering", OFFERING), ("trade", TRADE), ("policy", POLICY)):
            self._given[part] = defaults | (given.get(part) or {})
        for party in ("buyer", "seller"):
            if given.get(party) is not None:
                self._given[party] = PARTY | given[party]

    def optional(self, path: str) -> Any:
        """Return the fact at a dotted path, or None if it is absent."""
        value: Any = self._given
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def get(self, path: str) -> Any:
        """Return the fact at a dotted path.

        Raises:
            MissingFactError: It is absent.
        """
        value = self.optional(path)
        if value is None:
            raise MissingFactError(path)
        return value

    def has(self, path: str) -> bool:
        return self.optional(path) is not None

    def flag(self, path: str) -> bool:
        return bool(self.get(path))

    def number(self, path: str) -> Decimal:
        return Decimal(str(self.get(path)))

    def day(self, path: str) -> date:
        return as_day(self.get(path))

    @property
    def regime(self) -> str:
        return str(self.get("offering.regime"))

    @property
    def action(self) -> str:
        return str(self.get("action"))

    @property
    def today(self) -> date:
        """The trade date: every period of the rules is counted to it."""
        return self.day("date")

    @property
    def amount(self) -> Decimal:
        """The consideration, in the currency of the rule."""
        return self.number("qty") * self.number("price")

    @property
    def boundary(self) -> str:
        return str(self.get("policy.elapsed_boundary"))


def as_day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def member(entry: dict[str, Any], name: str) -> Any:
    """Return one member of a list's entry, such as a lot.

    Raises:
        MissingFactError: It is absent.
    """
    if entry.get(name) is None:
        raise MissingFactError(name)
    return entry[name]
