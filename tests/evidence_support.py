"""Files that are brought as evidence: whole ones, and what an attacker makes of them."""

import io
import zipfile
import zlib
from datetime import UTC, datetime
from typing import Any

import httpx2
from fpdf import FPDF

from tests.case_support import Desk

ITEM = "any IRS form that reports the income of the two most recent years"


def make_pdf(text: str = "Form 1040") -> bytes:
    pdf = FPDF()
    pdf.set_creation_date(datetime(2026, 4, 15, tzinfo=UTC))
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    pdf.cell(text=text)
    return bytes(pdf.output())


def make_png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a picture of one pixel, with further chunks before its data."""
    header = (1).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def make_jpeg(*segments: tuple[int, bytes], scan: bytes = b"\x12\xff\x00\x34\xff\xd0\x56") -> bytes:
    """Return the segments of a picture; no decoder would find a pixel in it."""
    parts = [(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), *segments, (0xDA, b"\1\1\0\0\x3f\0")]
    body = b"".join(b"\xff" + bytes([code]) + (len(data) + 2).to_bytes(2, "big") + data for code, data in parts)
    return b"\xff\xd8" + body + scan + b"\xff\xd9"


def make_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "hidden")
    return buffer.getvalue()


def put_into_catalog(entry: bytes) -> bytes:
    """Return a PDF with a further entry in its catalog."""
    changed = make_pdf().replace(b"/Type /Catalog", b"/Type /Catalog " + entry)
    assert entry in changed
    return changed


def add_object(text: bytes) -> bytes:
    """Return a PDF with a further object before its end."""
    return make_pdf().replace(b"xref\n", b"99 0 obj\n" + text + b"\nendobj\nxref\n", 1)


def add_stream(dictionary: bytes, data: bytes) -> bytes:
    return add_object(b"<<" + dictionary + b">>\nstream\n" + data + b"\nendstream")


async def upload(
    desk: Desk, case_id: str, content: bytes, *, name: str = "tax.pdf", item: str = ITEM, **headers: str
) -> httpx2.Response:
    """Send a file as a browser or curl would."""
    return await desk.call(
        "POST",
        f"cases/{case_id}/evidence",
        files={"file": (name, content, "application/pdf")},
        data={"item": item},
        headers=headers,
    )


async def upload_raw(desk: Desk, case_id: str, body: Any, content_type: str) -> httpx2.Response:
    """Send bytes, or an iterator of them, as a form."""
    return await desk.call("POST", f"cases/{case_id}/evidence", content=body, headers={"Content-Type": content_type})
