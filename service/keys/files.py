"""Small files that only their owner may read."""

import os
import secrets
from pathlib import Path


def create_private_file(path: Path, content: bytes) -> None:
    """Write a new file with mode 0600, durable and never half-written.

    An existing file is left alone: two processes that start at once agree on whichever came first.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # the first writer won; the caller reads what is there
    finally:
        os.unlink(draft)


def read_or_create_passphrase(path: Path) -> str:
    """Return the passphrase in ``path``, made at random on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private_file(path, secrets.token_urlsafe(32).encode())
    return path.read_text().strip()
