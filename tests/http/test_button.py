"""The button for platforms' pages, and what the verifier gives for it."""

import base64
import gzip
import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from service.verifier.button_api import FOLDER, NEWEST, hash_button
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.verifying_support import Scene, build_scene

RELEASED = {"v1.0.0.js": "sha384-q0fcXmKToCeoAYl/B7mJsvzv0Amjg4iYWpBRaWdBl2g3G6eFQYm+qpCsGS3qO2Jz"}
"""What platforms have written into their pages. A released version never changes: a correction is a new one."""
RETURN: dict[str, Any] = {"purpose": "us.506c", "redirect_uri": "https://venue.example/back", "same_device": True}


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


def test_released_versions_stay_as_they_are() -> None:
    files = {path.name: path.read_bytes() for path in FOLDER.glob("*.js")}
    hashes = {name: base64.b64encode(hashlib.sha384(text).digest()).decode() for name, text in files.items()}
    assert {name: f"sha384-{digest}" for name, digest in hashes.items()} == RELEASED
    assert hash_button() == RELEASED[NEWEST]
    assert RELEASED[NEWEST] in Path("docs/button.md").read_text(encoding="utf-8")


async def test_other_sites_may_load_the_button_and_keep_it(sqlite_deployment: Deployment) -> None:
    moving = await sqlite_deployment.http.get("/button/v1.js", headers={"Origin": "https://venue.example"})
    fixed = await sqlite_deployment.http.get(f"/button/{NEWEST}")
    assert moving.content == fixed.content == (FOLDER / NEWEST).read_bytes()
    for answer in (moving, fixed):
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert fixed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert moving.headers["cache-control"] == "public, max-age=3600"
    again = await sqlite_deployment.http.get("/button/v1.js", headers={"If-None-Match": moving.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await sqlite_deployment.http.get("/button/v1.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("name", ["v2.js", "v1.0.1.js", "__init__.py", "..%2fbutton_api.py", "%2e%2e"])
async def test_nothing_else_is_served(sqlite_deployment: Deployment, name: str) -> None:
    assert (await sqlite_deployment.http.get(f"/button/{name}")).status_code == 404


def test_the_button_is_small_and_needs_nobody() -> None:
    text = (FOLDER / NEWEST).read_text(encoding="utf-8")
    assert len(gzip.compress(text.encode(), mtime=0)) < 6 * 1024
    assert not re.search(r"\bimport\b|innerHTML|insertAdjacentHTML|\beval\b|new Function|\.style\b|https?://", text)


async def test_a_request_has_a_link_into_the_web_wallet_and_a_picture(scene: Scene) -> None:
    made = await scene.platform.ask(purpose="us.506c")
    base, _, request = made["wallet_link"].partition("#request=")
    assert (base, unquote(request)) == (f"{scene.deployment.context.base_url}/wallet/", made["deep_link"])
    app, web = [await scene.deployment.http.get(made["qr_code_link"] + query) for query in ("", "?wallet=web")]
    for picture in (app, web):
        assert picture.headers["content-type"] == "image/svg+xml"
        assert picture.headers["cache-control"] == "no-store"
        assert picture.headers["cross-origin-resource-policy"] == "cross-origin"
        assert picture.text.startswith("<svg")
    assert app.content != web.content
    assert (await scene.deployment.http.get(made["qr_code_link"] + "?wallet=x")).status_code == 422
    page = await scene.deployment.http.get(made["web_link"])
    assert made["wallet_link"].replace("&", "&amp;") in page.text
    await scene.wallet.answer(made)
    assert (await scene.deployment.http.get(made["qr_code_link"])).status_code == 404
    assert "/wallet/#request" not in (await scene.deployment.http.get(made["web_link"])).text


async def test_what_a_browser_carries_has_no_links(scene: Scene) -> None:
    terms = {"response_mode": "dc_api.jwt", "expected_origins": ["https://venue.example"]}
    made = await scene.platform.ask(purpose="us.506c", **terms)
    assert [made[name] for name in ("wallet_link", "qr_code_link", "web_link")] == [None, None, None]
    path = f"/presentation-requests/{made['id']}/qr-code"
    assert (await scene.deployment.http.get(path)).status_code == 404


@pytest.mark.parametrize("same_device", [True, False])
async def test_who_declines_comes_back_too(scene: Scene, same_device: bool) -> None:
    made = await scene.platform.ask(**RETURN | {"same_device": same_device})
    answer = await scene.wallet.refuse(made)
    assert answer.json() == {"redirect_uri": RETURN["redirect_uri"]}
    found = await scene.platform.read(made["id"])
    assert found["state"] == "rejected"
    assert [(check["check"], check["code"]) for check in found["checks"]] == [("wallet", "access_denied")]
