"""Two databases of a kind, one for the service and one for its floor: gone after the run, or kept for the next one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from _pytest.outcomes import Failed, Skipped

from tests.postgres import find_binaries, running_postgres

KEPT = ("service", "floor")


@dataclass(frozen=True, slots=True)
class Databases:
    """Where a deployment keeps everything.

    Attributes:
        folder: Of the deployment.
        service_url: SQLAlchemy URL.
        floor_url: SQLAlchemy URL.
    """

    folder: Path
    service_url: str
    floor_url: str


@contextmanager
def open_databases(kind: str, keep: Path | None) -> Iterator[Databases]:
    """Open both.

    Args:
        kind: ``sqlite`` or ``postgresql``; the latter runs a server of its own, which syncs to disk.
        keep: Folder in which everything is found by the next run; None for one that is removed.
    """
    if keep is not None:
        keep = (keep / kind).absolute()
        keep.mkdir(parents=True, exist_ok=True)
        with _open(kind, keep, kept=True) as databases:
            yield databases
        return
    with tempfile.TemporaryDirectory(prefix="goodstanding-bench-") as name, _open(kind, Path(name)) as databases:
        yield databases


@contextmanager
def _open(kind: str, folder: Path, *, kept: bool = False) -> Iterator[Databases]:
    if kind == "sqlite":
        urls = (f"sqlite+aiosqlite:///{folder / name}.sqlite3" for name in KEPT)
        yield Databases(folder / "deployment", *urls)
        return
    home = folder / "postgres" if kept else None
    with running_postgres(durable=True, home=home) as server:
        for name in KEPT:
            server.ensure_database(name)
        yield Databases(folder / "deployment", *(server.url(name) for name in KEPT))


def has_postgres() -> bool:
    """Tell whether a server could be started."""
    try:
        find_binaries()
    except (Skipped, Failed):
        return False
    return True
