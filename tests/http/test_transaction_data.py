"""A holder signs a trade or a representation while presenting, and the verdict says to what."""

from sqlmodel import select

from service.credentials.presentation import hash_transaction_data
from service.credentials.transaction_data import HASH_ALGORITHMS, REPRESENTATION, STATEMENTS
from service.storage.tables import AuditEntry
from tests.deployment import Deployment
from tests.prepared import prepared
from tests.unit.test_transaction_data import TRADE_DATA
from tests.verifying_support import Scene, build_scene, failed

QUERY = {"credentials": [{"id": "kyc", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:kyc:1"]}}]}
DECLARED = {"type": REPRESENTATION, "credential_ids": ["kyc"], "representation": "us.506c.prior_verified"}


@prepared
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def test_a_trade_and_a_representation_are_signed_and_recorded(scene: Scene) -> None:
    made = await scene.platform.ask(dcql_query=QUERY, transaction_data=[TRADE_DATA, DECLARED])
    before = (await scene.platform.read(made["id"]))["transaction_data"]
    assert [each["agreed"] for each in before] == [False, False]
    request = await scene.wallet.open(made)
    assert (await scene.wallet.send(request, scene.wallet.present(request))).status_code == 200
    trade, declared = (await scene.platform.read(made["id"]))["transaction_data"]
    assert (trade["agreed"], declared["agreed"]) == (True, True)
    assert trade["fields"]["price"] == TRADE_DATA["price"]
    assert declared["fields"]["statement"] == STATEMENTS["us.506c.prior_verified"]
    async with scene.deployment.context.database.reading() as session:
        query = select(AuditEntry).where(AuditEntry.kind == "presentation.verified")
        [entry] = (await session.exec(query)).all()
    for encoded in request["transaction_data"]:
        assert hash_transaction_data(encoded) in str(entry.record)


HASHES: list[tuple[list[str] | None, str | None, bool]] = [
    (["sha-512", "sha-256"], "sha-512", True),
    (["sha-384"], "sha-384", True),
    (["sha-256"], "sha-256", True),
    (["sha-256"], None, False),
    (["sha-512"], "sha-256", False),
    (["sha-256", "md5"], "md5", False),
    (None, "sha-512", False),
    (None, "sha-256", True),
]
"""Offered algorithms, the one that the holder names, and whether this is right."""


async def test_the_holder_uses_and_names_an_offered_hash(scene: Scene) -> None:
    for algorithms, used, verified in HASHES:
        entry = TRADE_DATA if algorithms is None else TRADE_DATA | {"transaction_data_hashes_alg": algorithms}
        made = await scene.platform.ask(dcql_query=QUERY, transaction_data=[entry])
        request = await scene.wallet.open(made)
        computed = used if used in HASH_ALGORITHMS else "sha-256"
        hashes = [hash_transaction_data(each, computed) for each in request["transaction_data"]]
        token = scene.wallet.present(request, transaction_data_hashes=hashes, transaction_data_hashes_alg=used)
        await scene.wallet.send(request, token)
        found = await scene.platform.read(made["id"])
        assert found["state"] == ("verified" if verified else "rejected"), (algorithms, used)
        assert verified or failed(found["checks"]) == {("transaction_data", "transaction_data_mismatch")}
        assert [each["agreed"] for each in found["transaction_data"]] == [verified]


async def test_whoever_was_to_agree_cannot_be_left_out(scene: Scene) -> None:
    aml = {"id": "aml", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:goodstanding:vct:aml-screening:1"]}}
    either = {"credentials": [*QUERY["credentials"], aml], "credential_sets": [{"options": [["aml"], ["kyc"]]}]}
    made = await scene.platform.ask(dcql_query=either, transaction_data=[TRADE_DATA])
    request = await scene.wallet.open(made)
    token = scene.wallet.present(request, transaction_data_hashes=None)
    assert token.keys() == {"aml"}
    assert (await scene.wallet.send(request, token)).status_code == 400
    found = await scene.platform.read(made["id"])
    assert (found["state"], found["transaction_data"][0]["agreed"]) == ("rejected", False)
    assert ("transaction_data", "transaction_data_mismatch") in failed(found["checks"])


async def test_an_answer_without_a_credential_proves_nothing(scene: Scene) -> None:
    optional = QUERY | {"credential_sets": [{"options": [["kyc"]], "required": False}]}
    made = await scene.platform.ask(dcql_query=optional)
    assert (await scene.wallet.send(await scene.wallet.open(made), {})).status_code == 400
    found = await scene.platform.read(made["id"])
    assert (found["state"], failed(found["checks"])) == ("rejected", {("query", "query_unsatisfied")})


async def test_a_trade_that_was_not_agreed_to_is_not_verified(scene: Scene) -> None:
    made = await scene.platform.ask(dcql_query=QUERY, transaction_data=[TRADE_DATA])
    request = await scene.wallet.open(made)
    assert (
        await scene.wallet.send(request, scene.wallet.present(request, transaction_data_hashes=None))
    ).status_code == 400
    found = await scene.platform.read(made["id"])
    assert failed(found["checks"]) == {("transaction_data", "transaction_data_mismatch")}
