"""Wrapping people's keys anew: everybody is read as before, and an older copy of the keys opens no more."""

import os

import pytest
from sqlmodel import select

from service.keys import KeystoreError
from service.privacy.wrapping import Renewal, renew_wrapping
from service.storage.subject_keys import key_purpose
from service.storage.tables import SubjectKey
from tests.deployment import Deployment
from tests.gate_support import Market, open_market
from tests.privacy_support import erase


async def read_keys(market: Market) -> list[SubjectKey]:
    async with market.deployment.context.database.reading() as session:
        return list((await session.exec(select(SubjectKey).order_by(SubjectKey.subject))).all())


async def test_a_copy_of_the_keys_from_before_opens_no_more(deployment: Deployment) -> None:
    market = await open_market(deployment)
    for ref in ("ada", "bob"):
        await market.admit(ref)
    context = deployment.context
    copied = await read_keys(market)
    assert await renew_wrapping(context) == Renewal(len(copied), [], [1, 2])
    assert (await erase(market, "bob")).status_code == 200
    for row in copied:  # until the older wrapping key is gone, the copy brings bob back
        context.signer.open_data_key(row.wrapped_key, purpose=key_purpose(row.org_id, row.subject))
    await market.admit("carol")
    deployment.clock.advance(days=1)
    assert await renew_wrapping(context) == Renewal(0, [1], [2])
    for row in copied:
        with pytest.raises(KeystoreError):
            context.signer.open_data_key(row.wrapped_key, purpose=key_purpose(row.org_id, row.subject))
    for ref, known in (("ada", 3), ("bob", 0), ("carol", 3)):
        assert len(await market.scene.platform.list_kept(ref)) == known
    assert (await renew_wrapping(context)).left == [2, 3]


async def test_an_older_wrapping_key_is_not_destroyed_at_once(deployment: Deployment) -> None:
    market = await open_market(deployment)
    await market.admit("ada")
    await renew_wrapping(deployment.context)
    made_at = deployment.clock().timestamp()
    os.utime(deployment.settings.data_dir / "keys" / "wrapping-2.key", (made_at, made_at))
    for minutes in (1, 58):
        deployment.clock.advance(minutes=minutes)
        assert (await renew_wrapping(deployment.context)).left == [1, 2]
    deployment.clock.advance(minutes=2)
    assert (await renew_wrapping(deployment.context)).left == [2]
    assert await market.scene.platform.list_kept("ada")
