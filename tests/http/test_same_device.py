"""An answer of one device counts only once its browser came back to the session that asked."""

import asyncio
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from service.storage.tables import PresentationRequest
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.verifying_support import Scene, build_scene, failed

TERMS: dict[str, Any] = {
    "purpose": "us.506c",
    "investor_ref": "inv-1",
    "redirect_uri": "https://venue.example/back",
    "same_device": True,
}


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def come_back(scene: Scene, made: dict[str, Any], code: str) -> Any:
    return await scene.platform.call("POST", f"/v1/presentation-requests/{made['id']}/return", {"response_code": code})


def code_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    base, _, code = str(answer.json()["redirect_uri"]).partition("?response_code=")
    assert base == TERMS["redirect_uri"]
    return code


async def test_nothing_is_kept_until_the_browser_comes_back(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS, response_mode="direct_post.jwt")
    early = await come_back(scene, made, "x")
    assert (early.status_code, early.json()["code"]) == (409, "presentation_closed")
    code = code_of(await scene.wallet.answer(made))
    waiting = await scene.platform.read(made["id"])
    assert (waiting["state"], waiting["awaits_return"], waiting["credentials"]) == ("pending", True, [])
    assert "response_code" not in waiting  # or it would prove nothing
    assert "openid4vp://" not in (await scene.deployment.http.get(made["web_link"])).text
    assert (await scene.platform.call("GET", "/v1/investors/inv-1/standing")).status_code == 404
    assert (await scene.wallet.answer(made)).status_code == 400
    wrong = await come_back(scene, made, code[:-1] + "!")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "response_code_mismatch")
    found = await come_back(scene, made, code)
    assert (found.status_code, found.json()["state"], found.json()["awaits_return"]) == (200, "verified", False)
    assert len(await scene.platform.list_kept("inv-1")) == 3
    again = await come_back(scene, made, code)
    assert (again.status_code, again.json()["code"]) == (409, "presentation_closed")


async def test_a_relayed_request_gives_the_sender_nothing(scene: Scene) -> None:
    """Whoever passes their request on learns of an answer only what the other's browser would bring."""
    made = await scene.platform.ask(**TERMS)
    await (await scene.new_wallet(sub="victim")).answer(made)
    for guess in ("", "x" * 43):
        assert (await come_back(scene, made, guess)).status_code in (400, 422)
    scene.deployment.clock.advance(minutes=10)
    late = await scene.platform.read(made["id"])
    assert (late["state"], late["credentials"], late["awaits_return"]) == ("expired", [], False)
    assert (await come_back(scene, made, "x")).json()["code"] == "presentation_closed"


async def test_what_no_browser_came_back_for_is_forgotten(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS)
    await scene.wallet.answer(made)
    other = await scene.platform.ask(**TERMS)
    assert await held(scene) == {made["id"]}
    scene.deployment.clock.advance(minutes=10)
    await scene.platform.ask(**TERMS)
    assert await held(scene) == set()
    assert (await scene.platform.read(other["id"]))["state"] == "expired"


async def held(scene: Scene) -> set[str]:
    """Name the requests whose answers are kept."""
    async with scene.deployment.context.database.reading() as session:
        query = select(PresentationRequest.id).where(col(PresentationRequest.sealed_held_answer).is_not(None))
        return set((await session.exec(query)).all())


async def test_browsers_come_back_at_once_and_one_counts(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS)
    code = code_of(await scene.wallet.answer(made))
    answers = await asyncio.gather(*(come_back(scene, made, code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(await scene.platform.list_kept("inv-1")) == 3


async def test_what_does_not_verify_is_rejected_at_once(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS)
    assert (await scene.wallet.answer(made, nonce="another")).status_code == 400
    found = await scene.platform.read(made["id"])
    assert (found["state"], found["awaits_return"]) == ("rejected", False)
    assert ("nonce", "nonce_mismatch") in failed(found["checks"])


async def test_what_expired_meanwhile_does_not_count(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS)
    ends = scene.deployment.clock() + timedelta(minutes=5)
    wallet = await scene.new_wallet(exp=int(ends.timestamp()))
    code = code_of(await wallet.answer(made))
    scene.deployment.clock.advance(minutes=9)
    found = (await come_back(scene, made, code)).json()
    assert found["state"] == "rejected"
    assert "credential_expired" in {code for _, code in failed(found["checks"])}


async def test_a_slow_browser_is_no_replay(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS)
    code = code_of(await scene.wallet.answer(made))
    scene.deployment.clock.advance(minutes=9)
    assert (await come_back(scene, made, code)).json()["state"] == "verified"


async def test_what_was_revoked_meanwhile_does_not_count(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS)
    code = code_of(await scene.wallet.answer(made))
    await scene.kyc.set_status(0, 1)
    found = (await come_back(scene, made, code)).json()
    assert found["state"] == "rejected"
    assert ("status", "credential_revoked") in failed(found["checks"])


async def test_others_see_nothing_of_it(scene: Scene) -> None:
    made = await scene.platform.ask(**TERMS)
    code = code_of(await scene.wallet.answer(made))
    other = await scene.deployment.add_organization("other", "platform")
    headers = await scene.deployment.headers(other, "verifier")
    path = f"/v1/presentation-requests/{made['id']}/return"
    answer = await scene.deployment.http.post(path, json={"response_code": code}, headers=headers)
    assert answer.status_code == 404
