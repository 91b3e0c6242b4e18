"""What ``doctor`` asks of the open deployment, one function a question; none of them changes anything."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from sqlalchemy import text
from sqlmodel import col, select

from service.cli.doctor_findings import Examined, Finding
from service.credentials.jose import load_key, verify_raw_signature
from service.errors import ServiceError
from service.fetch import Fetcher
from service.log.history import check_history, read_published
from service.log.identity import describe_log
from service.storage.log import read_log_progress, read_newest_checkpoint
from service.storage.migrate import SchemaOutdatedError, check_schema
from service.storage.tables import HeldStatusList, SigningKey
from service.web.probes import is_stalled
from service.web.signing import ENCRYPTION

CLOCK_TOLERANCE = timedelta(seconds=10)  # what tokens and proofs tolerate
CERTIFICATE_NOTICE = timedelta(days=30)
OLDEST_POSTGRESQL = 15
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")
_CHALLENGE = b"goodstanding doctor"


async def check_version(examined: Examined) -> Finding:
    """Is the database's schema of this version? Without it nothing else can be asked."""
    try:
        await check_schema(examined.context.database)
    except SchemaOutdatedError as error:
        return Finding("schema", "fail", error.detail, "Stop the service, back it up, run init, start it again.")
    return Finding("schema", "ok", "The newest.")


async def check_durability(examined: Examined) -> Finding:
    """Does the database keep what it confirmed?"""
    if examined.context.database.is_sqlite:
        return Finding("database", "ok", "SQLite, every commit is synced.")
    async with examined.context.database.reading() as session:
        connection = await session.connection()
        names = ("server_version_num", *_DURABLE)
        shown = {name: (await connection.execute(text(f"SHOW {name}"))).scalar_one() for name in names}
    off = [name for name in _DURABLE if shown[name] == "off"]
    if off:
        detail = f"After a crash acknowledged decisions may be gone: {', '.join(off)} off."
        return Finding("database", "fail", detail, "Switch on what is off.")
    major = int(shown["server_version_num"]) // 10_000
    if major < OLDEST_POSTGRESQL:
        return Finding("database", "warn", f"PostgreSQL {major} is untested.", f"Use {OLDEST_POSTGRESQL} or later.")
    return Finding("database", "ok", f"PostgreSQL {major}, every commit is synced.")


async def check_clock(examined: Examined) -> Finding:
    """Do this machine and the database agree about the time?"""
    context = examined.context
    async with context.database.reading() as session:
        there = await context.database_clock(await session.connection())
    apart = abs(context.clock() - there)
    detail = f"{apart.total_seconds():.1f} s from the database's clock."
    if apart > CLOCK_TOLERANCE:
        return Finding("clock", "fail", detail, "Set both by NTP: reservations expire by the database's clock.")
    return Finding("clock", "ok", detail)


async def check_keys(examined: Examined) -> Finding:
    """Can every key that signs now be used, and is it the published one?"""
    async with examined.context.database.reading() as session:
        query = select(SigningKey).where(col(SigningKey.retired_at).is_(None), col(SigningKey.purpose) != ENCRYPTION)
        rows = (await session.exec(query)).all()
    broken = [f"{row.purpose} of {row.org_id}" for row in rows if not _signs(examined, row)]
    if broken or not rows:
        names = ", ".join(broken) or "the deployment has none"
        return Finding(
            "keys", "fail", f"Not usable: {names}.", "Restore DATA_DIR/keys from the backup of this database."
        )
    return Finding("keys", "ok", f"{len(rows)} signing keys open and sign as published.")


def _signs(examined: Examined, row: SigningKey) -> bool:
    try:
        signature = examined.context.signer.signing_function(row.kid)(_CHALLENGE)
        verify_raw_signature(signature, _CHALLENGE, load_key(row.public_jwk, alg=row.alg, kid=row.kid))
    except ServiceError:
        return False
    return True


async def check_certificates(examined: Examined) -> Finding:
    """Does a certificate of a key end soon?"""
    soon = examined.context.clock() + CERTIFICATE_NOTICE
    async with examined.context.database.reading() as session:
        query = select(SigningKey).where(
            col(SigningKey.retired_at).is_(None), col(SigningKey.certified_until).is_not(None)
        )
        rows = (await session.exec(query)).all()
    ending = [f"{row.purpose} of {row.org_id}" for row in rows if row.certified_until and row.certified_until < soon]
    if ending:
        remedy = "See `keys request-certificate` and `keys import-certificate`."
        return Finding("certificates", "warn", f"Within 30 days ends that of {', '.join(ending)}.", remedy)
    return Finding("certificates", "ok", f"{len(rows)} in use, none ends within 30 days.")


async def check_log(examined: Examined) -> Finding:
    """Does the log continue what was published, and keep up?"""
    context = examined.context
    async with context.database.reading() as session:
        connection = await session.connection()
        newest = await read_newest_checkpoint(connection, published=False)
        try:
            await check_history(connection, newest, read_published(context.data_dir))
        except ServiceError as error:
            remedy = "Don't sign on: restore the newest backup, then run `log verify --database`."
            return Finding("log", "fail", error.detail, remedy)
        progress = await read_log_progress(connection)
    if is_stalled(progress, context.clock()):
        return Finding("log", "fail", "Entries wait and nothing was signed for 5 s.", "Is the service running?")
    return Finding("log", "ok", f"{newest.tree_size if newest else 0} entries, continuing what was published.")


async def check_status_lists(examined: Examined) -> Finding:
    """Are the status lists of other issuers fresh?"""
    now = examined.context.clock()
    async with examined.context.database.reading() as session:
        rows = (await session.exec(select(HeldStatusList.uri, HeldStatusList.expires_at))).all()
    stale = {uri for uri, expires_at in rows if expires_at is not None and expires_at < now}
    if stale:
        detail = f"{len(stale)} of {len(rows)} lists of other issuers are past their end."
        return Finding(
            "status lists", "warn", detail, "Decisions that rest on them become undetermined: ask the issuer."
        )
    return Finding("status lists", "ok", f"{len(rows)} lists of other issuers, none past its end.")


async def check_service(examined: Examined) -> Finding:
    """Is what answers at the base URL this deployment, and is it ready?"""
    context = examined.context
    async with context.database.reading() as session:
        ours = await describe_log(session, context.base_url, context.clock())
    fetcher = Fetcher(examined.settings.fetch_allow, allow_loopback=True)
    try:
        answer = await fetcher.get(f"{context.base_url}/.well-known/goodstanding-log")
        shown = json.loads(answer.body) if answer.status == 200 else None
        port = examined.settings.admin_port
        probe = f"http://localhost:{port}/readyz" if port else f"{context.base_url}/readyz"
        ready = (await fetcher.get(probe)).status == 200
    except (ServiceError, ValueError):
        return Finding(
            "service", "fail", f"{context.base_url} does not answer.", "Start it: `python -m service serve`."
        )
    finally:
        await fetcher.close()
    if not isinstance(shown, dict) or shown.get("vkey") != ours["vkey"]:
        remedy = "Compare GOODSTANDING_BASE_URL and the proxy in front of the service."
        return Finding("service", "fail", f"{context.base_url} is answered by another deployment.", remedy)
    if not ready:
        return Finding("service", "fail", "It answers and is not ready.", "Its /readyz says why.")
    return Finding("service", "ok", f"{context.base_url} is this deployment, and ready.")


Check = Callable[[Examined], Awaitable[Finding]]
CHECKS: Sequence[Check] = (
    check_version,
    check_durability,
    check_clock,
    check_keys,
    check_certificates,
    check_log,
    check_status_lists,
    check_service,
)
