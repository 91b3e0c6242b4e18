"""The log over HTTP: what everybody may read, and the receipts of decisions for their owners."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.credentials.commitment import CommitmentError
from service.credentials.merkle import EMPTY_ROOT, InclusionProofError, Span, hash_leaf, verify_consistency
from service.credentials.receipt import MalformedReceiptError, verify_receipt
from service.credentials.signed_note import (
    MalformedNoteError,
    NoteSignatureError,
    VerifierKey,
    open_checkpoint,
    parse_vkey,
)
from service.credentials.tlog_tiles import TileId, extend_tiles, hash_span, unpack_entries
from service.errors import VerificationError
from service.keys.files import replace_private_file
from service.log.history import PUBLISHED_FILE
from service.log.verification import verify_log
from tests.deployment import Deployment, running_deployment
from tests.gate_support import Market, open_market
from tests.log_support import read_when_included


@pytest.fixture
async def market(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Market]:
    async with running_deployment(sqlite_url, tmp_path, with_sequencer=True) as deployment:
        yield await open_market(deployment)


class PublicLog:
    """The log as a stranger reads it."""

    def __init__(self, deployment: Deployment) -> None:
        self._http = deployment.http

    async def read(self, path: str) -> bytes | None:
        answer = await self._http.get(f"/log/{path}")
        assert answer.status_code in (200, 404)
        return answer.content if answer.status_code == 200 else None

    async def read_checkpoint(self) -> bytes | None:
        return await self.read("checkpoint")

    async def read_tile(self, tile: TileId, width: int) -> bytes | None:
        level = "entries" if tile.level < 0 else tile.level
        suffix = "" if width == 256 else f".p/{width}"
        return await self.read(f"tile/{level}/{tile.index:03d}{suffix}")


async def read_keys(deployment: Deployment) -> list[VerifierKey]:
    described = (await deployment.http.get("/.well-known/goodstanding-log")).json()
    assert described["url"] == "http://localhost:8000/log"
    assert described["vkey"] == described["vkeys"][0]
    return [parse_vkey(each) for each in described["vkeys"]]


async def get_receipt(market: Market, **buy: Any) -> dict[str, Any]:
    decision = await market.decide(market.buy("alice", **buy))
    included = await read_when_included(market, decision)
    receipt: dict[str, Any] = await market.read(f"/v1/transfers/{decision['id']}/receipt")
    assert receipt["index"] == included["log"]["index"]
    assert receipt["record"]["record"]["decision_hash"] == decision["decision_hash"]
    return receipt


async def test_a_stranger_can_check_the_whole_log(market: Market) -> None:
    await get_receipt(market)
    keys = await read_keys(market.deployment)
    report = await verify_log(PublicLog(market.deployment), expected_keys=keys, saved=None)
    assert report.problems == []
    assert len(report.entries) > 5
    assert all(len(entry) == 32 for entry in report.entries)


async def test_a_receipt_is_verified_without_asking_anybody(market: Market) -> None:
    receipt = await get_receipt(market)
    keys = await read_keys(market.deployment)
    assert verify_receipt(receipt, expected_keys=keys).size > receipt["index"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"index": 0}, InclusionProofError),
        ({"index": -1}, InclusionProofError),
        ({"nonce": "A" * 43 + "="}, InclusionProofError),
        ({"record": {"kind": "transfer.decided"}}, InclusionProofError),
        ({"record": {"kind": 2**80}}, CommitmentError),
        ({"inclusion_proof": []}, InclusionProofError),
        ({"index": True}, MalformedReceiptError),
        ({"index": None}, MalformedReceiptError),
        ({"nonce": "AAAA"}, MalformedReceiptError),
        ({"nonce": None}, MalformedReceiptError),
        ({"inclusion_proof": ["!"]}, MalformedReceiptError),
        ({"inclusion_proof": ["A" * 43 + "="] * 65}, MalformedReceiptError),
        ({"inclusion_proof": None}, MalformedReceiptError),
        ({"record": None}, MalformedReceiptError),
        ({"checkpoint": None}, MalformedReceiptError),
        ({"checkpoint": "x"}, MalformedNoteError),
    ],
)
async def test_a_changed_receipt_proves_nothing(market: Market, changes: dict[str, Any], error: type) -> None:
    receipt, keys = await get_receipt(market), await read_keys(market.deployment)
    with pytest.raises(error):
        verify_receipt(receipt | changes, expected_keys=keys)


async def test_a_receipt_needs_a_checkpoint_of_a_trusted_log(market: Market) -> None:
    receipt, [key] = await get_receipt(market), await read_keys(market.deployment)
    for stranger in (VerifierKey("log.example", key.public_key), VerifierKey(key.name, bytes(32))):
        with pytest.raises(NoteSignatureError):
            verify_receipt(receipt, expected_keys=[stranger])
    forged = receipt["checkpoint"].replace("\n" + str(verify_receipt(receipt, expected_keys=[key]).size), "\n9999")
    with pytest.raises(VerificationError):
        verify_receipt(receipt | {"checkpoint": forged}, expected_keys=[key])


async def test_the_first_answer_says_pending_and_so_does_its_repetition(market: Market) -> None:
    request = market.buy("alice")
    first = await market.post(request, key="once")
    assert first.json()["log"] == {"state": "pending", "index": None}
    await read_when_included(market, first.json())
    again = await market.post(request, key="once")
    assert again.content == first.content


async def test_a_receipt_is_its_owners_and_waits_for_the_log(market: Market) -> None:
    decision = await market.decide(market.buy("alice"))
    stranger = await market.deployment.add_organization("stranger", "platform")
    path = f"/v1/transfers/{decision['id']}/receipt"
    headers = await market.deployment.headers(stranger, "gate")
    for asked in (path, "/v1/transfers/trf_unknown/receipt"):
        assert (await market.deployment.http.get(asked, headers=headers)).status_code == 404
    assert (await market.deployment.http.get(path)).status_code == 401


async def test_until_it_is_published_there_is_no_receipt(market: Market) -> None:
    await get_receipt(market)
    stall(market.deployment)
    decision = await market.decide(market.buy("alice"))
    answer = await market.call("GET", f"/v1/transfers/{decision['id']}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt_pending")


async def test_a_restricted_decision_has_a_restricted_receipt(market: Market) -> None:
    await market.admit("alice")
    await market.screen("alice", "hit")
    decision = await market.decide(market.buy("alice"))
    await read_when_included(market, decision)
    path = f"/v1/transfers/{decision['id']}/receipt"
    assert (await market.call("GET", path)).status_code == 200
    answer = await market.call("GET", path, scopes="gate")
    assert (answer.status_code, answer.json()["code"]) == (403, "receipt_restricted")


async def test_a_later_log_is_proved_to_begin_with_each_earlier_one(market: Market) -> None:
    receipt, keys = await get_receipt(market), await read_keys(market.deployment)
    report = await verify_log(PublicLog(market.deployment), expected_keys=keys, saved=None)
    new = open_checkpoint(receipt["checkpoint"].encode(), keys)
    http = market.deployment.http
    for old_size in range(new.size + 1):
        asked = {"from": old_size, "to": new.size} if old_size else {"from": 0}
        answer = (await http.get("/log/consistency", params=asked)).json()
        assert (answer["old_size"], answer["new_size"] >= new.size) == (old_size, True)
        verify_consistency(
            old_size=old_size,
            old_root=compute_root(report.entries[:old_size]),
            new_size=answer["new_size"],
            new_root=compute_root(report.entries[: answer["new_size"]]),
            proof=[base64.b64decode(each) for each in answer["consistency_proof"]],
        )


def compute_root(entries: list[bytes]) -> bytes:
    if not entries:
        return EMPTY_ROOT
    tiles = extend_tiles(0, {}, [hash_leaf(entry) for entry in entries])
    return hash_span(Span(0, len(entries)), tiles)


async def test_sizes_out_of_order_are_named(market: Market) -> None:
    answer = await market.deployment.http.get("/log/consistency?from=2&to=1")
    assert answer.json()["code"] == "log_size_unknown"


@pytest.mark.parametrize("query", ["from=2&to=1", "from=0&to=99999", "from=99999", "from=-1", "to=1", "from=x"])
async def test_there_is_no_proof_about_what_was_not(market: Market, query: str) -> None:
    await get_receipt(market)
    answer = await market.deployment.http.get(f"/log/consistency?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def stall(deployment: Deployment) -> None:
    """Let the published log be far ahead of the database, as after restoring an old backup."""
    path = deployment.context.data_dir / PUBLISHED_FILE
    origin, _, rest = path.read_text().split("\n", 2)
    replace_private_file(path, f"{origin}\n99999\n{rest}".encode())


async def test_readiness_ends_when_entries_wait_for_five_seconds(market: Market) -> None:
    await get_receipt(market)
    stall(market.deployment)
    await market.decide(market.buy("alice"))
    http, clock = market.deployment.http, market.deployment.clock
    clock.advance(seconds=5)
    assert (await http.get("/readyz")).status_code == 200
    clock.advance(seconds=1)
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")


async def test_what_is_published_says_how_long_it_stays(market: Market) -> None:
    receipt = await get_receipt(market)
    http = market.deployment.http
    size = open_checkpoint(receipt["checkpoint"].encode(), await read_keys(market.deployment)).size
    checkpoint = await http.get("/log/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "no-cache"
    tile, bundle = await http.get(f"/log/tile/0/000.p/{size}"), await http.get(f"/log/tile/entries/000.p/{size}")
    for each in (tile, bundle):
        assert each.headers["content-type"] == "application/octet-stream"
        assert each.headers["cache-control"] == "public, max-age=31536000, immutable"
    entries = unpack_entries(bundle.content)
    assert b"".join(map(hash_leaf, entries)) == tile.content
    narrower = await http.get(f"/log/tile/0/000.p/{size - 1}")
    assert narrower.content == tile.content[:-32]


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000",
        "tile/0/000.p/255",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/0/000.p/0",
        "tile/0/0",
        "tile/00/000.p/1",
        "tile/entries/000",
        "tile/data/000.p/1",
        "tile/",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/..%2f..%2fcheckpoint",
        "tile/0/000.p/1%00",
        "checkpoint/",
        "",
    ],
)
async def test_what_is_not_there_is_a_404(market: Market, path: str) -> None:
    await get_receipt(market)
    answer = await market.deployment.http.get(f"/log/{path}")
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "cache-control" not in answer.headers


async def test_receipts_of_before_a_rotation_stay_verifiable(market: Market) -> None:
    from service.storage.tables.organizations import SYSTEM_ORG_ID
    from service.web.signing import LOG, rotate_signing_key

    old_receipt, context = await get_receipt(market), market.deployment.context
    async with context.database.transaction() as session:
        await rotate_signing_key(session, context.signer, org_id=SYSTEM_ORG_ID, purpose=LOG, now=context.clock())
    new_receipt = await get_receipt(market, quantity="50")
    keys = await read_keys(market.deployment)
    assert len(keys) == 2
    for receipt in (old_receipt, new_receipt):
        verify_receipt(receipt, expected_keys=keys)
    verify_receipt(new_receipt, expected_keys=keys[:1])
