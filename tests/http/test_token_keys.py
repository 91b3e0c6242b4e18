"""Keys of access tokens: rotated with overlap, and forgotten once withdrawn, in processes that know them."""

from sqlmodel import col, select

from service.storage.tables import SigningKey
from service.storage.tables.organizations import SYSTEM_ORG_ID
from service.web.signing import ACCESS, rotate_signing_key
from tests.deployment import Deployment, Member


async def _use(deployment: Deployment, headers: dict[str, str]) -> int:
    return (await deployment.http.get("/v1/purposes", headers=headers)).status_code


async def _rotate(deployment: Deployment) -> None:
    context = deployment.context
    async with context.database.transaction() as session:
        await rotate_signing_key(session, context.signer, org_id=SYSTEM_ORG_ID, purpose=ACCESS, now=deployment.clock())


async def _new_token(deployment: Deployment, member: Member) -> dict[str, str]:
    deployment.tokens.clear()
    return await deployment.headers(member, "verifier")


async def test_tokens_outlive_the_rotation_of_their_key(deployment: Deployment) -> None:
    platform = await deployment.add_organization("platform", "platform")
    used, unused = await _new_token(deployment, platform), await _new_token(deployment, platform)
    assert await _use(deployment, used) == 200
    await _rotate(deployment)
    fresh = await _new_token(deployment, platform)
    deployment.clock.advance(minutes=2)
    assert [await _use(deployment, token) for token in (used, unused, fresh)] == [200, 200, 200]


async def test_a_withdrawn_key_is_forgotten(deployment: Deployment) -> None:
    platform = await deployment.add_organization("platform", "platform")
    known, forged = await _new_token(deployment, platform), await _new_token(deployment, platform)
    assert await _use(deployment, known) == 200
    await _rotate(deployment)
    async with deployment.context.database.transaction() as session:
        [stolen] = (await session.exec(select(SigningKey).where(col(SigningKey.retired_at).is_not(None)))).all()
        stolen.published_until = deployment.clock()
        session.add(stolen)
    deployment.clock.advance(seconds=61)
    assert await _use(deployment, forged) == 401
