"""``POST /v1/verify`` with disclosures and key bindings that cheat, under the keys of a registered issuer and a holder.

Threats, rows 14 to 19.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.credentials.jose import sign_jws
from tests.deployment import Deployment
from tests.unit.sd_jwt_support import digest_of, make_disclosure, new_key_pair
from tests.vectors.hostile.tokens import Sound
from tests.vectors.test_hostile_credentials import EXPECTED, compact, own_token, verify_each
from tests.verifying_support import Scene, build_scene, seconds

STATE = make_disclosure("salt", "state", "NY")
ELEMENT = make_disclosure("salt", "US")
INNER = make_disclosure("salt", "city", "Albany")
OUTER = make_disclosure("salt", "address", {"_sd": [digest_of(INNER)]})


def hide(*disclosures: str) -> dict[str, Any]:
    return {"_sd": [digest_of(each) for each in disclosures]}


def forbid(name: str, value: Any) -> tuple[str, str, dict[str, Any], list[str]]:
    disclosure = make_disclosure("salt", name, value)
    return (f"{name} in a disclosure", "disclosure_forbidden", hide(disclosure), [disclosure])


def misplace(*parts: Any) -> tuple[str, str, dict[str, Any], list[str]]:
    disclosure = make_disclosure(*parts)
    return (f"a disclosure of {parts}", "disclosure_malformed", hide(disclosure), [disclosure])


CHEATS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("a digest twice", "digest_duplicate", hide(STATE, STATE), [STATE]),
    ("a digest twice, of nothing shown", "digest_duplicate", hide(STATE, STATE), []),
    ("a digest twice in an array", "digest_duplicate", {"list": [{"...": digest_of(ELEMENT)}] * 2}, [ELEMENT]),
    ("a digest at two levels", "digest_duplicate", hide(OUTER, INNER), [OUTER, INNER]),
    ("no digest", "disclosure_unreferenced", hide(STATE), [STATE, make_disclosure("salt", "loa", "high")]),
    ("an inner one without its outer one", "disclosure_unreferenced", hide(OUTER), [INNER]),
    ("the same disclosure twice", "disclosure_duplicate", hide(STATE), [STATE, STATE]),
    *(forbid(name, 1) for name in ("iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "_sd", "...")),
    ("a claim that is there already", "disclosure_conflict", hide(STATE) | {"state": "CA"}, [STATE]),
    *(("another hash", "sd_alg_unsupported", {"_sd_alg": alg}, []) for alg in ("sha-512", "SHA-256", "md5", 1, None)),
    ("a hash below the top", "sd_alg_unsupported", {"address": {"_sd_alg": "sha-256"}}, []),
    *((f"_sd {value!r}", "digest_malformed", {"_sd": value}, []) for value in ("x", {}, 1, None, [1], [None], [[]])),
    ("... outside of an array", "digest_malformed", {"address": {"...": digest_of(ELEMENT)}}, [ELEMENT]),
    *(misplace(*parts) for parts in (["salt"], ["salt", "x"], ["salt", "a", 1, 2], [1, "a", 1], ["salt", 1, 1])),
    ("a member in an array", "disclosure_malformed", {"list": [{"...": digest_of(STATE)}]}, [STATE]),
    *(
        (f"a disclosure that is {text!r}", "disclosure_malformed", {}, [text])
        for text in ("e30", "bm9uZQ", "WyJzIiwgImEi")
    ),
]


@pytest.fixture
async def scene(sqlite_deployment: Deployment) -> Scene:
    return await build_scene(sqlite_deployment)


async def plain_token(scene: Scene) -> Sound:
    """Return a credential with nothing hidden in it, and not signed yet."""
    sound, _ = await own_token(scene)
    return replace(sound, claims={name: value for name, value in sound.claims.items() if name[:3] != "_sd"})


async def test_disclosures_that_cheat(scene: Scene) -> None:
    plain = await plain_token(scene)

    def issue(changes: dict[str, Any], disclosures: Sequence[str]) -> dict[str, Any]:
        return {"credential": compact(replace(plain, claims={**plain.claims, **changes}).encode(), disclosures)}

    good = await scene.platform.verify(**issue(hide(OUTER, STATE), [STATE, OUTER, INNER]))
    assert (good["valid"], good["claims"]["address"]) == (True, {"city": "Albany"})
    cases = [
        (f"{number} {name}", ("disclosures", code), issue(changes, disclosures))
        for number, (name, code, changes, disclosures) in enumerate(CHEATS)
    ]
    assert await verify_each(scene, cases) == {}


async def test_key_bindings_that_cheat(scene: Scene) -> None:
    plain, keys = await plain_token(scene), scene.wallet.keys
    issued = replace(plain, claims={**plain.claims, **hide(STATE, OUTER)}).encode()
    shown = compact(issued, [STATE])
    now, year = scene.deployment.clock(), timedelta(days=365)
    claims = {
        "aud": EXPECTED["audience"],
        "nonce": EXPECTED["nonce"],
        "iat": seconds(now),
        "sd_hash": digest_of(shown),
    }

    def bind(to: str = shown, typ: str = "kb+jwt", sign: Any = keys.sign, **changes: Any) -> dict[str, Any]:
        stated = {name: value for name, value in (claims | changes).items() if value is not None}
        return {"presentation": to + sign_jws({"alg": "ES256", "typ": typ}, stated, sign), "expected": EXPECTED}

    assert (await scene.platform.verify(**bind()))["valid"]
    cases = [
        ("none", ("holder_binding", "holder_binding_missing"), {"presentation": shown, "expected": EXPECTED}),
        ("another type", ("holder_binding", "holder_binding_invalid"), bind(typ="JWT")),
        ("another key", ("holder_binding", "holder_binding_invalid"), bind(sign=new_key_pair().sign)),
        ("a year old", ("holder_binding", "holder_binding_stale"), bind(iat=seconds(now - year))),
        ("a year ahead", ("holder_binding", "holder_binding_stale"), bind(iat=seconds(now + year))),
        ("for somebody else", ("audience", "audience_mismatch"), bind(aud="https://venue.example.evil.example")),
        ("for another request", ("nonce", "nonce_mismatch"), bind(nonce="n-0S6_WzA2mj")),
        ("one more", ("holder_binding", "sd_hash_mismatch"), bind(compact(issued, [STATE, OUTER]))),
        ("one less", ("holder_binding", "sd_hash_mismatch"), bind(compact(issued))),
        ("no hash", ("holder_binding", "sd_hash_mismatch"), bind(sd_hash=None)),
        ("no time", ("holder_binding", "holder_binding_stale"), bind(iat=None)),
    ]
    assert await verify_each(scene, cases) == {}
