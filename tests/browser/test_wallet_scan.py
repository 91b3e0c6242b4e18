"""QR codes in the web wallet: pictures of our own codes, and what pictures without one say."""

import io
import random
import re
from pathlib import Path

import pytest
import segno
from playwright.async_api import Browser, Page, expect

from service.web.qr_code import draw_qr_code
from tests.browser.chromium import ARGUMENTS, find_chromium
from tests.browser.web_wallet import Person, name_person, open_wallet
from tests.interop.support import Deployment

SVG = 'xmlns="http://www.w3.org/2000/svg"'
# From an SVG of ours to the pixels of a photo taken askew, in a bad light, and back to the text.
PHOTOGRAPH = """async ([svg, photo]) => {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], {type: 'image/svg+xml'}));
  await image.decode();
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const side = Math.ceil(Math.hypot(width, height) * 1.2) + 80;
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext('2d');
  context.fillStyle = photo ? '#cfcab8' : '#ffffff';
  context.fillRect(0, 0, side, side);
  context.translate(side / 2, side / 2);
  if (photo) { context.rotate(0.2); context.transform(1, 0.06, 0, 1, 0, 0); context.filter = 'blur(0.8px)'; }
  context.fillStyle = '#fff';
  context.fillRect(-width / 2 - 16, -height / 2 - 16, width + 32, height + 32);
  context.drawImage(image, -width / 2, -height / 2);
  const blob = await canvas.convertToBlob({type: 'image/jpeg', quality: 0.8});
  const { readPicture } = await import('/wallet/scan.js');
  return readPicture(blob);
}"""


def draw(text: str) -> bytes:
    """Return a picture of the code, as a screenshot has it."""
    picture = io.BytesIO()
    segno.make(text, error="m", micro=False).save(picture, kind="png", scale=4)
    return picture.getvalue()


async def choose(page: Page, content: bytes) -> None:
    file = {"name": "picture.png", "mimeType": "image/png", "buffer": content}
    await page.get_by_label("Or choose a picture of the code").set_input_files([file])  # type: ignore[list-item]  # a FilePayload


@pytest.mark.parametrize("photo", [False, True], ids=["screenshot", "photo"])
async def test_our_own_codes_are_read(page: Page, photo: bool) -> None:
    chance = random.Random(7)
    await open_wallet(page, "/wallet/#/add")
    for length in (60, 200, 350, 600, 1_000, 1_500):
        text = "openid4vp://?request_uri=" + "".join(chance.choices("abcXYZ0123456789-._~%", k=length))
        drawn = str(await draw_qr_code(text, title="A code"))
        svg = re.sub(r'<svg viewBox="0 0 (\d+) \d+"', rf'<svg {SVG} viewBox="0 0 \1 \1" width="\1" height="\1"', drawn)
        assert await page.evaluate(PHOTOGRAPH, [svg, photo]) == text


async def test_a_picture_of_an_offer_leads_to_its_page(page: Page, deployment: Deployment) -> None:
    person = Person(page, deployment, name_person())
    offer = await person.offer("kyc")
    await open_wallet(page, "/wallet/#/add")
    await choose(page, draw(offer["deep_link"]))
    await expect(page.get_by_role("button", name="Accept")).to_be_visible()


async def test_a_pasted_picture_is_read(page: Page, deployment: Deployment) -> None:
    person = Person(page, deployment, name_person())
    offer = await person.offer("kyc")
    await open_wallet(page, "/wallet/#/add")
    script = """(bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], 'pasted.png', {type: 'image/png'}));
      document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: transfer, bubbles: true}));
    }"""
    await page.evaluate(script, list(draw(offer["deep_link"])))
    await expect(page.get_by_role("button", name="Accept")).to_be_visible()


async def test_what_is_no_code_of_ours_says_so(page: Page) -> None:
    await open_wallet(page, "/wallet/#/add")
    blank = io.BytesIO()
    segno.make("x").save(blank, kind="png", dark="white")
    pictures = {
        "no readable QR code": blank.getvalue(),
        "isn't a picture": b"%PDF-1.7",
        "neither an offer": draw("Table 7, hall B"),
    }
    for sentence, picture in pictures.items():
        await choose(page, picture)
        await expect(page.get_by_role("alert")).to_contain_text(sentence)


async def test_without_a_camera_there_is_another_way(page: Page) -> None:
    await open_wallet(page, "/wallet/#/add")
    await page.get_by_role("button", name="Use the camera").click()
    await expect(page.get_by_role("alert")).to_contain_text("picture of the QR code")
    await expect(page.get_by_role("button", name="Use the camera")).to_be_visible()


SIDE = 480


def film(text: str) -> bytes:
    """Return a film that a camera might give (YUV4MPEG2, luminance alone is drawn) of a code on white paper."""
    code = segno.make(text, error="m", micro=False)
    rows = [list(row) for row in code.matrix_iter(scale=SIDE // (code.symbol_size()[0] + 4), border=4)]
    blank = bytes([235]) * SIDE
    drawn = [bytes(16 if dark else 235 for dark in row).ljust(SIDE, b"\xeb")[:SIDE] for row in rows]
    luminance = b"".join([*drawn, *[blank] * SIDE][:SIDE])
    frame = b"FRAME\n" + luminance + bytes([128]) * (SIDE * SIDE // 2)
    return f"YUV4MPEG2 W{SIDE} H{SIDE} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * 2


async def test_a_code_before_the_camera_is_read(
    browser: Browser, page: Page, deployment: Deployment, tmp_path: Path
) -> None:
    offer = await Person(page, deployment, name_person()).offer("kyc")
    (tmp_path / "film.y4m").write_bytes(film(offer["deep_link"]))
    camera = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={tmp_path / 'film.y4m'}"]
    own = await browser.browser_type.launch(executable_path=find_chromium(), args=[*ARGUMENTS, *camera])
    context = await own.new_context(base_url=deployment.base_url, permissions=["camera"])
    filmed = await context.new_page()
    await open_wallet(filmed, "/wallet/#/add")
    await filmed.get_by_role("button", name="Use the camera").click()
    await expect(filmed.get_by_role("button", name="Accept")).to_be_visible()
    await context.clear_permissions()
    await open_wallet(filmed, "/wallet/#/add")
    await filmed.get_by_role("button", name="Use the camera").click()
    await expect(filmed.get_by_role("alert")).to_contain_text("The wallet may not use the camera")
    await own.close()
