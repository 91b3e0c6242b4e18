"""Build what the service runs on from the settings: keystore, database, fetcher. Imports no endpoint."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from service.credentials.cosignature import parse_witness
from service.fetch import Fetcher
from service.keys import FileKeystore, Signer
from service.keys.files import read_or_create_passphrase
from service.settings import Settings
from service.storage.clock import DatabaseClock, read_database_clock
from service.storage.database import Database
from service.web.context import Context


def read_clock() -> datetime:
    """Return the present instant; the only reading of the wall clock behind HTTP."""
    return datetime.now(UTC)


def build_signer(settings: Settings) -> Signer:
    """Open the keystore of the deployment; a new data directory is its owner's alone."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    passphrase = (
        settings.key_passphrase.get_secret_value()
        if settings.key_passphrase is not None
        else read_or_create_passphrase(settings.data_dir / "passphrase")
    )
    return FileKeystore(settings.data_dir / "keys", passphrase)


def build_context(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = read_clock,
    database_clock: DatabaseClock = read_database_clock,
) -> Context:
    """Build what requests and commands work with."""
    return Context(
        base_url=settings.base_url,
        database=Database(settings.database_url),
        signer=build_signer(settings),
        fetcher=Fetcher(settings.fetch_allow),
        clock=clock,
        database_clock=database_clock,
        data_dir=settings.data_dir,
        witnesses=tuple(map(parse_witness, settings.log_witnesses)),
        did_resolver=settings.did_resolver,
        letter_font=settings.letter_font,
        event_retention=timedelta(days=settings.event_retention_days),
    )
