"""What a request or a command needs from the process, built once by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from service.credentials.cosignature import Witness
from service.fetch import Fetcher
from service.keys import Signer
from service.linked_data import LinkedDataWorker
from service.storage.clock import DatabaseClock
from service.storage.database import Database


@dataclass(frozen=True, slots=True)
class Context:
    """Shared and immutable.

    Attributes:
        clock: Returns the present instant, aware UTC.
        database_clock: Returns it as the database sees it: what several processes agree on.
        data_dir: Is there.
        witnesses: Are asked to cosign what the log publishes.
        event_retention: How long events are kept.
        did_resolver: Address below which DIDs of methods that we don't know are resolved.
        letter_font: For letters that Latin-1 cannot write; None for none.
        linked_data: Holds didkit; started by its first use.
    """

    base_url: str
    database: Database
    signer: Signer
    fetcher: Fetcher
    clock: Callable[[], datetime]
    database_clock: DatabaseClock
    data_dir: Path
    witnesses: tuple[Witness, ...] = ()
    did_resolver: str | None = None
    letter_font: Path | None = None
    linked_data: LinkedDataWorker = field(default_factory=LinkedDataWorker)
    event_retention: timedelta = timedelta(days=90)
