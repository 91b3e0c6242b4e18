"""Linked data of version 1.1 and DID methods that only didkit knows, behind a process of its own."""

from service.linked_data.client import (
    METHODS,
    DidUnresolvableError,
    LinkedDataError,
    LinkedDataRefusedError,
    LinkedDataTimeoutError,
    LinkedDataUnavailableError,
    LinkedDataWorker,
)

__all__ = [
    "METHODS",
    "DidUnresolvableError",
    "LinkedDataError",
    "LinkedDataRefusedError",
    "LinkedDataTimeoutError",
    "LinkedDataUnavailableError",
    "LinkedDataWorker",
]
