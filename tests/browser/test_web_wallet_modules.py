"""The web wallet's modules beside the Python code that does the same; no service runs, the files are all it takes."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwe
from joserfc.jwk import ECKey
from playwright.async_api import Browser, Page, Route, expect

from service.credentials.certificates import hash_certificate, write_x5c
from service.credentials.claims_path import select_claims
from service.credentials.dcql import HeldCredential, QueryUnsatisfiedError, match_query, parse_dcql_query
from service.credentials.dcql_query import DcqlSyntaxError
from service.credentials.did import did_key_from_jwk, did_web_url, resolve_did_key
from service.credentials.jose import b64url_encode, load_key, sign_jws
from service.credentials.presentation import verify_presentation
from service.credentials.sd_jwt import issue_sd_jwt
from service.wallet.text import clean_text
from service.wallet.web_api import build_policy, load_files
from tests.browser.web_wallet import address_of
from tests.certificate_support import new_root
from tests.unit.test_dcql import AML, FULL_QUERY, KYC

ORIGIN = "http://localhost:1"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """The wallet's page, under its policy."""
    context = await browser.new_context(service_workers="block")

    async def serve(route: Route) -> None:
        file = load_files()[route.request.url.removeprefix(f"{ORIGIN}/wallet/") or "index.html"]
        headers = {"Content-Type": file.media_type, "Content-Security-Policy": build_policy(ORIGIN)}
        await route.fulfill(body=file.content, headers=headers)

    await context.route(f"{ORIGIN}/**", serve)
    opened = await context.new_page()
    await opened.goto(f"{ORIGIN}/wallet/")
    await opened.locator("main h1").wait_for()
    yield opened
    await context.close()


async def run(page: Page, module: str, function: str, value: Any = None) -> Any:
    """Call ``function``, which gets a module and a value; an error comes back as ``{"error": code}``."""
    script = f"""async ([name, value]) => {{
      const module = await import("/wallet/" + name);
      try {{ return JSON.stringify((await ({function})(module, value)) ?? null); }}
      catch (error) {{ return JSON.stringify({{error: error.code || error.message}}); }}
    }}"""
    return json.loads(await page.evaluate(script, [module, value]))


def new_issuer() -> tuple[ECKey, dict[str, Any]]:
    key = ECKey.generate_key("P-256")
    return key, dict(key.as_dict(private=False))


def signer_of(key: ECKey) -> Any:
    def sign(data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(key.get_op_key("sign").sign(data, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def issue(key: ECKey, holder: dict[str, Any], **claims: Any) -> str:
    salts = iter(f"salt-{number:022d}" for number in range(100))
    payload = {"iss": "https://issuer.example", "vct": "urn:example:1", "cnf": {"jwk": holder}, **claims}
    payload["exp"] = int((NOW + timedelta(hours=1)).timestamp())
    return issue_sd_jwt(
        payload, disclosable=claims.keys(), header={"alg": "ES256"}, sign=signer_of(key), new_salt=lambda: next(salts)
    )


async def test_a_presentation_made_here_verifies_there_and_shows_no_more(page: Page) -> None:
    key, public = new_issuer()
    holder = await run(page, "keys.js", "async (keys) => { const made = await keys.createKey(); return made; }")
    compact = issue(key, holder["jwk"], name="Ada", age_over_18=True, address={"city": "Bern", "street": "X"})
    value = {"compact": compact, "kid": holder["kid"]}
    shown = await run(
        page,
        "sd-jwt.js",
        """async (module, {compact, kid}) => module.present(compact, {paths: [["age_over_18"]], audience: "client",
             nonce: "n", sign: await (await import("/wallet/keys.js")).signer(kid)})""",
        value,
    )
    verified = verify_presentation(
        shown, load_key(public), expected_audience="client", expected_nonce="n", now=datetime.now(UTC)
    )
    assert verified.disclosed == {"age_over_18"}


async def test_credentials_that_python_refuses_are_refused_here(page: Page) -> None:
    key, public = new_issuer()
    other = new_issuer()[1]
    compact = issue(key, other, name="Ada", state="NY")
    jwt, first, *_ = compact.split("~")
    verify = "(module, [compact, jwk]) => module.verifySdJwt(compact, jwk)"
    assert (await run(page, "sd-jwt.js", verify, [compact, public]))["name"] == "Ada"
    made_up = b64url_encode(json.dumps(["salt", "cnf", {}]).encode())
    cases = {
        "jws_signature": [compact, other],
        "disclosure_duplicate": ["~".join((jwt, first, first, "")), public],
        "disclosure_unreferenced": ["~".join((jwt, made_up, "")), public],
        "key_binding_unexpected": [f"{compact}x.y.z", public],
        "sd_jwt": [f"{jwt}~~", public],
        "jws_algorithm": [compact, {**public, "crv": "P-384"}],
        "jwk": [compact, dict(key.as_dict(private=True))],
    }
    for code, value in cases.items():
        assert await run(page, "sd-jwt.js", verify, value) == {"error": code}, code
    later = "(module, [compact, jwk]) => module.verifySdJwt(compact, jwk, {now: Date.now() / 1000 + 1e6})"
    assert await run(page, "sd-jwt.js", later, [compact, public]) == {"error": "expired"}


@pytest.mark.parametrize("method", ["A128GCM", "A256GCM"])
async def test_encrypted_messages_open_on_the_other_side(page: Page, method: str) -> None:
    key = ECKey.generate_key("P-256")
    value = [dict(key.as_dict(private=False)) | {"kid": "k"}, method]
    script = "(module, [jwk, method]) => module.encrypt(new TextEncoder().encode('secret'), jwk, method)"
    token = await run(page, "jwe.js", script, value)
    opened = jwe.decrypt_compact(token, key, algorithms=["ECDH-ES", method])
    assert (opened.plaintext, opened.protected["kid"]) == (b"secret", "k")
    jwk = await run(
        page,
        "jwe.js",
        "async (module) => { globalThis.made = await module.createDecryptionKey(); return made.publicJwk; }",
    )
    sealed = jwe.encrypt_compact(
        {"alg": "ECDH-ES", "enc": method}, b"answer", ECKey.import_key(jwk), algorithms=["ECDH-ES", method]
    )
    assert (
        await run(page, "jwe.js", "async (_, token) => new TextDecoder().decode(await made.open(token))", sealed)
        == "answer"
    )
    broken = sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "QQ")
    assert "error" in await run(page, "jwe.js", "(_, token) => made.open(token)", broken)


@pytest.mark.parametrize("curve", ["P-256", "P-384"])
async def test_keys_of_did_key_are_found(page: Page, curve: str) -> None:
    for _ in range(4):  # both signs of y
        jwk = dict(ECKey.generate_key(curve).as_dict(private=False))
        did = did_key_from_jwk(jwk)
        kid = resolve_did_key(did)["verificationMethod"][0]["id"]
        script = "(module, [did, kid]) => module.findDidKey(did, kid, 'assertionMethod')"
        found = await run(page, "did.js", script, [did, kid])
        assert {name: found[name] for name in ("crv", "x", "y")} == {name: jwk[name] for name in ("crv", "x", "y")}


async def test_did_web_addresses_are_the_same(page: Page) -> None:
    for did in ("did:web:a.example", "did:web:a.example%3A8443:x:y", "did:web:localhost%3A8000:issuers:kyc"):
        assert await run(page, "did.js", "(module, did) => module.didWebAddress(did)", did) == did_web_url(did)
    for did in ("did:web:a.example:..:b", "did:web:user%40a.example", "did:web:a.example%2Fx", "did:web:"):
        assert await run(page, "did.js", "(module, did) => module.didWebAddress(did)", did) == {"error": "did_web"}


STRICT: dict[str, Any] = {
    '{"a":1,"a":2}': "json_duplicate",
    '{"a":[{"b":"}\\"","\\u0062":1}]}': "json_duplicate",
    "[" * 40 + "]" * 40: "json_depth",
    '{"a":NaN}': "json",
    "": "json",
    '{"a":{"a":"a:a,a"},"b":["a","a"]}': None,
}


async def test_json_says_one_thing(page: Page) -> None:
    for text, code in STRICT.items():
        found = await run(page, "jose.js", "(module, text) => module.parseJson(text)", text)
        assert found == ({"error": code} if code else json.loads(text)), text


async def test_text_of_others_is_cleaned_alike(page: Page) -> None:
    for value in ("A\u202eB\x1b[31m", "e" + "\u0301" * 9, ["a", {"b": True}], None, "x" * 500, "\U0001f600\u200b"):
        assert await run(page, "text.js", "(module, value) => module.clean(value)", value) == clean_text(value)


def ask_under(prefix: str, leaf: x509.Certificate, key: ECKey, **changes: Any) -> str:
    """Return a link with a signed request of a platform that is certified."""
    name = {"x509_san_dns": "localhost", "x509_hash": hash_certificate(leaf)}[prefix]
    claims = {
        "client_id": f"{prefix}:{name}",
        "aud": "https://self-issued.me/v2",
        "response_type": "vp_token",
        "response_mode": "direct_post",
        "response_uri": "http://localhost:1/answer",
        "nonce": "n",
        "dcql_query": FULL_QUERY,
    } | changes
    header = {"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": write_x5c([leaf])}
    sent = {"client_id": claims["client_id"], "request": sign_jws(header, claims, signer_of(key))}
    return f"openid4vp://?{urlencode(sent)}"


async def test_certified_platforms_are_who_their_certificate_names_and_no_more(page: Page) -> None:
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    root, public = new_root(NOW), key.get_op_key("verify")
    leaf = root.certify(public, dns=["other.example", "LOCALHOST"])
    not_signing = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
    strangers = {
        "certificate_name": root.certify(public, dns=["other.example", "*.localhost"]),
        "certificate_self_signed": root.certificate,
        "certificate_authority": root.delegate(dns=["localhost"]).certificate,
        "certificate_usage": root.certify(public, dns=["localhost"], extensions=((not_signing, True),)),
        "certificate_extension": root.certify(public, dns=["localhost"], extensions=((unknown, True),)),
        "certificate_time": root.certify(public, dns=["localhost"], valid=(timedelta(-9), timedelta(-1))),
    }
    script = "(module, link) => module.fetchRequest(link)"
    for prefix in ("x509_san_dns", "x509_hash"):
        found = await run(page, "verifier.js", script, ask_under(prefix, leaf, key))
        assert (found["isSigned"], found["isCertified"], found["host"]) == (True, True, None)
        assert await run(page, "verifier.js", script, ask_under(prefix, leaf, other)) == {"error": "jws_signature"}
    away = {"response_uri": "https://thief.example/"}
    assert await run(page, "verifier.js", script, ask_under("x509_san_dns", leaf, key, **away)) == {
        "error": "response_uri"
    }
    wrong = {"client_id": "x509_hash:AAAA"}
    assert await run(page, "verifier.js", script, ask_under("x509_hash", leaf, key, **wrong)) == {
        "error": "certificate_hash"
    }
    await page.goto(ORIGIN + address_of("request", ask_under("x509_san_dns", leaf, key)))
    await expect(page.locator("#who ~ .bad")).to_contain_text("the name of the one who asks isn't proved")
    for code, stranger in strangers.items():
        link = ask_under("x509_san_dns", stranger, key)
        assert await run(page, "verifier.js", script, link) == {"error": code}, code


HELD = {
    KYC: {"age_over_18": True, "address": {"lines": ["x", "y"]}, "degrees": [{"type": "MSc"}]},
    AML: {"result": "clear", "pep": False, "count": 1},
}


def query(*claims: Any, vct: str = KYC, query_id: str = "q", **more: Any) -> dict[str, Any]:
    asked = {"claims": list(claims)} if claims else {}
    return {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, **asked, **more}


QUERIES: list[Any] = [
    {"credentials": [query()]},
    {"credentials": [query({"path": ["address", "lines", None], "values": ["y"]})]},
    {"credentials": [query({"path": ["degrees", 0, "type"]})]},
    {"credentials": [query({"path": ["degrees", 1]})]},
    {"credentials": [query({"path": ["age_over_18"], "values": [1]})]},
    {"credentials": [query({"path": ["constructor"]})]},
    {"credentials": [query({"path": ["count"], "values": [True]}, vct=AML)]},
    {"credentials": [query(), query(query_id="r", vct="urn:example:none")]},
    {
        "credentials": [query(), query(query_id="r", vct=AML), query(query_id="s", vct="urn:example:none")],
        "credential_sets": [{"options": [["s"], ["q", "r"]]}, {"options": [["s"]], "required": False}],
    },
    {
        "credentials": [
            query(
                {"id": "a", "path": ["none"]},
                {"id": "b", "path": ["age_over_18"]},
                {"id": "c", "path": ["address"]},
                claim_sets=[["a"], ["b", "c"]],
            )
        ]
    },
    FULL_QUERY,
    {"credentials": []},
    {"credentials": [query(), query()]},
    {"credentials": [query({"path": []})]},
    {"credentials": [query({"path": [-1]})]},
    {"credentials": [query({"path": ["a"]}, claim_sets=[["a"]])]},
    {"credentials": [query(query_id="a b")]},
    {"credentials": [{"id": "q", "format": "dc+sd-jwt"}]},
    {"credentials": [query()], "credential_sets": [{"options": [["other"]]}]},
    "text",
]


async def test_queries_are_answered_alike(page: Page) -> None:
    held = [HeldCredential(vct, vct, {**claims, "cnf": {}}, "dc+sd-jwt", "i") for vct, claims in HELD.items()]
    records = [{"vct": vct, "format": "dc+sd-jwt", "claims": claims} for vct, claims in HELD.items()]
    script = """(module, [raw, held]) => Object.fromEntries([...module.matchQuery(module.parseQuery(raw), held)].map(
      ([id, found]) => [id, found.map((each) => [each.credential.vct, each.paths])]))"""
    for raw in QUERIES:
        found = await run(page, "dcql.js", script, [raw, records])
        try:
            matched = match_query(parse_dcql_query(raw), held, include_optional=True)
        except DcqlSyntaxError:
            assert "error" in found, raw
            continue
        except QueryUnsatisfiedError:
            matched = {}
        assert found == {
            name: [[each.held_id, [list(path) for path in each.paths]] for each in matches]
            for name, matches in matched.items()
        }, raw


async def test_claims_paths_select_alike(page: Page) -> None:
    claims = HELD[KYC]
    for path in (
        ["address"],
        ["address", "lines", 1],
        ["address", None],
        ["degrees", None, "type"],
        ["x", 0],
        ["toString"],
    ):
        found = await run(
            page, "dcql.js", "(module, [claims, path]) => module.selectClaims(claims, path)", [claims, path]
        )
        assert found == select_claims(claims, tuple(path)), path
