"""DID methods that only didkit knows, behind a process of its own."""

from service.linked_data.client import (
    METHODS,
    DidUnresolvableError,
    LinkedDataError,
    LinkedDataTimeoutError,
    LinkedDataUnavailableError,
    LinkedDataWorker,
)

__all__ = [
    "METHODS",
    "DidUnresolvableError",
    "LinkedDataError",
    "LinkedDataTimeoutError",
    "LinkedDataUnavailableError",
    "LinkedDataWorker",
]
