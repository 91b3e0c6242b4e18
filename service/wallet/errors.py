"""Why a wallet's answer is no. Every other ``ServiceError`` means that it could not run."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.credentials.dcql import DcqlSyntaxError
from service.errors import InvalidInputError, MalformedError, NotFoundError, ServiceError, VerificationError


class NegativeAnswerError(ServiceError):
    """Base: everything worked and the answer is no."""

    code = "negative_answer"


class RejectedError(NegativeAnswerError):
    """What the other side sent breaks its protocol or isn't authentic, so the wallet refuses it.

    Attributes:
        error: The protocol's error code to answer with.
    """

    code = "rejected"

    def __init__(self, detail: str, *, error: str = "invalid_request") -> None:
        super().__init__(detail)
        self.error = error


class RefusedError(NegativeAnswerError):
    """The other side refused; ``error`` is the code that it sent, cleaned for display, or ``http_<status>``."""

    code = "refused"

    def __init__(self, detail: str, *, error: str) -> None:
        super().__init__(detail)
        self.error = error


class UnsupportedError(NegativeAnswerError):
    """Sound, but it needs something that this wallet doesn't do."""

    code = "unsupported"


class NothingFitsError(NegativeAnswerError):
    """The credentials at hand don't answer the request; ``errors`` says what is missing."""

    code = "nothing_fits"


class DeclinedError(NegativeAnswerError):
    """The holder said no."""

    code = "declined"


class UsageError(InvalidInputError):
    """The input isn't what the command takes, or an answer is missing that only a person can give."""

    code = "usage"


class NoWalletError(NotFoundError):
    """There is no wallet in this directory."""

    code = "no_wallet"


@contextmanager
def rejecting(subject: str) -> Iterator[None]:
    """Turn the core's errors about what another side sent into ``RejectedError``, which names ``subject``."""
    try:
        yield
    except (MalformedError, VerificationError, DcqlSyntaxError) as error:
        raise RejectedError(f"{subject} can't be accepted: {error.detail}") from error
