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


_RUN_AND_COMMIT = """
            return await run_batch(connection, context, self.cache, asks)

        return await context.database.write(work)
"""
_ANSWER_WHATEVER_COMES_OF_THE_COMMIT = """
            early.extend(await run_batch(connection, context, self.cache, asks))
            return early

        early: list[Result] = []
        try:
            return await context.database.write(work)
        except Exception:
            if early:
                return early
            raise
"""

DEFENCES = (
    Defence(
        "row lock of the security",
        "service/gate/register_reading.py",
        "return query.with_for_update() if lock else query",
        "return query",
        f"{FAULTS}/test_cap_storm.py::test_two_processes_two_venues_one_dies",
    ),
    Defence(
        "expiry of reservations",
        "service/gate/reservations.py",
        "    return [held for held in register.held.values() if held.row.expires_at <= now]",
        "    return []",
        f"{FAULTS}/test_cap_storm.py::test_one_process_on_sqlite_dies_while_it_writes_and_starts_again",
    ),
    Defence(
        "commit before the answer",
        "service/gate/pipeline.py",
        _RUN_AND_COMMIT,
        _ANSWER_WHATEVER_COMES_OF_THE_COMMIT,
        "tests/http/test_failed_commit.py::test_gating[postgresql]",
    ),
    Defence(
        "one answer for one key",
        "service/gate/batch.py",
        "    return {(row.org_id, row.idempotency_key): row for row in rows}",
        "    return {}",
        "tests/flows/test_transfers.py::test_one_key_makes_one_decision_however_often_and_at_once",
    ),
    Defence(
        "clocks of process and database",
        "service/gate/inquiries.py",
        "if abs(reading - database_reading) > CLOCK_TOLERANCE:",
        "if abs(reading - database_reading) > 10_000 * CLOCK_TOLERANCE:",
        f"{FAULTS}/test_clocks.py::test_a_clock_that_is_ahead[sqlite]",
    ),
    Defence(
        "time never goes back",
        "service/gate/inquiries.py",
        "        if latest - reading > CLOCK_TOLERANCE:",
        "        if latest - reading > 10_000 * CLOCK_TOLERANCE:",
        "tests/flows/test_transfers.py::test_a_clock_that_runs_behind_decides_nothing",
    ),
    Defence(
        "rows that never change",
        "service/storage/migrations/versions/0010_sealed_for_the_person.py",
        'allowed = " AND ".join([change, *(f"NEW.{name} {same} OLD.{name}" for name in kept)])',
        'allowed = "1 = 1"',
        f"{FAULTS}/test_last_lines.py::test_a_reservation_or_an_ending_that_changes",
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
        "published checkpoint",
        "service/log/history.py",
        "if published is not None and published.size > size:",
        "if published is not None and published.size > size + 10**9:",
        "tests/flows/test_log.py::test_a_restored_backup_signs_no_smaller_tree",
    ),
    Defence(
        "settlement checks again",
        "service/gate/settlement.py",
        '    if assessment.verdict.outcome != "permit":',
        '    if assessment.verdict.outcome == "review":',
        "tests/flows/test_reservations.py::test_settling_checks_again",
    ),
    Defence(
        "lock of the sequencer",
        "service/storage/log.py",
        'if connection.dialect.name != "postgresql":',
        "if True:",
        f"{FAULTS}/test_cap_storm.py::test_two_processes_two_venues_one_dies",
    ),
    Defence(
        "one checkpoint after another",
        "service/storage/migrations/versions/0004_transparency_log.py",
        '        sa.UniqueConstraint("previous_size"),\n',
        "",
        f"{FAULTS}/test_last_lines.py::test_two_checkpoints_that_continue_the_same_one",
    ),
)
