"""A presented credential as the gate judges it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.credentials.status_list import INVALID, SUSPENDED
from service.credentials.status_list import VALID as STATUS_VALID
from service.gate.fact_sheet import Source
from service.storage.statuses import StatusQuery, StatusReading

VALID = "valid"
STATUS_ORDER = (
    "revoked",
    "suspended",
    "expired",
    "not_yet_valid",
    "issuer_untrusted",
    "issuer_out_of_scope",
    "holder_mismatch",
    "unknown",
)
"""Most fundamental first, as the reasons are listed."""

_SOUND = {VALID, None}
_BY_VALUE = {INVALID: "revoked", SUSPENDED: "suspended", STATUS_VALID: VALID}


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """One row of an investor's standing, with what is known about it now.

    Attributes:
        distrust: ``issuer_untrusted``, ``issuer_out_of_scope`` or None.
        trusted_as: Attester class that the platform's trust list gives the issuer.
        shares_holder: Its key is that of a KYC of the same investor.
        reading: What its status lists say, the worst of it where it names several; None if it names none.
        statuses: Its entries there.
    """

    id: str
    type: str
    issuer: str
    digest: str
    claims: Mapping[str, Any]
    expires_at: datetime
    not_before: datetime | None
    distrust: str | None
    trusted_as: str | None
    shares_holder: bool
    reading: StatusReading | None
    statuses: Sequence[StatusQuery] = ()

    def status_at(self, now: datetime) -> str:
        """Return ``valid`` or the first of ``STATUS_ORDER`` that applies."""
        found = {self._read_status(), self.distrust, None if self.shares_holder else "holder_mismatch"}
        if now >= self.expires_at:
            found.add("expired")
        if self.not_before and now < self.not_before:
            found.add("not_yet_valid")
        return VALID if found == _SOUND else worst_status(status for status in found if status)

    def _read_status(self) -> str:
        if self.reading is None:
            return VALID
        return "unknown" if self.reading.value is None else _BY_VALUE.get(self.reading.value, "unknown")

    @property
    def source(self) -> Source:
        """Name the credential as the source of a fact."""
        return {"kind": "credential", "id": self.id, "type": self.type, "issuer": self.issuer, "digest": self.digest}


def worst_status(statuses: Iterable[str]) -> str:
    """Return the most fundamental of several statuses."""
    found = set(statuses)
    return next((status for status in STATUS_ORDER if status in found), VALID)


def pick_newest(credentials: Sequence[HeldCredential], credential_type: str) -> HeldCredential | None:
    """Return the newest of a type: an older one is no way around what became of the newer."""
    return next((credential for credential in credentials if credential.type == credential_type), None)
