"""Small files that only their owner may read."""

import os
import secrets
from pathlib import Path

from service.errors import ServiceError


class PassphraseFileError(ServiceError):
    """The file with the passphrase is damaged."""

    code = "passphrase_file_unusable"


def create_private_file(path: Path, content: bytes) -> bool:
    """Write a new file with mode 0600, durable and never half-written; return whether it was ours that stayed.

    An existing file is left alone: two processes that start at once agree on whichever came first.
    """
    draft = _write_draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False  # the first writer won; the caller reads what is there
    finally:
        os.unlink(draft)
    return True


def replace_private_file(path: Path, content: bytes) -> None:
    """Write a file with mode 0600 in place of what is there; a reader sees the old or the new one, whole."""
    os.replace(_write_draft(path, content), path)


def _write_draft(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def read_or_create_passphrase(path: Path) -> str:
    """Return the passphrase in ``path``, made at random on first use; its directory must exist.

    Raises:
        PassphraseFileError: The file is empty or no text, so that what it once protected cannot be opened.
    """
    if not path.exists():
        create_private_file(path, secrets.token_urlsafe(32).encode())
    try:
        passphrase = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        passphrase = ""
    if not passphrase:
        raise PassphraseFileError(f"The file {path.name} holds no passphrase; restore it from a backup.")
    return passphrase
