"""Evidence over HTTP: what is taken, what is refused, how it is given back, and who may see it."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import Request
from sqlmodel import col, select

from service.issuer.evidence import MAX_FILES
from service.storage.tables import AuditEntry, CaseEvidence
from service.web import uploads
from tests.case_support import Desk, open_desks
from tests.deployment import Deployment
from tests.evidence_support import (
    ITEM,
    make_jpeg,
    make_pdf,
    make_png,
    make_zip,
    put_into_catalog,
    upload,
    upload_raw,
)
from tests.prepared import prepared

PDF = make_pdf()
FORM = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n' + PDF + b"\r\n"
ITEM_FIELD = b'--x\r\nContent-Disposition: form-data; name="item"\r\n\r\nincome\r\n'
MIB = 1 << 20


@prepared
async def desks(sqlite_deployment: Deployment) -> tuple[Desk, Desk]:
    return await open_desks(sqlite_deployment)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_file_is_kept_and_given_back_to_be_saved(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    answer = await upload(desks[0], case_id, PDF)
    added = answer.json()
    assert answer.status_code == 201, answer.text
    assert added["id"].startswith("evd_")
    assert added == {
        "id": added["id"],
        "case_id": case_id,
        "item": ITEM,
        "name": "tax.pdf",
        "media_type": "application/pdf",
        "size": len(PDF),
        "sha256": hashlib.sha256(PDF).hexdigest(),
        "added_by": desks[0].client_id,
        "added_at": "2026-11-23T15:00:00Z",
    }
    listed = await desks[1].call("GET", f"cases/{case_id}/evidence")
    assert listed.json() == {"data": [added], "next": None}
    got = await desks[1].call("GET", f"cases/{case_id}/evidence/{added['id']}")
    assert got.content == PDF
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["content-disposition"] == "attachment; filename=\"tax.pdf\"; filename*=UTF-8''tax.pdf"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("sandbox;")
    assert got.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("content", "media_type"), [(make_png(), "image/png"), (make_jpeg(), "image/jpeg")])
async def test_the_type_comes_from_the_content(desks: tuple[Desk, Desk], content: bytes, media_type: str) -> None:
    case_id = await desks[0].open()
    added = (await upload(desks[0], case_id, content, name="page.html")).json()
    assert added["media_type"] == media_type
    got = await desks[0].call("GET", f"cases/{case_id}/evidence/{added['id']}")
    assert got.headers["content-type"] == media_type
    assert 'filename="page.html.' in got.headers["content-disposition"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<!doctype html><script>alert(1)</script>", "evidence_type_unsupported"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "evidence_type_unsupported"),
        (make_zip(), "evidence_type_unsupported"),
        (b"", "evidence_type_unsupported"),
        (PDF + b"<script>alert(1)</script>", "evidence_ambiguous"),
        (PDF.replace(b"\n", b"\n%<html>\n", 1), "evidence_ambiguous"),
        (PDF + make_zip(), "evidence_ambiguous"),
        (PDF[:-40], "evidence_unreadable"),
        (make_png()[:-4], "evidence_unreadable"),
        (put_into_catalog(b"/OpenAction<</S/JavaScript/JS(1)>>"), "evidence_active_content"),
    ],
)
async def test_hostile_files_are_refused_and_nothing_is_kept(
    desks: tuple[Desk, Desk], content: bytes, code: str
) -> None:
    case_id = await desks[0].open()
    assert problem(await upload(desks[0], case_id, content)) == (422, code)
    assert (await desks[0].call("GET", f"cases/{case_id}/evidence")).json()["data"] == []


async def stream_zeros(count: int, seen: list[int]) -> AsyncIterator[bytes]:
    yield FILE[: FILE.index(PDF)]
    for number in range(count):
        seen.append(number)
        yield bytes(MIB)


async def test_eleven_mebibytes_are_refused_before_they_have_come(desks: tuple[Desk, Desk]) -> None:
    case_id, seen = await desks[0].open(), list[int]()
    announced = await upload(desks[0], case_id, bytes(11 * MIB))
    streamed = await upload_raw(desks[0], case_id, stream_zeros(100, seen), FORM)
    assert problem(announced) == problem(streamed) == (413, "body_too_large")
    assert announced.json()["detail"] == "The file is over 10 MiB."
    assert len(seen) <= 12


async def test_one_byte_decides(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    padding = 10 * MIB - len(make_png((b"teSt", b"")))
    assert (await upload(desks[0], case_id, make_png((b"teSt", bytes(padding))))).status_code == 201
    over = await upload(desks[0], case_id, make_png((b"teSt", bytes(padding + 1))))
    assert problem(over) == (413, "body_too_large")


async def test_other_bodies_keep_their_limit(desks: tuple[Desk, Desk]) -> None:
    for path in ("cases", "cases/x/evidence/y", "cases/x/review"):
        over = await desks[0].call("POST", path, content=bytes(300_000))
        assert problem(over) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b'{"file": "x"}', "application/json", "not_multipart"),
        (FILE, "multipart/form-data", "not_multipart"),
        (b"", FORM, "upload_invalid"),
        (b"nonsense", FORM, "upload_invalid"),
        (FILE + ITEM_FIELD, FORM, "upload_invalid"),
        (ITEM_FIELD + FILE[:-200], FORM, "upload_invalid"),
        (ITEM_FIELD + b"--x--", FORM, "upload_invalid"),
        (ITEM_FIELD + FILE + FILE + b"--x--", FORM, "upload_invalid"),
        (ITEM_FIELD + ITEM_FIELD + FILE + b"--x--", FORM, "upload_invalid"),
        (ITEM_FIELD + FILE.replace(b'"file"', b'"other"') + b"--x--", FORM, "upload_invalid"),
        (ITEM_FIELD.replace(b"income", b"\xff") + FILE + b"--x--", FORM, "upload_invalid"),
        (ITEM_FIELD.replace(b"income", b"i" * 5000) + FILE + b"--x--", FORM, "upload_invalid"),
        (ITEM_FIELD.replace(b"Content", b"H: " + b"h" * 5000 + b"\r\nContent") + b"--x--", FORM, "upload_invalid"),
        (b"".join(ITEM_FIELD.replace(b"item", b"i%d" % n) for n in range(9)) + FILE + b"--x--", FORM, "upload_invalid"),
        (FILE + b"--x--", FORM, "invalid_input"),
        (ITEM_FIELD.replace(b"income", b"i" * 301) + FILE + b"--x--", FORM, "invalid_input"),
        (ITEM_FIELD.replace(b"income", "a\u202eb".encode()) + FILE + b"--x--", FORM, "invalid_input"),
        (ITEM_FIELD + ITEM_FIELD.replace(b"item", b"more") + FILE + b"--x--", FORM, "invalid_input"),
    ],
)
async def test_forms_that_are_refused(desks: tuple[Desk, Desk], body: bytes, content_type: str, code: str) -> None:
    case_id = await desks[0].open()
    answer = await upload_raw(desks[0], case_id, body, content_type)
    assert problem(answer) == (422 if code == "invalid_input" else 400, code), answer.text
    whole = await upload_raw(desks[0], case_id, ITEM_FIELD + FILE + b"--x--", FORM)
    assert whole.status_code == 201


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\ada\\tax.pdf", "tax.pdf"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("a\r\nX-Injected: 1.pdf", "X-Injected: 1.pdf"),
        ("a\x00b\x07.pdf", "ab.pdf"),
        ("..", "file"),
        ("\u200b", "file"),
        ("\u7a0e\u8868.pdf", "\u7a0e\u8868.pdf"),
        ("n" * 300 + ".pdf", "n" * 120),
        ('q"uote;.pdf', 'q"uote;.pdf'),
    ],
)
def test_a_files_name_cannot_leave_its_place_or_hide_anything(name: str, kept: str) -> None:
    assert uploads.clean_file_name(name).endswith(kept)
    assert not set(uploads.clean_file_name(name)) & set("/\\\r\n\0\u202e\u200b")


@pytest.mark.parametrize(
    "name", ["../../a\u202eb.pdf", 'x";filename="evil.html.pdf', "\u7a0e\u8868.pdf", "a\u0301.pdf"]
)
async def test_a_hostile_name_does_no_harm_in_the_header(desks: tuple[Desk, Desk], name: str) -> None:
    case_id = await desks[0].open()
    added = await upload(desks[0], case_id, PDF, name=name)
    got = await desks[0].call("GET", f"cases/{case_id}/evidence/{added.json()['id']}")
    disposition = got.headers["content-disposition"]
    assert disposition.isascii()
    assert disposition.startswith("attachment; ")
    assert disposition.count('"') == 2
    assert "/" not in disposition


def receive_from(chunks: AsyncIterator[bytes]) -> Request:
    """Return a request whose body comes as an iterator says."""

    async def receive() -> dict[str, object]:
        chunk = await anext(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    return Request({"type": "http", "headers": [(b"content-type", FORM.encode())]}, receive)


async def test_a_sender_that_stops_is_not_waited_for() -> None:
    async def stall() -> AsyncIterator[bytes]:
        yield FILE[:100]
        await asyncio.sleep(60)

    with pytest.raises(uploads.UploadInvalidError, match="stopped coming"):
        await uploads.read_upload(receive_from(stall()), idle_s=0.01)


async def test_only_so_many_files_are_held_at_once() -> None:
    ready, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> AsyncIterator[bytes]:
        ready.set()
        await go_on.wait()
        yield ITEM_FIELD + FILE + b"--x--"

    running = [asyncio.create_task(uploads.read_upload(receive_from(wait()))) for _ in range(uploads.AT_ONCE)]
    await ready.wait()
    with pytest.raises(uploads.UploadsBusyError, match="try again"):
        await uploads.read_upload(receive_from(wait()))
    go_on.set()
    assert [form.file_name for form in await asyncio.gather(*running)] == ["a.pdf"] * uploads.AT_ONCE
    assert (await uploads.read_upload(receive_from(wait()))).content == PDF


async def test_the_same_file_for_the_same_item_is_kept_once(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    first = await upload(desks[0], case_id, PDF)
    again = await upload(desks[1], case_id, PDF, name="copy.pdf")
    assert (again.status_code, again.json()) == (200, first.json())
    other = await upload(desks[0], case_id, PDF, item="something else")
    assert other.status_code == 201
    assert len((await desks[0].call("GET", f"cases/{case_id}/evidence")).json()["data"]) == 2


async def test_a_retry_with_the_same_key_is_answered_once(desks: tuple[Desk, Desk]) -> None:
    case_id, key = await desks[0].open(), {"Idempotency-Key": "once"}
    first, again = [await upload(desks[0], case_id, PDF, **key) for _ in range(2)]
    assert (first.status_code, again.status_code, first.text) == (201, 201, again.text)
    assert again.headers["idempotency-replayed"] == "true"
    for content, change in ((make_pdf("other"), {}), (PDF, {"item": "other"}), (PDF, {"name": "other"})):
        reused = await upload(desks[0], case_id, content, **change, **key)
        assert problem(reused) == (422, "idempotency_key_reused")


async def test_a_case_has_at_most_twenty_files(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    for number in range(MAX_FILES):
        assert (await upload(desks[0], case_id, PDF, item=f"item {number}")).status_code == 201
    assert problem(await upload(desks[0], case_id, PDF, item="one more")) == (409, "evidence_limit_reached")
    assert (await upload(desks[0], case_id, PDF, item="item 7")).status_code == 200


async def test_a_decided_case_takes_no_file(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].decline(case_id)
    assert problem(await upload(desks[0], case_id, PDF)) == (409, "case_closed")
    asked = await desks[0].call("POST", f"cases/{case_id}/request-information", json={"message": "more"})
    assert problem(asked) == (409, "case_closed")


async def test_another_organisations_files_look_unknown(desks: tuple[Desk, Desk]) -> None:
    case_id, other_case = await desks[0].open(), await desks[0].open()
    added = (await upload(desks[0], case_id, PDF)).json()["id"]
    stranger, _ = await open_desks(desks[0].deployment, "other")
    own = await stranger.open()
    answers = [
        await upload(stranger, case_id, PDF),
        await stranger.call("GET", f"cases/{case_id}/evidence"),
        await stranger.call("GET", f"cases/{case_id}/history"),
        await stranger.call("POST", f"cases/{case_id}/request-information", json={"message": "more"}),
        await stranger.call("GET", f"cases/{case_id}/evidence/{added}"),
        await stranger.call("GET", f"cases/{own}/evidence/{added}"),
        await desks[0].call("GET", f"cases/{other_case}/evidence/{added}"),
        await desks[0].call("GET", f"cases/{case_id}/evidence/evd_unknown"),
    ]
    assert [problem(answer) for answer in answers] == [(404, "not_found")] * len(answers)


async def test_nobody_without_the_scope_sends_or_sees_a_file(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    http = desks[0].deployment.http
    venue = await desks[0].deployment.add_organization("venue", "platform")
    headers = await desks[0].deployment.headers(venue, "verifier")
    seen: list[int] = []
    for extra, status in (({}, 401), (headers, 403)):
        path = f"/v1/cases/{case_id}/evidence"
        more = {"Content-Type": FORM, **extra}
        assert (await http.post(path, content=stream_zeros(3, seen), headers=more)).status_code == status
        assert (await http.get(path, headers=extra)).status_code == status
    assert seen == []  # not a byte is read of a caller that is not known


async def read_audit(desk: Desk, kind: str) -> list[AuditEntry]:
    async with desk.deployment.context.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == kind).order_by(col(AuditEntry.id))
        return list((await session.exec(query)).all())


async def test_every_sight_of_a_file_leaves_a_trace(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    added = (await upload(desks[0], case_id, PDF)).json()["id"]
    for path in ("evidence", f"evidence/{added}", "history"):
        await desks[1].call("GET", f"cases/{case_id}/{path}")
    records = [json.loads(entry.record) for entry in await read_audit(desks[0], "personal_data.accessed")]
    assert [(each["object"], each["client_id"], each["investor_ref"]) for each in records] == [
        ({"kind": "evidence_list", "id": case_id}, desks[1].client_id, "investor-1"),
        ({"kind": "evidence", "id": added}, desks[1].client_id, "investor-1"),
        ({"kind": "case_history", "id": case_id}, desks[1].client_id, "investor-1"),
    ]


async def test_a_case_waits_until_evidence_comes(desks: tuple[Desk, Desk]) -> None:
    reviewer, approver = desks
    case_id = await reviewer.open()
    await reviewer.review(case_id)
    body = {"message": "The second page is missing.", "items": [ITEM]}
    asked = await approver.call("POST", f"cases/{case_id}/request-information", json=body)
    assert (asked.status_code, asked.json()["state"]) == (200, "waiting")
    assert problem(await approver.approve(case_id)) == (409, "case_not_reviewed")
    waiting = await reviewer.call("GET", "cases", params={"state": "waiting"})
    assert [case["id"] for case in waiting.json()["data"]] == [case_id]
    assert (await upload(reviewer, case_id, PDF)).status_code == 201
    assert (await reviewer.read(case_id))["state"] == "open"
    assert problem(await approver.approve(case_id)) == (409, "case_not_reviewed")
    await reviewer.review(case_id)
    approved = await approver.approve(case_id)
    assert approved.status_code == 201
    [entry] = await read_audit(reviewer, "case.approved")
    assert json.loads(entry.record)["evidence"] == [hashlib.sha256(PDF).hexdigest()]
    events = (await reviewer.call("GET", f"cases/{case_id}/history")).json()["data"]
    assert [event["kind"] for event in events] == [
        "case.opened",
        "case.reviewed",
        "case.information_requested",
        "case.evidence_added",
        "case.reviewed",
        "case.approved",
    ]
    assert (events[2]["by"], events[2]["facts"]["message"]) == (approver.client_id, body["message"])
    assert events[2]["facts"]["items"] == [ITEM]


async def test_a_review_ends_the_waiting_too(desks: tuple[Desk, Desk]) -> None:
    case_id = await desks[0].open()
    await desks[0].call("POST", f"cases/{case_id}/request-information", json={"message": "more"})
    assert (await desks[0].review(case_id)).json()["state"] == "reviewed"
    assert (await desks[1].approve(case_id)).status_code == 201


@pytest.mark.parametrize(
    "body", [{}, {"message": ""}, {"message": "m" * 2001}, {"message": "m", "items": [""]}, {"message": "m", "x": 1}]
)
async def test_requests_for_information_that_are_refused(desks: tuple[Desk, Desk], body: dict[str, object]) -> None:
    case_id = await desks[0].open()
    answer = await desks[0].call("POST", f"cases/{case_id}/request-information", json=body)
    assert problem(answer) == (422, "invalid_input")
    assert (await desks[0].read(case_id))["state"] == "open"


async def test_a_sealed_file_opens_in_its_own_row_alone(desks: tuple[Desk, Desk]) -> None:
    case_id, other = await desks[0].open(), await desks[0].open()
    added = (await upload(desks[0], case_id, PDF)).json()["id"]
    async with desks[0].deployment.context.database.transaction() as session:
        [row] = (await session.exec(select(CaseEvidence))).all()
        row.case_id = other
        session.add(row)
    answer = await desks[0].call("GET", f"cases/{other}/evidence/{added}")
    assert problem(answer) == (500, "keystore_unusable")
