"""One function per parser: any bytes in, a value or a ``ServiceError`` out.

Where a signature stands before the part that is worth trying, the input is what gets signed: lines are parts, and
``#0`` in a payload stands for the digest of the first disclosure, so that mutations keep fitting together.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from service.credentials.bitstring_status_list import read_status_entries
from service.credentials.client_assertion import read_asserted_client, verify_client_assertion
from service.credentials.credential import Expected
from service.credentials.data_integrity import add_proof
from service.credentials.dcql import HeldCredential, check_response, match_query
from service.credentials.dcql_query import parse_dcql_query
from service.credentials.did import did_jwk_from_jwk, resolve_did_jwk, resolve_did_key, select_verification_key
from service.credentials.did_web import did_web_url
from service.credentials.did_webvh import verify_did_log
from service.credentials.disclosures import reveal_claims
from service.credentials.dpop import verify_dpop_proof
from service.credentials.encoding import b64url_encode, parse_json
from service.credentials.formats import read_document, verify_document
from service.credentials.jose import check_times, jwk_thumbprint, load_key, sign_jws, verify_jws
from service.credentials.key_proof import verify_key_proof
from service.credentials.ldp_vc import UnverifiedLdpVc, read_ldp, verify_ldp_vc
from service.credentials.presentation import verify_presentation
from service.credentials.rdf import canonicalize_rdf
from service.credentials.sd_jwt import parse_sd_jwt, read_holder_jwk, read_issuer, verify_sd_jwt_vc
from service.credentials.status_list import decode_status_list, verify_status_list_token
from service.credentials.status_list_credential import read_status_list_credential, verify_status_list_credential
from service.credentials.w3c_document import V1_CONTEXT
from service.credentials.wallet_attestation import read_attestation, verify_attestation, verify_attestation_pop
from service.errors import MalformedError, ServiceError
from service.issuer.credential_request import read_credential_request
from service.keys.jwe import decrypt
from service.linked_data.bundled_contexts import inline_own_contexts, load_contexts, load_example_contexts
from service.wallet.links import read_link
from service.wallet.offers import read_offer
from service.wallet.presentation_request import read_reply_address, read_request
from tests.fuzz.keys import HOLDER, ISSUER, NOW, RECIPIENT, seal
from tests.unit.jwt_vc_support import claims_v1
from tests.unit.sd_jwt_support import base_claims, digest_of

AUDIENCE = "https://verifier.example"
LIST_URI = "https://issuer.example/lists/1"
MAX_INPUT = 65_536
MAX_LINES = 600  # more than an SD-JWT may have disclosures
CREDENTIAL = sign_jws({"alg": "ES256", "typ": "dc+sd-jwt"}, base_claims(cnf={"jwk": HOLDER.jwk}), ISSUER.sign) + "~"
HOLDER_DID = did_jwk_from_jwk(HOLDER.jwk)
JWT_VC = sign_jws({"alg": "ES256"}, claims_v1(sub=HOLDER_DID), ISSUER.sign)
DI_SUITE = {"cryptosuite": "ecdsa-rdfc-2019"}
PROOF = {"verificationMethod": "did:example:a#b", "proofPurpose": "assertionMethod", "created": "2026-01-01T00:00:00Z"}
HELD = [HeldCredential("1", "urn:x", {"cnf": {}, "a": {"b": [1, {"c": "d"}]}, "e": [[1], [2, 3]]}, "dc+sd-jwt", "i")]


def read_jws(data: bytes) -> None:
    """Lines: header, payload, signed as they are; without a line feed a compact JWS."""
    header, separator, payload = data.partition(b"\n")
    if not separator:
        claims = verify_jws(_text(data), ISSUER.key, expected_typ=["", "a+jwt"])
    else:
        claims = verify_jws(_sign(header, payload, ISSUER.sign), ISSUER.key, expected_typ=["", "a+jwt"])
    check_times(claims, now=NOW, leeway=timedelta(seconds=60), require_exp=False)


def read_jwk(data: bytes) -> None:
    jwk = _object(data)
    jwk_thumbprint(jwk)
    load_key(jwk)


def read_compact_sd_jwt(data: bytes) -> None:
    compact = _text(data)
    parse_sd_jwt(compact)
    read_issuer(compact)
    read_holder_jwk(compact)
    verify_sd_jwt_vc(compact, ISSUER.key, now=NOW)


def read_sd_jwt(data: bytes) -> None:
    """Lines: payload, then a disclosure each, as JSON."""
    payload, *disclosures = data.split(b"\n", MAX_LINES)
    encoded = _encode_disclosures(disclosures)
    token = _sign(b'{"alg":"ES256","typ":"dc+sd-jwt"}', _fill(payload, encoded), ISSUER.sign)
    verify_sd_jwt_vc("~".join([token, *encoded, ""]), ISSUER.key, now=NOW, require_exp=False)


def read_disclosures(data: bytes) -> None:
    """Lines: payload, then a disclosure each, as JSON."""
    payload, *disclosures = data.split(b"\n", MAX_LINES)
    encoded = _encode_disclosures(disclosures)
    reveal_claims(_object(_fill(payload, encoded)), encoded)


def read_key_binding(data: bytes) -> None:
    """Lines: header, payload; ``#c`` stands for the hash of the credential."""
    header, _, payload = data.partition(b"\n")
    kb_jwt = _sign(header, payload.replace(b"#c", digest_of(CREDENTIAL).encode()), HOLDER.sign)
    verify_presentation(CREDENTIAL + kb_jwt, ISSUER.key, expected_audience=AUDIENCE, expected_nonce="n", now=NOW)


def read_jwt_vc(data: bytes) -> None:
    """Lines: header, payload; ``#c`` stands for a sound JWT VC, ``#h`` for its holder. Presentations are the holder's.

    Without a line feed a token as it is.
    """
    header, separator, payload = data.partition(b"\n")
    if not separator:
        token = _text(data)
    else:
        filled = payload.replace(b"#c", JWT_VC.encode()).replace(b"#h", HOLDER_DID.encode())
        is_presentation = b"vp" in header or b'"vp"' in payload
        token = _sign(header, filled, HOLDER.sign if is_presentation else ISSUER.sign)
    for read in read_document(token):
        if isinstance(read, UnverifiedLdpVc):
            continue
        read.read_issuer()
        for expected in (None, Expected("n", AUDIENCE)):
            with suppress(ServiceError):
                verify_document(read, ISSUER.key, expected, now=NOW)


def read_dcql(data: bytes) -> None:
    query = parse_dcql_query(parse_json(data))
    assert parse_dcql_query(query.to_json()) == query
    presented = verify_sd_jwt_vc(CREDENTIAL, ISSUER.key, now=NOW)
    for use in (
        lambda: match_query(query, HELD, include_optional=True),
        lambda: check_response(query, {item.id: [presented] for item in query.credentials}),
    ):
        try:
            use()
        except ServiceError:
            continue


def read_status_list(data: bytes) -> None:
    """A token's claims, signed; behind a line feed the ``lst`` by itself, as bytes."""
    claims, separator, lst = data.partition(b"\n")
    if separator:
        decode_status_list({"bits": 1 if not claims else claims[0], "lst": b64url_encode(lst)})
    token = _sign(b'{"alg":"ES256","typ":"statuslist+jwt"}', claims, ISSUER.sign)
    status_list = verify_status_list_token(token, ISSUER.key, expected_uri=LIST_URI, now=NOW)
    status_list.status_at(len(data))


def read_bitstring_list(data: bytes) -> None:
    """A list credential's claims, signed; behind a line feed ``credentialStatus`` of a credential."""
    claims, separator, status = data.partition(b"\n")
    if separator:
        read_status_entries({"credentialStatus": parse_json(status)})
    token = _sign(b'{"alg":"ES256","typ":"vc+jwt"}', claims, ISSUER.sign)
    read = read_status_list_credential(token.encode())
    verify_status_list_credential(
        read, ISSUER.key, load_contexts(), expected_reference=f"{LIST_URI}#revocation", now=NOW
    )


def read_key_proof(data: bytes) -> None:
    """Lines: header, payload; ``#k`` stands for the holder's key."""
    header, _, payload = data.partition(b"\n")
    named = header.replace(b"#k", HOLDER.json)
    verify_key_proof(_sign(named, payload, HOLDER.sign), audience="https://issuer.example", nonce=None, now=NOW)


def read_dpop(data: bytes) -> None:
    """Lines: header, payload; ``#k`` stands for the wallet's key."""
    header, _, payload = data.partition(b"\n")
    verify_dpop_proof(
        _sign(header.replace(b"#k", HOLDER.json), payload, HOLDER.sign),
        expected_method="POST",
        expected_url="https://issuer.example/token",
        access_token=None,
        now=NOW,
    )


def read_client_assertion(data: bytes) -> None:
    """Lines: header, payload."""
    header, _, payload = data.partition(b"\n")
    assertion = _sign(header, payload, HOLDER.sign)
    client_id = read_asserted_client(assertion)
    verify_client_assertion(assertion, [HOLDER.key], client_id=client_id, expected_audience=AUDIENCE, now=NOW)


def read_wallet_attestation(data: bytes) -> None:
    """Lines: payload of the attestation, payload of its proof; ``#k`` stands for the instance's key."""
    payload, _, proof = data.partition(b"\n")
    header = b'{"alg":"ES256","typ":"oauth-client-attestation+jwt"}'
    claimed = read_attestation(_sign(header, payload.replace(b"#k", HOLDER.json), ISSUER.sign))
    wallet = verify_attestation(claimed, ISSUER.key, now=NOW)
    header = b'{"alg":"ES256","typ":"oauth-client-attestation-pop+jwt"}'
    verify_attestation_pop(_sign(header, proof, HOLDER.sign), wallet, expected_audience=AUDIENCE, now=NOW)


def read_request_object(data: bytes) -> None:
    """Parameters of a presentation request, as our wallet reads them."""
    claims = _object(data)
    read_request(claims, read_reply_address(claims), authenticated=True)


def read_links(data: bytes) -> None:
    """A credential offer, as JSON or in a link."""
    text = _text(data)
    if text.startswith("{"):
        read_offer(_object(data))
    else:
        parameters = read_link(text, schemes=("openid-credential-offer", "openid4vp"))
        read_offer(_object(parameters.get("credential_offer", "").encode()))


def read_did(data: bytes) -> None:
    """A DID; behind a line feed a document of it."""
    name, separator, document = data.partition(b"\n")
    did = _text(name)
    if separator:
        select_verification_key(_object(document), did, relationship="assertionMethod")
    elif did.startswith("did:key:"):
        resolve_did_key(did)
    elif did.startswith("did:jwk:"):
        resolve_did_jwk(did)
    else:
        did_web_url(did)


def read_did_log(data: bytes) -> None:
    """A did:webvh; behind a line feed its log."""
    name, _, log = data.partition(b"\n")
    verify_did_log(_text(name), log, now=NOW)


def read_linked_data(data: bytes) -> None:
    """A credential or presentation; one without a proof gets one, so that what can be signed is read to its end."""
    document = _object(data)
    if "proof" not in document:
        suite = {"type": "JsonWebSignature2020"} if V1_CONTEXT in document.get("@context", "") else DI_SUITE
        document = add_proof(document, {**PROOF, **suite}, ISSUER.key, ISSUER.sign, load_contexts())
    for read in read_ldp(document):
        read.read_issuer()
        with suppress(ServiceError):
            read.read_statuses()
        if isinstance(read, UnverifiedLdpVc):
            verify_ldp_vc(read, ISSUER.key, load_contexts(), now=NOW)
    inline_own_contexts(document)


def read_contexts(data: bytes) -> None:
    """A document with terms of its own, as the façade takes it for public suites."""
    canonicalize_rdf(_object(data), load_example_contexts())


def read_jwe(data: bytes) -> None:
    """A compact JWE; behind a line feed a header and the plaintext to encrypt under it."""
    header, separator, plaintext = data.partition(b"\n")
    token = seal(header, plaintext) if separator else _text(data)
    decrypt(token, RECIPIENT.private_jwk, max_bytes=4096)


def read_credential_requests(data: bytes) -> None:
    read_credential_request(data, is_encrypted=data.startswith(b" "))


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "client_assertion": read_client_assertion,
    "compact_sd_jwt": read_compact_sd_jwt,
    "credential_request": read_credential_requests,
    "contexts": read_contexts,
    "dcql": read_dcql,
    "did": read_did,
    "did_log": read_did_log,
    "disclosures": read_disclosures,
    "dpop": read_dpop,
    "jwe": read_jwe,
    "jwk": read_jwk,
    "jws": read_jws,
    "jwt_vc": read_jwt_vc,
    "key_binding": read_key_binding,
    "key_proof": read_key_proof,
    "linked_data": read_linked_data,
    "links": read_links,
    "request_object": read_request_object,
    "sd_jwt": read_sd_jwt,
    "status_list": read_status_list,
    "bitstring_list": read_bitstring_list,
    "wallet_attestation": read_wallet_attestation,
}


def try_input(name: str, data: bytes) -> bool:
    """Run a target; returns whether it accepted. Anything but a value or a ``ServiceError`` is a find."""
    try:
        TARGETS[name](data)
    except ServiceError as refusal:
        if not (refusal.code and refusal.detail):
            raise AssertionError("a refusal without a code") from refusal
        return False
    return True


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedError("not a text") from None


def _object(data: bytes) -> Any:
    value = parse_json(data)
    if not isinstance(value, dict):
        raise MalformedError("not an object")
    return value


def _sign(header: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    signing_input = f"{b64url_encode(header)}.{b64url_encode(payload)}"
    return f"{signing_input}.{b64url_encode(sign(signing_input.encode()))}"


def _encode_disclosures(lines: list[bytes]) -> list[str]:
    """Encode from the last to the first, so that an earlier one may name the digest of a later one."""
    encoded: list[str] = []
    for at in range(len(lines) - 1, -1, -1):
        later = [""] * (at + 1) + encoded if at < 10 else []
        encoded.insert(0, b64url_encode(_fill(lines[at], later)))
    return encoded


def _fill(text: bytes, encoded: list[str]) -> bytes:
    for at, item in enumerate(encoded[:10]):
        text = text.replace(b"#%d" % at, digest_of(item).encode() if item else b"")
    return text
