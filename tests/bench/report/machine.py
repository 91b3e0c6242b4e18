"""What the numbers were measured on."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader must know to compare."""

    commit: str
    measured_on: str
    python: str
    processor: str
    cores: int
    database: str

    def describe(self) -> str:
        """Return one line."""
        return (
            f"Commit `{self.commit}`, {self.measured_on}, {self.database}, Python {self.python}, "
            f"{self.cores} cores of {self.processor}; client, service and database share them."
        )


def describe_machine(database: str) -> Machine:
    """Describe this machine and checkout; ``database`` names kind and version."""
    return Machine(
        commit=_read_commit(),
        measured_on=datetime.now(UTC).date().isoformat(),
        python=platform.python_version(),
        processor=_read_processor(),
        cores=os.cpu_count() or 1,
        database=database,
    )


def _read_commit() -> str:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit} with changes" if git("status", "--porcelain", "--", "service") else commit


def _read_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
