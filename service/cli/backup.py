"""``backup`` and ``restore``: a consistent copy of a deployment, and its way back without a second history."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import inspect
from sqlalchemy.engine import make_url
from sqlmodel.ext.asyncio.session import AsyncSession

from service.cli.backup_files import (
    DATABASES,
    KEYS,
    BackupDamagedError,
    Manifest,
    copy_private_tree,
    new_backup_folder,
    read_manifest,
    write_manifest,
)
from service.cli.output import JsonOption, print_fields, print_json
from service.cli.support import open_context, run_with_context
from service.credentials.signed_note import Checkpoint
from service.errors import ServiceError
from service.keys.files import create_private_file
from service.log.history import PUBLISHED_FILE, check_history, read_published
from service.log.witnesses import check_witnessed
from service.settings import Settings, child_environment, load_settings
from service.storage.backup import (
    DatabaseInUseError,
    copy_sqlite,
    dump_postgres,
    find_sqlite_file,
    load_postgres,
    release_sqlite,
    set_aside_sqlite,
)
from service.storage.database import Database
from service.storage.log import read_newest_checkpoint
from service.storage.migrate import NEWEST_REVISION, upgrade
from service.web.context import Context
from service.web.instants import format_instant


class PassphraseMissingError(ServiceError):
    """A backup holds no passphrase, and without it nobody can use the keys in it."""

    code = "passphrase_missing"


class OtherKeysError(ServiceError):
    """The data directory has a keystore of another deployment."""

    code = "other_keystore"


async def _copy_database(url: str, folder: Path) -> str:
    file = find_sqlite_file(url)
    kind = "postgresql" if file is None else "sqlite"
    target = folder / DATABASES[kind]
    if file is None:
        await dump_postgres(url, target, child_environment({}))
    else:
        await asyncio.to_thread(copy_sqlite, file, target)
    target.chmod(0o600)
    return kind


async def _back_up(context: Context, target: Path) -> Manifest:
    """Copy in an order in which nothing in the copy is older than what it must not be older than.

    The published head comes before the database, which goes on growing; the keys come after it, since a key is stored
    before the database names it.
    """
    with new_backup_folder(target) as folder:
        published = read_published(context.data_dir)
        if published is not None:
            create_private_file(folder / PUBLISHED_FILE, (context.data_dir / PUBLISHED_FILE).read_bytes())
        kind = await _copy_database(context.database.url, folder)
        copy_private_tree(context.data_dir / KEYS, folder / KEYS)
        return write_manifest(
            folder,
            made_at=format_instant(context.clock()),
            base_url=context.base_url,
            database=kind,
            schema=NEWEST_REVISION,
            log_size=published.size if published else 0,
        )


def backup(
    target: Annotated[Path, typer.Argument(help="Folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Copy database, keys and published head into a new folder; the service may run meanwhile.

    PostgreSQL is copied by pg_dump. The passphrase is not copied: keep it apart.
    """
    manifest = run_with_context(lambda context: _back_up(context, target))
    _print({"backup": str(target), "database": manifest.database, "log_size": manifest.log_size}, as_json=as_json)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_fields(found)


def _check_keys(settings: Settings, folder: Path) -> None:
    """Refuse before anything is written."""
    if settings.key_passphrase is None and not (settings.data_dir / "passphrase").exists():
        raise PassphraseMissingError("Put the file passphrase into the data directory, or set its setting.")
    header = settings.data_dir / KEYS / "keystore.json"
    if header.exists() and header.read_bytes() != (folder / KEYS / "keystore.json").read_bytes():
        raise OtherKeysError("The data directory has the keys of another deployment.")


async def _check_log(settings: Settings, url: str, published: Checkpoint | None) -> int:
    """Check that a database continues what was published, by the file and by the witnesses; return the log's size."""
    async with open_context(settings.model_copy(update={"database_url": url}), with_schema=False) as context:
        await upgrade(context.database, context.signer)  # a backup may be of an older version
        async with context.database.reading() as session:
            newest = await read_newest_checkpoint(session, published=False)
            await check_history(session, newest, published)
        await check_witnessed(context)
    return newest.tree_size if newest else 0


async def _restore_sqlite(settings: Settings, folder: Path, file: Path, published: Checkpoint | None) -> int:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        await asyncio.to_thread(copy_sqlite, folder / DATABASES["sqlite"], draft)
        draft.chmod(0o600)
        url = make_url(settings.database_url).set(database=str(draft)).render_as_string(hide_password=False)
        size = await _check_log(settings, url, published)
        release_sqlite(draft)
        if file.exists():
            set_aside_sqlite(file, f".before-{secrets.token_hex(4)}")
        os.rename(draft, file)
    finally:
        for left in file.parent.glob(f"{draft.name}*"):
            left.unlink()
    return size


async def _has_tables(url: str) -> bool:
    database = Database(url)
    try:
        async with AsyncSession(database.engine) as session:
            connection = await session.connection()
            return bool(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
    finally:
        await database.close()


async def _restore_postgres(settings: Settings, folder: Path, published: Checkpoint | None) -> int:
    if await _has_tables(settings.database_url):
        raise DatabaseInUseError("The database is not empty; restore into a new one.")
    await load_postgres(settings.database_url, folder / DATABASES["postgresql"], child_environment({}))
    return await _check_log(settings, settings.database_url, published)


async def _restore(settings: Settings, folder: Path, manifest: Manifest) -> dict[str, Any]:
    _check_keys(settings, folder)
    file = find_sqlite_file(settings.database_url)
    if (file is None) != (manifest.database == "postgresql"):
        raise BackupDamagedError(f"The backup is one of {manifest.database}, and the settings name another database.")
    known = read_published(settings.data_dir)
    copy_private_tree(folder / KEYS, settings.data_dir / KEYS)
    if file is None:
        size = await _restore_postgres(settings, folder, known)
    else:
        size = await _restore_sqlite(settings, folder, file, known)
    if known is None and (folder / PUBLISHED_FILE).exists():
        create_private_file(settings.data_dir / PUBLISHED_FILE, (folder / PUBLISHED_FILE).read_bytes())
    remembered = known is not None or bool(settings.log_witnesses)
    return {"restored": manifest.made_at, "log_size": size, "published_log_known": remembered}


def restore(
    source: Annotated[Path, typer.Argument(help="Folder that backup made.")],
    as_json: JsonOption = False,
) -> None:
    """Put a backup in place of the database; stop the service first. The database of before is renamed, not deleted.

    Refuses a copy whose log is smaller than, or another than, what was published, as far as the data directory or a
    witness remembers: signed on, it would be a second history. PostgreSQL needs an empty database.
    """
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    done = asyncio.run(_restore(settings, source, read_manifest(source)))
    _print(done, as_json=as_json)
    if not done["published_log_known"]:
        typer.echo("Nothing here remembers what the log published after this copy was made.", err=True)
