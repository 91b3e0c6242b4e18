"""The browser of the tests: the system's Chromium, shut off from every other machine."""

import os
import shutil

from tests.requirements_support import require_or_skip

ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-pings",
    "--no-proxy-server",
    "--disable-dev-shm-usage",  # a container's may be too small
    *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium refuses to run as root with one
]


def find_chromium() -> str:
    """Return the program's path, or end the test because there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return found or require_or_skip("chromium", "no program chromium on PATH")
