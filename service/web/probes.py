"""Probes and metrics for operators."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.credentials.cosignature import list_missing_witnesses
from service.errors import UnavailableError
from service.settings import read_metrics_folder
from service.storage.log import LogProgress, read_log_progress, read_newest_checkpoint
from service.web.dependencies import ContextDep
from service.web.openapi import answers_media

DATABASE_TIMEOUT_S = 2.0
LOG_PATIENCE = timedelta(seconds=5)
router = APIRouter(tags=["operations"])


class NotReadyError(UnavailableError):
    """The process runs and cannot serve yet or any more."""

    code = "not_ready"


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Tell that the process runs."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(context: ContextDep) -> dict[str, Any]:
    """Tell whether requests can be served: the database answers within two seconds, and the log keeps up.

    Where witnesses are set, ``witnesses_missing`` names those whose cosignature the published checkpoint lacks.
    """
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_S), context.database.reading() as session:
            progress = await read_log_progress(session)
            published = await read_newest_checkpoint(session, published=True) if context.witnesses else None
    except Exception as error:  # whatever keeps the database from answering, we are not ready
        raise NotReadyError("The database does not answer.") from error
    if is_stalled(progress, context.clock()):
        raise NotReadyError("Audit entries wait, and no checkpoint of the log was signed for too long.")
    if published is None:
        return {"status": "ok"}
    missing = list_missing_witnesses(published.note, context.witnesses)
    return {"status": "ok", "witnesses_missing": [each.key.name for each in missing]}


def is_stalled(progress: LogProgress, now: datetime) -> bool:
    """Tell whether audit entries have waited for the log for too long."""
    if progress.waiting_since is None:
        return False
    return now - max(progress.waiting_since, progress.signed_at or progress.waiting_since) > LOG_PATIENCE


@router.get("/metrics", responses=answers_media(CONTENT_TYPE_LATEST.partition(";")[0]))
async def metrics() -> Response:
    """Return Prometheus metrics, of all workers together."""
    registry = REGISTRY
    if folder := read_metrics_folder():
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]  # the library does not annotate it
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
