"""Every line of the log is JSON, whoever writes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
SCRIPT = """
import logging, structlog
from service.web.logs import configure_logs
configure_logs("INFO")
structlog.get_logger("ours").info("request", status=200)
logging.getLogger("uvicorn.error").info("started")
logging.getLogger("uvicorn.error").warning("Invalid %s request received.", "HTTP")
secret = "canary"
try:
    int("x")
except ValueError as error:
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
"""


def test_every_line_is_json() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert [line["event"] for line in lines] == [
        "request",
        "Invalid HTTP request received.",
        "Exception in ASGI application",
    ]
    assert all(line["level"] and line["timestamp"] for line in lines)
    assert lines[2]["exception"][0]["exc_type"] == "ValueError"
    assert "canary" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_log_that_cannot_be_written_fails_nobody() -> None:
    ending = "\nprint('went on', file=sys.stderr)\nos._exit(0)"
    with FULL.open("w") as full:
        command = [sys.executable, "-c", "import os, sys" + SCRIPT + ending]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "went on"
