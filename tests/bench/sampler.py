"""Run the service with a thread that looks, every few milliseconds, where its threads are.

Started in place of ``python -m service``. It samples while the file that ``BENCH_PROFILE`` names is there, and answers
into another beside it. Profilers that trace every call would distort what they measure.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from service.__main__ import main
from tests.bench.stages import WAITING, find_stage

PERIOD_S = 0.002
_SWITCH_INTERVAL_S = 0.00002  # by default the loop would keep the interpreter for 5 ms, and be seen where it waits
_POLL_S = 0.02


def answer_file(trigger: Path) -> Path:
    """Return where the samples are written."""
    return trigger.with_suffix(".json")


def _walk(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_code.co_name
        frame = frame.f_back


def _read_cpu(ident: int) -> float:
    return time.clock_gettime(time.pthread_getcpuclockid(ident))


def _sample(trigger: Path, loop_thread: int) -> dict[str, object]:
    found: Counter[str] = Counter()
    ticks, loop_ticks, own_thread = 0, 0, threading.get_ident()
    started, cpu, loop_cpu = time.perf_counter(), time.process_time(), _read_cpu(loop_thread)
    own_cpu = time.thread_time()
    while trigger.exists():
        ticks += 1
        for ident, frame in sys._current_frames().items():
            stage = WAITING if ident == own_thread else find_stage(_walk(frame))
            if stage != WAITING:
                found[stage] += 1
                loop_ticks += ident == loop_thread
        time.sleep(PERIOD_S)
    loop_seconds, own_seconds = _read_cpu(loop_thread) - loop_cpu, time.thread_time() - own_cpu
    return {
        "samples": dict(found),
        "ticks": ticks,
        "loop_ticks": loop_ticks,
        "wall_seconds": time.perf_counter() - started,
        "loop_seconds": loop_seconds,
        "other_seconds": time.process_time() - cpu - loop_seconds - own_seconds,
    }


def _watch(trigger: Path, loop_thread: int) -> None:
    while True:
        if trigger.exists():
            sys.setswitchinterval(_SWITCH_INTERVAL_S)
            found = _sample(trigger, loop_thread)
            draft = trigger.with_suffix(".draft")
            draft.write_text(json.dumps(found))
            draft.rename(answer_file(trigger))
        time.sleep(_POLL_S)


if __name__ == "__main__":
    watched = (Path(os.environ["BENCH_PROFILE"]), threading.get_ident())
    threading.Thread(target=_watch, args=watched, daemon=True).start()
    main()
