"""Deliberate errors. Each carries a stable code; none knows HTTP (``web/problems.py`` maps families to statuses)."""

from collections.abc import Mapping
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


class InvalidInputError(ServiceError):
    """Input that was read and breaks a rule of its shape or meaning."""

    code = "invalid_input"


class UnauthorizedError(ServiceError):
    """No credential, or one that is not accepted."""

    code = "unauthorized"


class ForbiddenError(ServiceError):
    """A known caller without the right to do this."""

    code = "forbidden"


class NotFoundError(ServiceError):
    """No such thing, or it belongs to somebody else: the two are never told apart."""

    code = "not_found"

    def __init__(self, detail: str = "No such resource.", *, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail, errors=errors)


class ConflictError(ServiceError):
    """The request was fine and the state of things forbids it."""

    code = "conflict"


class ChangedMeanwhileError(ConflictError):
    """Two requests created the same thing at the same time."""

    code = "changed_meanwhile"


class RateLimitedError(ServiceError):
    """Too many failures in too short a time.

    Attributes:
        retry_after: Seconds until another try makes sense.
        quota: How many failures are let pass.
        window_s: In how many seconds.
    """

    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after: int, quota: int, window_s: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.quota = quota
        self.window_s = window_s


class UnavailableError(ServiceError):
    """Something that we depend on does not answer; trying again later may help."""

    code = "unavailable"


class VerificationError(ServiceError):
    """A proof that was readable and is not authentic or not current.

    Attributes:
        check: Name of the failed check, one of the names that ``/v1/verify`` reports.
    """

    code = "verification_failed"
    check: ClassVar[str] = "signature"


class ProtocolError(ServiceError):
    """An error whose shape a public protocol fixes: ``{"error": ..., "error_description": ...}``.

    Attributes:
        error: The protocol's error code.
        status: HTTP status that the protocol asks for.
        challenge: Value of ``WWW-Authenticate`` on a 401, else None.
        headers: Further headers of the answer.
    """

    code = "protocol_error"

    def __init__(
        self,
        error: str,
        detail: str,
        *,
        status: int = 400,
        challenge: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.error = error
        self.status = status
        self.challenge = challenge
        self.headers = headers or {}
