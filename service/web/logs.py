"""Structured logs: one JSON object a line, ids and codes only, never claims, names, tokens or paths."""

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer


class _Output:
    """Standard output for as long as it takes lines: whoever asks must not suffer from a log on a full disk."""

    def write(self, line: str) -> None:
        with suppress(OSError):
            sys.stdout.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stdout.flush()


def configure_logs(level: str) -> None:
    """Set up structlog and silence libraries that would log addresses or statements."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final: list[Any] = [
        # Local variables stay out of traces: they may hold personal data.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Output())),
        cache_logger_on_first_use=True,
    )
    # What libraries have to say, such as the server of a request that is no HTTP, is a line of the same kind.
    handler = logging.StreamHandler()
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove_meta, *final])
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("uvicorn.access", "httpx2", "sqlalchemy.engine", "aiosqlite"):
        logging.getLogger(name).setLevel(logging.WARNING)
