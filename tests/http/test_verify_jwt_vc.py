"""``/v1/verify`` for JWT VCs: the same checks as for every other format."""

from typing import Any

import pytest

from service.credentials.did import did_key_from_jwk
from tests.deployment import Deployment
from tests.unit.jwt_vc_support import claims_v2, envelop, present_v1, present_v2, sign
from tests.unit.sd_jwt_support import KeyPair, new_key_pair
from tests.verifying_support import Scene, build_scene, failed, seconds

EXPECTED = {"nonce": "n-0S6_WzA2Mj", "audience": "https://venue.example"}


@pytest.fixture
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


def present(scene: Scene, *compacts: str, **changes: Any) -> str:
    return present_v1(*compacts, keys=scene.wallet.keys, iat=seconds(scene.deployment.clock()), **changes)


async def test_a_sound_jwt_vc_of_an_issuer_here_passes_every_check(scene: Scene) -> None:
    verdict = await scene.platform.verify(credential=await scene.kyc.issue_jwt_vc("kyc", scene.wallet.keys))
    assert (verdict["outcome"], verdict["format"], failed(verdict["checks"])) == ("verified", "jwt_vc_json", set())
    assert (verdict["issuer"], verdict["status"]) == (scene.kyc.member.organization.did, "valid")
    assert verdict["claims"]["given_name"] == "Canary"
    assert verdict["holder"].startswith("did:jwk:")


async def test_its_status_is_read(scene: Scene) -> None:
    index = scene.kyc.next_index
    held = await scene.kyc.issue_jwt_vc("kyc", scene.wallet.keys)
    await scene.kyc.set_status(index, 1)
    verdict = await scene.platform.verify(credential=held)
    assert (verdict["status"], failed(verdict["checks"])) == ("revoked", {("status", "credential_revoked")})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": "did:web:localhost%3A8000:issuers:accreditor"}, ("issuer", "issuer_key_unknown")),
        ({"iss": "did:web:elsewhere.example"}, ("issuer_trusted", "issuer_untrusted")),
        ({"exp": 1}, ("validity", "credential_expired")),
    ],
)
async def test_each_fault_has_its_check(scene: Scene, changes: dict[str, Any], expected: tuple[str, str]) -> None:
    verdict = await scene.platform.verify(credential=await scene.kyc.issue_jwt_vc("kyc", scene.wallet.keys, **changes))
    assert (verdict["outcome"], failed(verdict["checks"])) == ("rejected", {expected})


async def test_trust_is_for_the_type_that_the_credential_names(scene: Scene) -> None:
    compact = await scene.kyc.issue_jwt_vc("qualified-investor", scene.wallet.keys)
    verdict = await scene.platform.verify(credential=compact)
    assert {check for check, _ in failed(verdict["checks"])} == {"issuer_trusted"}


async def test_a_presentation_of_several_credentials_is_valid_only_if_all_are(scene: Scene) -> None:
    index = scene.kyc.next_index
    held = [await scene.kyc.issue_jwt_vc(name, scene.wallet.keys) for name in ("kyc", "aml-screening")]
    verdict = await scene.platform.verify(presentation=present(scene, *held), expected=EXPECTED)
    assert (verdict["valid"], verdict["format"], len(verdict["credentials"])) == (True, "jwt_vc_json", 2)
    await scene.kyc.set_status(index + 1, 1)
    verdict = await scene.platform.verify(presentation=present(scene, *held), expected=EXPECTED)
    assert (verdict["valid"], verdict["outcome"], verdict["status"]) == (False, "rejected", None)
    assert failed(verdict["checks"]) == {("status", "credential_revoked")}
    assert [each["valid"] for each in verdict["credentials"]] == [True, False]


async def test_a_presentation_of_another_holder_is_refused(scene: Scene) -> None:
    compact = await scene.kyc.issue_jwt_vc("kyc", new_key_pair())
    verdict = await scene.platform.verify(presentation=present(scene, compact), expected=EXPECTED)
    assert failed(verdict["checks"]) == {("holder_binding", "presentation_holder_invalid")}


async def test_version_2_of_a_foreign_issuer_known_by_its_key_passes(scene: Scene) -> None:
    issuer, holder = new_key_pair(), KeyPair(scene.wallet.keys.private)
    did, now = did_key_from_jwk(issuer.jwk), seconds(scene.deployment.clock())
    await scene.platform.trust(did, "kyc", entry_id="foreign")
    claims = claims_v2(
        issuer=did, validFrom=None, validUntil=None, nbf=now, exp=now + 600, status=None, credentialSubject=None
    )
    subject = {"id": did_key_from_jwk(holder.jwk), "country": "US"}
    compact = sign(claims | {"credentialSubject": subject}, {"typ": "vc+jwt"}, issuer)
    verdict = await scene.platform.verify(credential=envelop(compact))
    assert (verdict["outcome"], verdict["format"], verdict["status"]) == ("verified", "vc+jwt", "none")
    shown = present_v2(compact, keys=holder, holder=subject["id"], iat=now)
    assert (await scene.platform.verify(presentation=shown, expected=EXPECTED))["valid"]
    forged = sign(claims | {"credentialSubject": subject}, {"typ": "vc+jwt", "kid": f"{did}#other"}, issuer)
    verdict = await scene.platform.verify(credential=forged)
    assert failed(verdict["checks"]) == {("issuer", "issuer_key_unknown")}
