"""Long runs with atheris, which follows the branches that an input takes: ``make fuzz ARGS="--seconds 600 dcql"``.

A find ends the run of its target and is left in ``fuzz-finds/``; inputs that reached something new join the corpus.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.corpus import read_corpus, write_corpus
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import MAX_INPUT, TARGETS

NEEDS = """\
make fuzz needs atheris, which the lock file leaves out because it is built for fewer platforms than the service:
    .venv/bin/python -m pip install 'atheris>=3'
The saved corpus and new mutations of it run without it in every `make test`.
"""
FINDS = Path("fuzz-finds")
MAX_SAVED = 2_048  # bytes of an input, and how many of a target are kept at most
MAX_INPUTS = 60


def main() -> int:
    """Run each target for a while; return 1 if one of them found something, 2 without atheris."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="target", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write(NEEDS)
        return 2
    return max([_run(target, arguments.seconds) for target in arguments.targets or TARGETS])


def _run(target: str, seconds: int) -> int:
    """Run a target in a process of its own, then keep some of the inputs that reached new branches."""
    FINDS.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.child", target]
    limits = [
        f"-max_len={MAX_INPUT}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={FINDS}/{target}-",
        "-verbosity=0",
    ]
    with tempfile.TemporaryDirectory() as found:
        for number, data in enumerate([*SEEDS[target], *read_corpus(target)]):
            (Path(found) / str(number)).write_bytes(data)
        print(f"{target}: {seconds} s", flush=True)
        ran = subprocess.run([*command, *limits, f"-max_total_time={seconds}", found], check=False)
        inputs = sorted((path.read_bytes() for path in Path(found).iterdir()), key=len)
    small = [data for data in inputs if len(data) <= MAX_SAVED and data not in SEEDS[target]]
    write_corpus(target, small[:: -(-len(small) // MAX_INPUTS) or 1])
    return int(ran.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
