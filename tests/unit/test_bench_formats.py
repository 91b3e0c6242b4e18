"""The benchmark of formats measures verifications that succeed."""

from tests.bench.formats import measure_formats
from tests.bench.rounds import Pace


async def test_every_format_is_verified_and_related_to_a_raw_verification() -> None:
    rows = [row async for row in measure_formats(Pace(1, 0.02))]
    p256, ed25519 = "one P-256 verification", "one Ed25519 verification"
    assert [row.against for row in rows] == [p256, p256, ed25519, p256, ed25519, p256, p256]
    assert all(0 < row.ratio < 1 for row in rows)
