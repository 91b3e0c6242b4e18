"""What was published, kept outside the database: a restored copy must not become a second history."""

from pathlib import Path

from service.credentials.signed_note import Checkpoint, parse_checkpoint, parse_note
from service.errors import MalformedError, ServiceError
from service.storage.log import CheckpointRow, Database, compute_root

PUBLISHED_FILE = "log-checkpoint"


class LogRolledBackError(ServiceError):
    """The database is older than what was published; signing on would be a second history."""

    code = "log_rolled_back"


class LogForkedError(ServiceError):
    """The tiles do not lead to a root that was signed."""

    code = "log_forked"


class PublishedCheckpointError(ServiceError):
    """The file with the published checkpoint cannot be read."""

    code = "published_checkpoint_unusable"


def read_published(data_dir: Path) -> Checkpoint | None:
    """Return the checkpoint that was published last, by the file beside the database; None if none was.

    Raises:
        PublishedCheckpointError: The file is damaged.
    """
    path = data_dir / PUBLISHED_FILE
    try:
        return parse_checkpoint(parse_note(path.read_bytes()).text)
    except FileNotFoundError:
        return None
    except (MalformedError, OSError):
        raise PublishedCheckpointError(f"The file {path.name} is damaged; restore it, do not delete it.") from None


async def check_history(database: Database, newest: CheckpointRow | None, published: Checkpoint | None) -> None:
    """Check that the tiles lead to the newest checkpoint, and that it continues the published one.

    Raises:
        LogRolledBackError, LogForkedError: See there.
        LogDamagedError: A tile is missing.
    """
    size = newest.tree_size if newest else 0
    if published is not None and published.size > size:
        raise LogRolledBackError(f"The database holds {size} log entries; {published.size} were published.")
    if newest is not None and await compute_root(database, size) != newest.root:
        raise LogForkedError("The log's tiles do not lead to its newest checkpoint.")
    if published is None:
        return
    known = newest.root if newest and size == published.size else await compute_root(database, published.size)
    if known != published.root:
        raise LogForkedError("The log does not continue the checkpoint that was published.")
