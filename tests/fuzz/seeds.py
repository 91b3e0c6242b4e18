"""Inputs that each target accepts, and near misses: what mutation starts from."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.credentials.did import did_jwk_from_jwk, did_key_from_jwk
from service.credentials.encoding import b64url_encode
from service.credentials.jose import sign_jws
from service.credentials.ldp_vc import CLAIMS_CONTEXT
from service.credentials.ldp_vc_issuing import CONTEXTS_1
from service.credentials.status_list import encode_status_list
from tests.fuzz.keys import HOLDER, ISSUER, NOW, RECIPIENT, seal
from tests.fuzz.targets import AUDIENCE, CREDENTIAL, JWT_VC, LIST_URI
from tests.unit.bitstring_support import entry, list_v2
from tests.unit.jwt_vc_support import V1, V2, claims_v1, claims_v2, envelop, vc
from tests.unit.sd_jwt_support import ISSUER as ISSUER_NAME
from tests.unit.sd_jwt_support import VCT

_SECONDS = int(NOW.timestamp())
_CREDENTIAL = {"iss": ISSUER_NAME, "vct": VCT, "cnf": {"jwk": HOLDER.jwk}, "exp": _SECONDS + 10}
_QUERY = {
    "credentials": [
        {
            "id": "a",
            "format": "dc+sd-jwt",
            "multiple": True,
            "meta": {"vct_values": ["urn:x", VCT]},
            "claims": [
                {"id": "c", "path": ["a", "b", None], "values": [1, "d", True]},
                {"id": "e", "path": ["e", 0]},
            ],
            "claim_sets": [["c", "e"], ["e"]],
            "trusted_authorities": [{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}],
        },
        {
            "id": "b",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:y"]},
            "require_cryptographic_holder_binding": False,
        },
        {"id": "w", "format": "jwt_vc_json", "meta": {"type_values": [["VerifiableCredential", "A"], ["B"]]}},
    ],
    "credential_sets": [{"options": [["a", "b"], ["a"]]}, {"options": [["b"]], "required": False}],
}
_REQUEST = {
    "client_id": "decentralized_identifier:did:web:verifier.example",
    "response_type": "vp_token",
    "response_mode": "direct_post.jwt",
    "response_uri": "https://verifier.example/response",
    "nonce": "n" * 43,
    "state": "s" * 43,
    "dcql_query": {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:x"]}}]},
    "client_metadata": {"client_name": "V", "jwks": {"keys": [{**RECIPIENT.jwk, "kid": "1", "alg": "ECDH-ES"}]}},
}
_ENCRYPTION = {"jwk": {**RECIPIENT.jwk, "alg": "ECDH-ES", "use": "enc", "kid": "1"}, "enc": "A128GCM"}
_OFFER = {
    "credential_issuer": "https://issuer.example/i",
    "credential_configuration_ids": ["kyc"],
    "grants": {
        "urn:ietf:params:oauth:grant-type:pre-authorized_code": {
            "pre-authorized_code": "c",
            "tx_code": {"input_mode": "numeric", "length": 6, "description": "sent"},
        }
    },
}
_DID = did_key_from_jwk(ISSUER.jwk)
_METHOD = {"id": "did:web:a#k", "type": "JsonWebKey", "controller": "did:web:a", "publicKeyJwk": ISSUER.jwk}


_LINKED = {
    "@context": [V2, CLAIMS_CONTEXT],
    "type": ["VerifiableCredential", "KycCredential"],
    "issuer": "did:example:a",
    "validFrom": "2026-01-01T00:00:00Z",
    "validUntil": "2036-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:b", "country": "US", "tax_years": [2024], "address": {"locality": "Brno"}},
    "credentialStatus": entry(),
}
_LINKED_1 = {name: value for name, value in _LINKED.items() if not name.startswith("valid")} | {
    "@context": [*CONTEXTS_1],
    "issuanceDate": "2026-01-01T00:00:00Z",
    "expirationDate": "2036-01-01T00:00:00Z",
}
_LOG = json.loads((Path(__file__).parents[1] / "vectors" / "did_webvh.json").read_text(encoding="utf-8"))["logs"][0]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _lines(*parts: Any) -> bytes:
    return b"\n".join(part if isinstance(part, bytes) else _json(part) for part in parts)


SEEDS: Mapping[str, list[bytes]] = {
    "client_assertion": [
        _lines(
            {"alg": "ES256", "typ": "client-authentication+jwt"},
            {"iss": "w", "sub": "w", "aud": AUDIENCE, "jti": "j", "iat": _SECONDS, "exp": _SECONDS + 60},
        ),
    ],
    "compact_sd_jwt": [CREDENTIAL.encode(), b"e30.e30.AA~~", b"~", b""],
    "credential_request": [
        b" " + _json({"credential_configuration_id": "kyc", "credential_response_encryption": _ENCRYPTION}),
        _json({"credential_configuration_id": "kyc", "proofs": {"jwt": ["a.b.c"]}}),
        _json({"credential_identifier": "kyc", "proofs": {"jwt": ["a.b.c", "d.e.f"]}}),
        _json(
            {
                "credential_configuration_id": "kyc",
                "credential_response_encryption": {"jwk": RECIPIENT.jwk, "enc": "A128GCM"},
            }
        ),
    ],
    "contexts": [
        _json({**_LINKED, "@context": [V2, {"@protected": True, "country": "https://a.example/#c"}]}),
        _json({**_LINKED, "@context": [V2, "https://www.w3.org/ns/credentials/examples/v2"], "x": {"y": [1.5, "z"]}}),
        _json({"@context": [V2, {"@vocab": None, "a": "b:c", "d": {"@id": "e:f"}}], "a": {"@value": "g"}}),
        _json({"@context": [V2, {"id": "urn:x", "type": "urn:y"}], "id": "urn:z", "type": "VerifiableCredential"}),
    ],
    "dcql": [_json(_QUERY), _json(_REQUEST["dcql_query"])],
    "did": [
        _DID.encode(),
        did_jwk_from_jwk(ISSUER.jwk).encode(),
        b"did:web:issuer.example%3A8443:issuers:kyc",
        _lines(b"did:web:a#k", {"id": "did:web:a", "verificationMethod": [_METHOD], "assertionMethod": ["#k"]}),
        _lines(b"#k", {"id": "did:web:a", "assertionMethod": [_METHOD]}),
    ],
    "did_log": [_lines(*(line.encode() for line in [_LOG["did"], *_LOG["log"], ""]))],
    "disclosures": [
        _lines({"_sd": ["#0"], "_sd_alg": "sha-256"}, ["salt", "a", 1]),
        _lines(
            {"a": [{"...": "#0"}, 2], "_sd": ["#1"]}, ["salt", {"b": 1}], ["salt", "c", {"_sd": ["#2"]}], ["s", "d", []]
        ),
        _lines({"_sd": ["#0", "#0"]}, ["salt", "a", 1]),
    ],
    "dpop": [
        _lines(
            b'{"typ":"dpop+jwt","alg":"ES256","jwk":#k}',
            {"jti": "j", "htm": "POST", "htu": "https://issuer.example/token", "iat": _SECONDS, "nonce": "n"},
        ),
    ],
    "jwe": [
        seal(_json({"alg": "ECDH-ES", "enc": "A128GCM"}), b"{}").encode(),
        _lines({"alg": "ECDH-ES", "enc": "A256GCM", "kid": "1", "apu": "AA", "apv": "AA"}, b"{}"),
        _lines({"alg": "ECDH-ES", "enc": "A128GCM", "zip": "DEF"}, b"a" * 100),
    ],
    "jwk": [
        _json(ISSUER.jwk),
        _json({**ISSUER.jwk, "alg": "ES256", "use": "sig", "key_ops": ["verify"], "kid": "k"}),
        _json({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        _json({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
    ],
    "jws": [
        sign_jws({"alg": "ES256"}, {"iat": 1}, ISSUER.sign).encode(),
        _lines({"alg": "ES256", "typ": "a+jwt", "kid": "k"}, {"iat": 1, "nbf": 2, "exp": _SECONDS + 9}),
        _lines({"alg": "none", "crit": ["exp"], "b64": False}, {}),
    ],
    "jwt_vc": [
        _lines({"alg": "ES256", "typ": "JWT", "kid": "k"}, claims_v1(sub="#h")),
        _lines(
            {"alg": "ES256"},
            claims_v1(sub="#h", vc=vc(issuer={"id": ISSUER_NAME}, issuanceDate="2026-03-02T11:43:20.5Z")),
        ),
        _lines(
            {"alg": "ES256", "typ": "vc+jwt", "cty": "vc"},
            claims_v2(credentialSubject={"id": "#h", "a": 1}, cnf={"jwk": HOLDER.jwk}),
        ),
        _lines(
            {"alg": "ES256", "typ": "JWT", "kid": "#h#0"},
            {
                "iss": "#h",
                "aud": AUDIENCE,
                "nonce": "n",
                "iat": _SECONDS,
                "vp": {"@context": [V1], "type": "VerifiablePresentation", "verifiableCredential": ["#c", "#c"]},
            },
        ),
        _lines(
            {"alg": "ES256", "typ": "vp+jwt"},
            {"@context": V2, "type": ["VerifiablePresentation"], "verifiableCredential": [envelop("#c")]},
        ),
        JWT_VC.encode(),
    ],
    "key_binding": [
        _lines(
            {"alg": "ES256", "typ": "kb+jwt"},
            {"iat": _SECONDS, "aud": AUDIENCE, "nonce": "n", "sd_hash": "#c"},
        ),
        _lines(
            {"alg": "ES256", "typ": "kb+jwt"},
            {"iat": _SECONDS, "aud": AUDIENCE, "nonce": "n", "sd_hash": "#c", "transaction_data_hashes": ["x"]},
        ),
    ],
    "key_proof": [
        _lines(
            b'{"typ":"openid4vci-proof+jwt","alg":"ES256","jwk":#k}',
            {"aud": "https://issuer.example", "iat": _SECONDS, "nonce": "n"},
        ),
        _lines(
            {"typ": "openid4vci-proof+jwt", "alg": "ES256", "kid": f"{(did := did_jwk_from_jwk(HOLDER.jwk))}#0"},
            {"aud": ["https://issuer.example"], "iat": _SECONDS, "nonce": "n", "iss": "x"},
        ),
        _lines({"typ": "openid4vci-proof+jwt", "alg": "ES256", "kid": did, "x5c": ["MIIB"]}, {}),
    ],
    "linked_data": [
        _json(_LINKED),
        _json(_LINKED_1),
        _json({"@context": [V2], "type": ["VerifiablePresentation"], "verifiableCredential": []}),
        _json({"@context": [V2, {"a": None}], "type": "VerifiableCredential", "proof": {"type": "DataIntegrityProof"}}),
    ],
    "links": [
        _json(_OFFER),
        b"openid-credential-offer://?credential_offer=%7B%22credential_issuer%22%3A%22https%3A%2F%2Fi%22%7D",
        b"https://[::1/?a=%ff&a=1",
    ],
    "request_object": [_json(_REQUEST), _json({**_REQUEST, "transaction_data": ["e30"], "scope": "x"})],
    "sd_jwt": [
        _lines({**_CREDENTIAL, "_sd": ["#0"]}, ["salt", "given_name", "Ada"]),
        _lines({**_CREDENTIAL, "status": {"status_list": {"idx": 7, "uri": LIST_URI}}, "nbf": 1, "iat": 2, "aud": "x"}),
    ],
    "bitstring_list": [
        _json(list_v2(5, id=LIST_URI, iat=_SECONDS, subject={"ttl": 9})),
        _json(list_v2(id=LIST_URI, iat=_SECONDS)) + b"\n" + _json([entry(), entry(statusPurpose="suspension")]),
    ],
    "status_list": [
        _json(
            {
                "sub": LIST_URI,
                "iat": _SECONDS,
                "exp": _SECONDS + 9,
                "ttl": 9,
                "status_list": encode_status_list(bytes(64), 2),
            }
        ),
        b"\x02\n" + zlib.compress(bytes(1000)),
        b"\x01\n" + b64url_encode(b"x").encode(),
    ],
    "wallet_attestation": [
        _lines(
            b'{"sub":"w","iat":%d,"exp":%d,"cnf":{"jwk":#k}}' % (_SECONDS, _SECONDS + 60),
            {"aud": AUDIENCE, "iat": _SECONDS, "jti": "j"},
        ),
    ],
}
