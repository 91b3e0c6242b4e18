"""QR codes of pages: for any text, and beside the event loop."""

import asyncio

import pytest

from service.web.qr_code import MAX_BYTES, draw_qr_code

LINK = "openid4vp://?"


@pytest.mark.parametrize(
    ("text", "is_drawn"),
    [
        (LINK, True),
        (LINK.ljust(2_900, "a"), True),
        (LINK.ljust(MAX_BYTES, "a"), True),
        (LINK.ljust(MAX_BYTES + 1, "a"), False),
        (LINK.ljust(MAX_BYTES - 1, "é"), False),
        (LINK.ljust(500, "\u20ac"), True),
        (LINK.ljust(990, "\u20ac"), False),
        (LINK.ljust(400_000, "a"), False),
    ],
)
async def test_a_text_is_drawn_if_a_code_can_hold_it(text: str, is_drawn: bool) -> None:
    assert ("<svg" in await draw_qr_code(text, title="QR code")) == is_drawn


async def test_the_title_is_escaped() -> None:
    assert "<title>&lt;b&gt;</title>" in await draw_qr_code(LINK, title="<b>")


async def test_others_go_on_while_a_large_code_is_drawn() -> None:
    drawing = asyncio.create_task(draw_qr_code(LINK.ljust(2_900, "a"), title="QR code"))
    await asyncio.sleep(0)
    assert not drawing.done()
    assert "<svg" in await drawing
