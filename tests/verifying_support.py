"""An issuer, a platform and a wallet that meet over HTTP, and a hand for credentials that no honest issuer makes."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from service.credentials.credential import StatusReference
from service.credentials.credential_types import CREDENTIAL_TYPES
from service.credentials.data_integrity import add_proof
from service.credentials.dcql import HeldCredential, Match, match_query
from service.credentials.dcql_query import parse_dcql_query
from service.credentials.did import did_jwk_from_jwk
from service.credentials.disclosures import reveal_claims
from service.credentials.jose import load_key, parse_json, parse_jws, sign_jws
from service.credentials.jwt_vc import parse_jwt, read_jwt_vc
from service.credentials.jwt_vc_issuing import CredentialTerms
from service.credentials.jwt_vp import present_jwt_vc
from service.credentials.ldp_vc_issuing import (
    CRYPTOSUITE,
    PROOF_TYPE_1,
    build_ldp_vc,
    build_ldp_vc_1,
    build_proof_options,
)
from service.credentials.ldp_vc_presenting import present_ldp_vc
from service.credentials.presentation import hash_transaction_data, present_sd_jwt
from service.credentials.sd_jwt import issue_sd_jwt, parse_sd_jwt
from service.credentials.status_list import set_status
from service.keys.jwe import encrypt
from service.linked_data.bundled_contexts import load_contexts
from service.storage.standings import Standing, list_standing, read_investor_keys
from service.storage.tables import CredentialCopy, StatusList
from service.web.signing import ISSUER, get_active_key
from tests.deployment import Deployment, Member
from tests.unit.sd_jwt_support import KeyPair, new_key_pair, new_salt

LIST_ID = "sl_test"
CAPACITY = 1024
_BINDING = ("audience", "nonce", "issued_at", "sign")
CLAIMS: dict[str, dict[str, Any]] = {
    "kyc": {
        "sub": "subject-one",
        "given_name": "Canary",
        "country": "US",
        "state": "NY",
        "us_person": True,
        "age_over_18": True,
        "loa": "high",
        "verified_on": "2026-11-20",
    },
    "aml-screening": {"result": "clear", "screened_at": "2026-11-23T12:00:00Z", "lists": ["ofac-sdn@1"], "pep": False},
    "qualified-investor": {
        "jurisdiction": "US",
        "category": "us.ai.income",
        "method": "third_party",
        "attester_class": "us_cpa",
        "steps_completed_on": "2026-11-01",
        "scope": "any",
    },
}


@dataclass
class Issuer:
    """An issuing organisation whose key the test uses directly."""

    deployment: Deployment
    member: Member
    next_index: int = 0
    x5c: list[str] | None = None

    @property
    def identifier(self) -> str:
        return f"{self.deployment.context.base_url}/issuers/{self.member.organization.slug}"

    @property
    def list_uri(self) -> str:
        return f"{self.identifier}/status-lists/{LIST_ID}"

    async def issue(self, name: str, holder: KeyPair, claims: dict[str, Any] | None = None, **changes: Any) -> str:
        """Sign a credential; ``changes`` replace claims of the payload, ``None`` takes one away."""
        context = self.deployment.context
        async with context.database.reading() as session:
            key = await get_active_key(session, self.member.org_id, ISSUER)
        now = self.deployment.clock()
        payload = {
            "iss": self.identifier,
            "vct": CREDENTIAL_TYPES[name].vct,
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(days=30)).timestamp()),
            "cnf": {"jwk": holder.jwk},
            "status": {"status_list": {"uri": self.list_uri, "idx": self.next_index}},
            **(CLAIMS[name] if claims is None else claims),
            **changes,
        }
        self.next_index += 1
        return issue_sd_jwt(
            {name: value for name, value in payload.items() if value is not None},
            disclosable=CREDENTIAL_TYPES[name].disclosable,
            header={"alg": key.alg, "kid": key.kid} | ({"x5c": self.x5c} if self.x5c else {}),
            sign=context.signer.signing_function(key.kid),
            new_salt=new_salt,
        )

    async def issue_jwt_vc(self, name: str, holder: KeyPair, **changes: Any) -> str:
        """Sign a JWT VC of version 1.1; ``changes`` replace claims of the payload, ``None`` takes one away."""
        context = self.deployment.context
        async with context.database.reading() as session:
            key = await get_active_key(session, self.member.org_id, ISSUER)
        now, did = self.deployment.clock(), self.member.organization.did
        payload = {
            "iss": did,
            "sub": did_jwk_from_jwk(holder.jwk),
            "nbf": int(now.timestamp()),
            "exp": int((now + timedelta(days=30)).timestamp()),
            "status": {"status_list": {"uri": self.list_uri, "idx": self.next_index}},
            "vc": {
                "@context": ["https://www.w3.org/2018/credentials/v1"],
                "type": ["VerifiableCredential", CREDENTIAL_TYPES[name].w3c_type],
                "credentialSubject": CLAIMS[name],
            },
            **changes,
        }
        self.next_index += 1
        claims = {name: value for name, value in payload.items() if value is not None}
        header = {"alg": key.alg, "kid": f"{did}#{key.kid}", "typ": "JWT"}
        return sign_jws(header, claims, context.signer.signing_function(key.kid))

    async def issue_ldp_vc(
        self, name: str, holder: KeyPair, *, algorithm: str = CRYPTOSUITE, **changes: Any
    ) -> dict[str, Any]:
        """Sign linked data, of version 1.1 with ``PROOF_TYPE_1`` for an algorithm; ``changes`` as for the others."""
        context, did = self.deployment.context, self.member.organization.did
        async with context.database.reading() as session:
            key = await get_active_key(session, self.member.org_id, ISSUER)
        now = self.deployment.clock()
        build = build_ldp_vc_1 if algorithm == PROOF_TYPE_1 else build_ldp_vc
        document = build(
            CredentialTerms(
                CREDENTIAL_TYPES[name],
                CLAIMS[name],
                issuer=did,
                holder_jwk=holder.jwk,
                issued_at=now,
                expires_at=now + timedelta(days=30),
                status=StatusReference(self.list_uri, self.next_index),
            )
        )
        self.next_index += 1
        members = {name: value for name, value in (document | changes).items() if value is not None}
        options = build_proof_options(algorithm, f"{did}#{key.kid}", now)
        sign = context.signer.signing_function(key.kid)
        return add_proof(members, options, load_key(key.public_jwk), sign, load_contexts())

    async def record(self, compact: str) -> None:
        """Put a credential on the issuer's record as signed now, as issuing it over OpenID4VCI does."""
        jwt = parse_sd_jwt(compact).issuer_jwt
        jws = parse_jws(jwt)
        index = parse_json(jws.payload)["status"]["status_list"]["idx"]
        copy = CredentialCopy(
            org_id=self.member.org_id,
            credential_id=f"cred_{index}",
            copy_number=1,
            status_list_id=LIST_ID,
            status_index=index,
            holder_thumbprint="",
            issuer_kid=jws.header["kid"],
            signed_at=self.deployment.clock(),
            digest="sha256:" + hashlib.sha256(jwt.encode()).hexdigest(),
        )
        async with self.deployment.context.database.transaction() as session:
            session.add(copy)

    async def set_status(self, index: int, value: int) -> None:
        async with self.deployment.context.database.transaction() as session:
            row = await session.get_one(StatusList, (self.member.org_id, LIST_ID))
            packed = bytearray(row.packed)
            set_status(packed, row.bits, index, value)
            row.packed = bytes(packed)
            session.add(row)


async def add_issuer(deployment: Deployment, slug: str, **more: Any) -> Issuer:
    member = await deployment.add_organization(slug, "issuer", **more)
    async with deployment.context.database.transaction() as session:
        session.add(
            StatusList(
                org_id=member.org_id,
                id=LIST_ID,
                bits=2,
                capacity=CAPACITY,
                packed=bytes(CAPACITY // 4),
                changed_at=deployment.clock(),
            )
        )
    return Issuer(deployment, member)


@dataclass
class Platform:
    """A platform, as its own software sees it: /v1 with these scopes."""

    deployment: Deployment
    member: Member
    scopes: tuple[str, ...] = ("verifier", "compliance")

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        access = await self.deployment.headers(self.member, *self.scopes)
        return await self.deployment.http.request(method, path, json=body, headers=access | headers)

    async def trust(self, issuer: str, *types: str, entry_id: str = "one", **more: Any) -> httpx2.Response:
        body = {"issuer": issuer, "credential_types": list(types), "jurisdictions": []} | more
        return await self.call("PUT", f"/v1/trusted-issuers/{entry_id}", body)

    async def ask(self, **body: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/v1/presentation-requests", body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def read(self, request_id: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/v1/presentation-requests/{request_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def verify(self, **body: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/v1/verify", body)
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def list_kept(self, ref: str) -> list[Standing]:
        """Return what the platform keeps of an investor's credentials, opened."""
        context = self.deployment.context
        async with context.database.reading() as session:
            keys = await read_investor_keys(session, context.signer, self.member.org_id, [ref])
            return (await list_standing(session, keys, self.member.org_id, [ref]))[ref]

    async def read_standing(self, ref: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/v1/investors/{ref}/standing")
        assert answer.status_code == 200, answer.text
        standing: dict[str, Any] = answer.json()
        return standing


@dataclass
class Wallet:
    """Holds credentials under one key and answers requests; every part of the answer can be replaced."""

    deployment: Deployment
    keys: KeyPair = field(default_factory=new_key_pair)
    held: list[str | dict[str, Any]] = field(default_factory=list)

    async def open(self, made: dict[str, Any]) -> dict[str, Any]:
        """Fetch the Request Object that a deep link names, and read it."""
        uri = parse_qs(urlsplit(made["deep_link"]).query)["request_uri"][0]
        answer = await self.deployment.http.get(uri)
        assert answer.status_code == 200, answer.text
        claims: dict[str, Any] = parse_json(parse_jws(answer.text).payload)
        return claims

    def present(self, request: dict[str, Any], **changes: Any) -> dict[str, list[Any]]:
        """Build ``vp_token``; ``changes`` replace arguments of the key binding."""
        held = [_describe(number, compact) for number, compact in enumerate(self.held)]
        matches = match_query(parse_dcql_query(request["dcql_query"]), held, include_optional=True)
        hashes = [hash_transaction_data(entry) for entry in request.get("transaction_data", [])]
        values: dict[str, Any] = {
            "audience": request.get("client_id"),  # none where a browser says who asks
            "nonce": request["nonce"],
            "issued_at": self.deployment.clock(),
            "sign": self.keys.sign,
            "transaction_data_hashes": hashes or None,
        } | changes
        return {query_id: [self._show(found[0], values)] for query_id, found in matches.items()}

    def _show(self, match: Match, values: dict[str, Any]) -> str | dict[str, Any]:
        compact = self.held[int(match.held_id)]
        if isinstance(compact, dict):
            return present_ldp_vc(compact, load_contexts(), **{name: values[name] for name in _BINDING})
        if "~" in compact:
            return present_sd_jwt(compact, names=match.names, **values)
        return present_jwt_vc(compact, **{name: values[name] for name in _BINDING})

    async def send(self, request: dict[str, Any], vp_token: Any, **changes: Any) -> httpx2.Response:
        """Post an answer the way the request asks for; ``changes`` replace its parameters, None takes one away."""
        parameters = {"vp_token": vp_token, "state": request["state"]} | changes
        parameters = {name: value for name, value in parameters.items() if value is not None}
        if request["response_mode"] == "direct_post.jwt":
            [jwk] = request["client_metadata"]["jwks"]["keys"]
            form = {"response": encrypt(json.dumps(parameters).encode(), jwk, method="A256GCM")}
        else:
            form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
        return await self.deployment.http.post(request["response_uri"], data=form)

    async def answer(self, made: dict[str, Any], **changes: Any) -> httpx2.Response:
        """Do all of it."""
        request = await self.open(made)
        return await self.send(request, self.present(request, **changes))

    async def refuse(self, made: dict[str, Any]) -> httpx2.Response:
        """Say that the holder declined."""
        return await self.send(await self.open(made), None, error="access_denied")


def _describe(number: int, compact: str | dict[str, Any]) -> HeldCredential:
    if isinstance(compact, dict):
        return HeldCredential(id=str(number), vct="", claims=compact, format="ldp_vc", issuer="")
    if "~" not in compact:
        read = read_jwt_vc(parse_jwt(compact))
        return HeldCredential(id=str(number), vct="", claims=read.document, format="jwt_vc_json", issuer="")
    sd_jwt = parse_sd_jwt(compact)
    revealed = reveal_claims(parse_json(parse_jws(sd_jwt.issuer_jwt).payload), sd_jwt.disclosures)
    return HeldCredential(
        id=str(number), vct=revealed.claims["vct"], claims=revealed.claims, format="dc+sd-jwt", issuer=""
    )


@dataclass
class Scene:
    """Two issuers, a platform that trusts them, and the wallet of an investor with all that ``us.506c`` asks for."""

    deployment: Deployment
    kyc: Issuer
    accreditor: Issuer
    platform: Platform
    wallet: Wallet

    async def new_wallet(self, **kyc: Any) -> Wallet:
        wallet = Wallet(self.deployment)
        wallet.held = [
            await self.kyc.issue("kyc", wallet.keys, **kyc),
            await self.kyc.issue("aml-screening", wallet.keys),
            await self.accreditor.issue("qualified-investor", wallet.keys),
        ]
        return wallet


async def build_scene(deployment: Deployment) -> Scene:
    kyc = await add_issuer(deployment, "kyc", attester_class="kyc_provider")
    accreditor = await add_issuer(deployment, "accreditor", attester_class="us_cpa")
    platform = Platform(deployment, await deployment.add_organization("platform", "platform"))
    await platform.trust(kyc.identifier, "kyc", "aml-screening", entry_id="kyc")
    await platform.trust(accreditor.identifier, "qualified-investor", entry_id="accreditor", attester_class="us_cpa")
    scene = Scene(deployment, kyc, accreditor, platform, Wallet(deployment))
    scene.wallet = await scene.new_wallet()
    return scene


def failed(checks: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return the checks that did not pass and were reached, with their codes."""
    return {
        (check["check"], check["code"])
        for check in checks
        if check["outcome"] != "pass" and check["code"] != "not_checked"
    }


def seconds(instant: datetime) -> int:
    return int(instant.timestamp())
