"""Named checks and what they add up to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

CheckOutcome = Literal["pass", "fail", "undetermined"]
Outcome = Literal["verified", "rejected", "undetermined"]

CREDENTIAL_CHECKS = ("format", "issuer", "signature", "disclosures", "validity", "issuer_trusted", "status")
PRESENTATION_CHECKS = (
    *CREDENTIAL_CHECKS[:5],
    "holder_binding",
    "audience",
    "nonce",
    "transaction_data",
    *CREDENTIAL_CHECKS[5:],
)
HOLDER_MISMATCH = "CRED_HOLDER_MISMATCH"  # a reason code of the gate, so that both say the same


@dataclass(frozen=True, slots=True)
class Check:
    """One check; ``code`` says why it did not pass, or qualifies a pass (``status_stale``)."""

    check: str
    outcome: CheckOutcome
    code: str | None = None
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the wire form."""
        return {"check": self.check, "outcome": self.outcome, "code": self.code, "detail": self.detail}


# Nearly every list is made of the same checks, which nobody can change.
@cache
def _list_unchecked(names: tuple[str, ...]) -> Mapping[str, Check]:
    return {name: Check(name, "undetermined", "not_checked", "An earlier check did not pass.") for name in names}


@cache
def _pass(name: str, code: str | None, detail: str | None) -> Check:
    return Check(name, "pass", code, detail)


class Checklist:
    """The checks of one credential; what nobody got to stays ``undetermined`` with code ``not_checked``."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._checks = dict(_list_unchecked(names))

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks.values())

    def mark_passed(self, *names: str, code: str | None = None, detail: str | None = None) -> None:
        """Record that checks passed; names that this list does not have are left out."""
        for name in names:
            if name in self._checks:
                self._checks[name] = _pass(name, code, detail)

    def mark_failed(self, name: str, code: str, detail: str) -> None:
        """Record that a check failed."""
        self._checks[name] = Check(name, "fail", code, detail)

    def mark_undetermined(self, name: str, code: str, detail: str) -> None:
        """Record that a check could not be made."""
        self._checks[name] = Check(name, "undetermined", code, detail)

    @property
    def outcome(self) -> Outcome:
        """``rejected`` if anything failed, ``verified`` if all passed."""
        return summarize(self._checks.values())


def summarize(checks: Iterable[Check]) -> Outcome:
    """Add checks up: any failure rejects, and only an unbroken row of passes verifies."""
    outcomes = {check.outcome for check in checks}
    if "fail" in outcomes:
        return "rejected"
    return "verified" if outcomes == {"pass"} else "undetermined"
