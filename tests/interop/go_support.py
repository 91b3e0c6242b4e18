"""An independent checker of the log: a small Go program around the Go project's own code for such logs."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.requirements_support import require_or_skip, require_program

SOURCES = Path(__file__).parent / "log_checker"
GO_PATH = Path("/usr/share/gocode")  # where Debian's packages of Go libraries put their sources


@dataclass(frozen=True)
class LogChecker:
    """The built program."""

    program: Path

    def check(self, url: str, vkey: str, *options: str) -> tuple[int, str]:
        """Return exit code and everything that was printed."""
        finished = subprocess.run(
            [self.program, "-url", url, "-vkey", vkey, *options], capture_output=True, text=True, timeout=60
        )
        return finished.returncode, finished.stdout + finished.stderr


def build_log_checker(folder: Path) -> LogChecker:
    """Build the checker, or end the test because Go or its library is missing; nothing is downloaded."""
    go = require_program("go", package="golang")
    if not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        require_or_skip("golang-golang-x-mod-dev", f"no golang.org/x/mod under {GO_PATH}")
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(GO_PATH),
        "GOFLAGS": "",
        "GOPROXY": "off",
        "GOCACHE": str(folder / "cache"),
    }
    program = folder / "log_checker"
    subprocess.run([go, "build", "-o", program, "."], cwd=SOURCES, env=environment, check=True, timeout=300)
    return LogChecker(program)
