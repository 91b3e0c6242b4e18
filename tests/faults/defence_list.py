"""The defences of the gate and the log against faults, each with the test that fails without it."""

from dataclasses import dataclass

FAULTS = "tests/faults"


@dataclass(frozen=True, slots=True)
class Defence:
    """One defence.

    Attributes:
        name: What it is.
        file: Where it stands.
        text: How it is written, exactly; every occurrence is replaced.
        replacement: What is left without it.
        test: Test that must fail then.
    """

    name: str
    file: str
    text: str
    replacement: str
    test: str


DEFENCES = (
    Defence(
        "row lock of the security",
        "service/gate/securities.py",
        "with_for_update=lock or None, populate_existing=lock",
        "populate_existing=lock",
        f"{FAULTS}/test_cap_storm.py::test_two_processes_two_venues_one_dies",
    ),
    Defence(
        "expiry of reservations",
        "service/gate/reservations.py",
        "col(Reservation.expires_at) <= now,",
        "col(Reservation.expires_at) <= datetime.min.replace(tzinfo=now.tzinfo),",
        f"{FAULTS}/test_cap_storm.py::test_one_process_on_sqlite_dies_while_it_writes_and_starts_again",
    ),
    Defence(
        "commit before the answer",
        "service/storage/database.py",
        "            session.begin(),\n        ):\n            yield session",
        "        ):\n            yield session\n            try:\n                await session.commit()\n"
        "            except Exception:\n                await session.rollback()",
        "tests/http/test_failed_commit.py::test_gating",
    ),
    Defence(
        "clock check",
        "service/gate/transfers.py",
        "if latest - reading > CLOCK_TOLERANCE:",
        "if latest - reading > 10_000 * CLOCK_TOLERANCE:",
        f"{FAULTS}/test_clocks.py::test_a_clock_that_is_set_back[sqlite]",
    ),
    Defence(
        "time never goes back",
        "service/gate/transfers.py",
        "        return latest\n    head.decided_at = reading",
        "        return reading\n    head.decided_at = reading",
        f"{FAULTS}/test_clocks.py::test_a_clock_that_is_set_back[sqlite]",
    ),
    Defence(
        "limits as CHECK constraint",
        "service/storage/migrations/versions/0003_counters.py",
        "owner_limit INTEGER CONSTRAINT ck_security_limits CHECK ({LIMITS_CHECK})",
        "owner_limit INTEGER",
        f"{FAULTS}/test_last_lines.py::test_counters_beyond_their_bounds",
    ),
    Defence(
        "unique idempotency key",
        "service/storage/migrations/versions/0001_initial_schema.py",
        '        sa.UniqueConstraint("org_id", "idempotency_key", name="uq_transfer_idempotency"),\n',
        "",
        f"{FAULTS}/test_last_lines.py::test_a_second_decision_under_one_key",
    ),
    Defence(
        "primary key of an ending",
        "service/storage/migrations/versions/0001_initial_schema.py",
        'name="ck_reservation_ending_state"),\n        sa.PrimaryKeyConstraint("org_id", "transfer_id"),',
        'name="ck_reservation_ending_state"),',
        f"{FAULTS}/test_last_lines.py::test_a_second_ending_of_one_reservation",
    ),
    Defence(
        "a prompt 503 from a full pool",
        "service/storage/database.py",
        "async with asyncio.timeout(POOL_TIMEOUT_S):",
        "async with asyncio.timeout(None):",
        f"{FAULTS}/test_storage_faults.py::test_a_pool_of_connections_that_all_hang",
    ),
    Defence(
        "an outage is a 503",
        "service/storage/database.py",
        '    return str(getattr(error.orig, "sqlstate", None) or "").startswith(_OUTAGES)',
        "    return False",
        f"{FAULTS}/test_storage_faults.py::test_a_postgres_that_takes_no_writes",
    ),
    Defence(
        "settlement checks again",
        "service/gate/settlement.py",
        'if assessment.verdict.outcome != "permit":',
        'if assessment.verdict.outcome == "review":',
        "tests/flows/test_reservations.py::test_settling_checks_again",
    ),
    Defence(
        "published checkpoint",
        "service/log/history.py",
        "if published is not None and published.size > size:",
        "if published is not None and published.size > size + 10**9:",
        "tests/flows/test_log.py::test_a_restored_backup_signs_no_smaller_tree",
    ),
    Defence(
        "lock of the sequencer",
        "service/storage/log.py",
        'if session.get_bind().dialect.name != "postgresql":',
        "if True:",
        "tests/flows/test_log.py::test_two_sequencers_at_once_make_one_history",
    ),
)
