"""What ``doctor`` sees without opening anything: settings and files."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from service.cli.doctor_findings import Finding
from service.settings import Settings

_LEAST_FREE = 1 << 30  # bytes; a day of a busy gate


def find_missing(settings: Settings) -> Finding | None:
    """Tell what of the deployment is not there; opening it would make that anew, and hide that it was lost."""
    missing = [path.name for path in _list_needed(settings) if not path.exists()]
    if not missing:
        return None
    remedy = "Run `python -m service init`, or restore a backup."
    return Finding("files", "fail", f"Not there: {', '.join(missing)}.", remedy)


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Look at settings and files of a deployment that is all there; changes nothing."""
    yield _examine_files(settings)
    yield _examine_space(settings.data_dir)
    yield _examine_exposure(settings)


def _list_needed(settings: Settings) -> Iterator[Path]:
    yield settings.data_dir
    yield settings.data_dir / "keys"
    if settings.key_passphrase is None:
        yield settings.data_dir / "passphrase"
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        yield Path(url.database)


def _examine_files(settings: Settings) -> Finding:
    """Others on the machine must not read keys and personal data."""
    open_to_others = [
        path.name
        for path in (*_list_needed(settings), settings.data_dir / "seed.json")
        if path.exists() and stat.S_IMODE(os.stat(path).st_mode) & 0o077
    ]
    if open_to_others:
        names = ", ".join(open_to_others)
        return Finding("files", "fail", f"Others on this machine may read: {names}.", "chmod go= them.")
    return Finding("files", "ok", "Keys, passphrase and data are their owner's alone.")


def _examine_space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    text = f"{free / (1 << 30):.1f} GiB free for the data directory."
    if free < _LEAST_FREE:
        return Finding("disk", "warn", text, "When it is full, every decision is refused with 503.")
    return Finding("disk", "ok", text)


def _examine_exposure(settings: Settings) -> Finding:
    """On a public address some settings are for trying things out only."""
    if not settings.base_url.startswith("https://"):
        return Finding("exposure", "ok", f"{settings.base_url} is for this machine alone.")
    loose = [
        text
        for text, applies in (
            ("GOODSTANDING_VC_API signs whatever it is sent", settings.vc_api),
            ("GOODSTANDING_FETCH_ALLOW lets outbound requests reach addresses within", bool(settings.fetch_allow)),
            ("probes and metrics are on the public port; see GOODSTANDING_ADMIN_PORT", settings.admin_port is None),
            ("the passphrase lies beside the keys; see GOODSTANDING_KEY_PASSPHRASE", settings.key_passphrase is None),
        )
        if applies
    ]
    if loose:
        return Finding("exposure", "warn", "; ".join(loose) + ".", "See docs/settings.md.")
    return Finding("exposure", "ok", "No setting is open that a public address should not have.")
