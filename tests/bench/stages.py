"""Which part of a decision a stack belongs to. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

WAITING = "waiting"
EVENT_LOOP = "event loop itself, or too short to be seen"
OTHER = "other"
_IDLE = frozenset(
    {
        ("runners.py", "run"),
        ("selectors.py", "select"),
        ("thread.py", "_worker"),
        ("core.py", "_connection_worker_thread"),
        ("popen_spawn_posix.py", "poll"),
        ("popen_fork.py", "poll"),
        ("connection.py", "wait"),
        ("threading.py", "wait"),
    }
)
"""Where threads wait for work."""
_CALLS = {
    "do_execute": "database: SQLite, statements",
    "do_executemany": "database: SQLite, statements",
    "do_begin": "database: SQLite, begin",
    "do_commit": "database: SQLite, commit",
}
"""Where SQLAlchemy calls a driver that answers in the same thread."""
_STAGES = (
    ("/sqlalchemy/orm/", "database: ORM"),
    ("/sqlmodel/", "database: ORM"),
    ("/sqlalchemy/dialects/", "database: driver and its adapter"),
    ("/asyncpg/", "database: driver and its adapter"),
    ("/aiosqlite/", "database: driver and its adapter"),
    ("/sqlalchemy/", "database: SQLAlchemy Core"),
    ("/service/rules/", "rules"),
    ("/service/keys/data_key", "standing: keys, credentials, trust, statuses"),
    ("/service/keys/", "signature"),
    ("/service/credentials/jose", "signature"),
    ("/service/log/", "log: sequencer"),
    ("/service/storage/log", "log: sequencer"),
    ("/service/credentials/merkle", "log: sequencer"),
    ("/service/credentials/tlog_tiles", "log: sequencer"),
    ("/service/credentials/signed_note", "log: sequencer"),
    ("/service/storage/audit", "audit entry"),
    ("/service/credentials/commitment", "audit entry"),
    ("/service/gate/bundle", "bundle, payload and answer"),
    ("/service/gate/decision", "bundle, payload and answer"),
    ("/service/gate/projections", "bundle, payload and answer"),
    ("/service/gate/redaction", "bundle, payload and answer"),
    ("/service/gate/fact_sheet", "facts"),
    ("/service/gate/facts", "facts"),
    ("/service/gate/party_facts", "facts"),
    ("/service/gate/qualification_facts", "facts"),
    ("/service/gate/register_facts", "facts"),
    ("/service/gate/verdict", "facts"),
    ("/service/gate/transfer_models", "HTTP: parse, check, answer"),
    ("/service/gate/transfers_api", "HTTP: parse, check, answer"),
    ("/service/gate/part", "standing: keys, credentials, trust, statuses"),
    ("/service/gate/held_credentials", "standing: keys, credentials, trust, statuses"),
    ("/service/storage/personal_data", "standing: keys, credentials, trust, statuses"),
    ("/service/storage/subject_keys", "standing: keys, credentials, trust, statuses"),
    ("/service/storage/sta", "standing: keys, credentials, trust, statuses"),
    ("/service/storage/trust", "standing: keys, credentials, trust, statuses"),
    ("/service/gate/", "gate: the rest (state, reservations)"),
    ("/service/storage/", "database: reads and writes of rows"),
    ("/service/web/auth", "HTTP: access token"),
    ("/service/web/", "HTTP: parse, check, answer"),
    ("/fastapi/", "HTTP: parse, check, answer"),
    ("/starlette/", "HTTP: parse, check, answer"),
    ("/pydantic/", "HTTP: parse, check, answer"),
    ("/uvicorn/", "HTTP: parse, check, answer"),
)
"""The first whose fragment is in the path of a frame; the innermost frame that has one decides."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What sampling a process showed.

    Attributes:
        samples: How often a thread was found in each stage; whoever waits for work isn't counted.
        ticks: How often was looked.
        loop_ticks: How often the event loop's thread was in any stage.
        wall_seconds: How long was sampled.
        loop_seconds: Processor time of the event loop's thread in that time.
        other_seconds: Processor time of all other threads but the sampler's.
    """

    samples: Mapping[str, int]
    ticks: int
    loop_ticks: int
    wall_seconds: float
    loop_seconds: float
    other_seconds: float

    @property
    def shares(self) -> dict[str, float]:
        """The share of each stage in the time in which threads worked, largest first.

        Samples cannot tell an event loop that waits from one that reads and writes; its processor time can.
        """
        parts = {stage: count / self.ticks for stage, count in self.samples.items()}
        parts[EVENT_LOOP] = max(0.0, self.loop_seconds / self.wall_seconds - self.loop_ticks / self.ticks)
        total = sum(parts.values())
        return {stage: part / total for stage, part in sorted(parts.items(), key=lambda item: -item[1]) if part}


def find_stage(frames: Iterable[tuple[str, str]]) -> str:
    """Return the stage of a stack.

    Args:
        frames: File and function of each frame, innermost first.
    """
    ordered = list(frames)
    if not ordered or (ordered[0][0].rpartition("/")[2], ordered[0][1]) in _IDLE:
        return WAITING
    for file, function in ordered:
        if function in _CALLS and file.endswith("/sqlalchemy/engine/default.py"):
            return _CALLS[function]
        for fragment, stage in _STAGES:
            if fragment in file:
                return stage
    return OTHER
