"""Every line of the log is JSON, whoever writes it."""

import json
import subprocess
import sys

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
