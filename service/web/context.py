"""What a request or a command needs from the process, built once by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from service.credentials.cosignature import Witness
from service.fetch import Fetcher
from service.keys import Signer
from service.storage.database import Database


@dataclass(frozen=True, slots=True)
class Context:
    """Shared, immutable; ``clock`` returns the present instant, aware UTC; ``data_dir`` is there.

    ``witnesses`` are asked to cosign what the log publishes.
    """

    base_url: str
    database: Database
    signer: Signer
    fetcher: Fetcher
    clock: Callable[[], datetime]
    data_dir: Path
    witnesses: tuple[Witness, ...] = ()
