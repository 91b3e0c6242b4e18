"""The folder of a backup: what is in it, and that it is whole."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from service.errors import ConflictError, MalformedError
from service.keys.files import create_private_file

MANIFEST = "backup.json"
VERSION = 1
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
KEYS = "keys"


class BackupExistsError(ConflictError):
    """The folder for the backup is there already."""

    code = "backup_exists"


class BackupDamagedError(MalformedError):
    """Not a backup, or not as it was made."""

    code = "backup_damaged"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        made_at: RFC 3339.
        base_url: Of the deployment.
        database: ``sqlite`` or ``postgresql``.
        schema: Revision of the schema.
        log_size: Entries of the log under the newest signed head; 0 if there is none.
        files: SHA-256 in hex, by path within the folder.
    """

    made_at: str
    base_url: str
    database: str
    schema: str
    log_size: int
    files: dict[str, str]


@contextmanager
def new_backup_folder(target: Path) -> Iterator[Path]:
    """Yield a folder of another name beside ``target``, which gets that name when the block is left in peace.

    Raises:
        BackupExistsError: See ``code``.
    """
    if target.exists():
        raise BackupExistsError(f"{target.name} exists already.")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700)
    try:
        yield draft
        os.rename(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _hash_files(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def write_manifest(folder: Path, **members: Any) -> Manifest:
    """Write the manifest of a folder that is complete."""
    manifest = Manifest(files=_hash_files(folder), **members)
    create_private_file(folder / MANIFEST, json.dumps({"version": VERSION} | asdict(manifest), indent=2).encode())
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a backup whose files are all there and as they were.

    Raises:
        BackupDamagedError: See ``code``.
    """
    try:
        members = json.loads((folder / MANIFEST).read_bytes())
        if members.pop("version") != VERSION:
            raise BackupDamagedError(f"{folder.name} was made by another version.")
        manifest = Manifest(**members)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise BackupDamagedError(f"{folder.name} is not a backup.") from None
    if manifest.files != _hash_files(folder) or DATABASES.get(manifest.database) not in manifest.files:
        raise BackupDamagedError(f"The files of {folder.name} are not those that were backed up.")
    return manifest


def copy_private_tree(source: Path, target: Path) -> None:
    """Copy the files of a folder that are not there yet; their owner alone may read them."""
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in sorted(source.iterdir()):
        if path.is_file() and not path.name.startswith("."):  # a file in the making begins with a dot
            create_private_file(target / path.name, path.read_bytes())
