"""Deliberate errors. Each carries a stable code; none knows HTTP (``web/problems.py`` maps codes to statuses)."""

from typing import Any, ClassVar


class ServiceError(Exception):
    """Base of every error that we raise on purpose.

    Attributes:
        code: Stable, lower snake case; part of the public contract.
        detail: One sentence that is safe to show to the caller: no secrets, no personal data.
        errors: Further findings, each a mapping with at least ``detail``; may be empty.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []


class MalformedError(ServiceError):
    """Input that cannot be read at all: wrong encoding, syntax, size or depth."""

    code = "malformed"


class VerificationError(ServiceError):
    """A proof that was readable and is not authentic or not current.

    Attributes:
        check: Name of the failed check, one of the names that ``/v1/verify`` reports.
    """

    code = "verification_failed"
    check: ClassVar[str] = "signature"
