"""The service with a clock that is off by as many seconds as a file says: ``python -m tests.faults.stepped_service``.

Everything else is what ``serve`` runs; only the reading of the wall clock is put through ``step``.
"""

import argparse
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn

from service.app import create_app
from service.composition import read_clock
from service.settings import load_settings
from service.web.logs import configure_logs

STEPPED = ("-m", "tests.faults.stepped_service")
STEP_FILE = "GOODSTANDING_TEST_STEP_FILE"


def step(file: Path) -> Callable[[], datetime]:
    """Return a clock that is off by the seconds in ``file``, which may change at any time."""

    def read_stepped_clock() -> datetime:
        return read_clock() + timedelta(seconds=float(file.read_text()))

    return read_stepped_clock


def main() -> None:
    """Serve on ``--port`` until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    settings = load_settings()
    configure_logs(settings.log_level)
    file = os.environ.get(STEP_FILE)
    app = create_app(settings, clock=step(Path(file)) if file else read_clock)
    uvicorn.run(app, port=parser.parse_args().port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
