"""The documents that an issuer publishes about itself; pure builders over its identity and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from service.credentials import client_assertion, dpop, wallet_attestation
from service.credentials.configurations import CONFIGURATIONS, CredentialConfiguration
from service.credentials.ldp_vc_issuing import CONTEXTS, CONTEXTS_1, CRYPTOSUITE, PROOF_TYPE_1
from service.credentials.sd_jwt import SD_JWT_VC_TYP
from service.credentials.w3c_document import CREDENTIAL
from service.issuer.credential_request import ATTESTATION_PROOF, BATCH_SIZE, JWT_PROOF, PROOF_ALGORITHMS
from service.issuer.identity import Issuer
from service.issuer.key_attestations import AttestationPolicy
from service.issuer.offers import AUTHORIZATION_CODE_GRANT, PRE_AUTHORIZED_CODE_GRANT
from service.issuer.tokens import DETAILS_TYPE
from service.issuer.wallet_clients import ATTESTATION, NONE, PRIVATE_KEY_JWT
from service.issuer.wallet_grants import REFRESH_TOKEN_GRANT
from service.keys.jwe import ALGORITHM, ENCRYPTION_METHODS
from service.schema_files import load_type_metadata
from service.storage.tables import SigningKey

BINDING_METHODS = ("jwk", "did:key", "did:jwk")
_CONTEXTS = {CRYPTOSUITE: CONTEXTS, PROOF_TYPE_1: CONTEXTS_1}
_LOCALE = "en"


def build_issuer_metadata(
    issuer: Issuer, *, encryption_keys: Sequence[SigningKey], policy: AttestationPolicy
) -> dict[str, Any]:
    """Build the Credential Issuer Metadata.

    Args:
        issuer: Whose.
        policy: Whose key attestations count.
        encryption_keys: What requests may be encrypted to; without any, nothing is encrypted in either direction.

    Source: OpenID4VCI 1.0, section 12.2.4.
    """
    return {
        "credential_issuer": issuer.identifier,
        "credential_endpoint": f"{issuer.identifier}/credential",
        "deferred_credential_endpoint": f"{issuer.identifier}/deferred_credential",
        "nonce_endpoint": f"{issuer.identifier}/nonce",
        "notification_endpoint": f"{issuer.identifier}/notification",
        **_describe_encryption(encryption_keys),
        "batch_credential_issuance": {"batch_size": BATCH_SIZE},
        "display": [{"name": issuer.name, "locale": _LOCALE}],
        "credential_configurations_supported": {
            name: _build_configuration(configuration, policy) for name, configuration in CONFIGURATIONS.items()
        },
    }


def build_authorization_server_metadata(issuer: Issuer, *, trusts_attestations: bool) -> dict[str, Any]:
    """Build the metadata of the authorization server.

    Wallet attestations are announced only by an issuer that trusts a wallet provider: a wallet that sends one to any
    other would be refused.

    Source: RFC 8414, section 2; RFC 9126, section 5; RFC 9207, section 3; RFC 7636, section 6.2; RFC 9449, section 5.1;
        OpenID4VCI 1.0, sections 12.2.4 and 12.3; draft-ietf-oauth-status-list-20, section 9.1.
    """
    metadata = {
        "issuer": issuer.identifier,
        "authorization_endpoint": f"{issuer.identifier}/authorize",
        "pushed_authorization_request_endpoint": f"{issuer.identifier}/par",
        "require_pushed_authorization_requests": True,
        "token_endpoint": f"{issuer.identifier}/token",
        "token_endpoint_auth_methods_supported": [NONE, PRIVATE_KEY_JWT],
        "token_endpoint_auth_signing_alg_values_supported": list(client_assertion.ALGORITHMS),
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "jwks_uri": f"{issuer.identifier}/jwks",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "grant_types_supported": [PRE_AUTHORIZED_CODE_GRANT, AUTHORIZATION_CODE_GRANT, REFRESH_TOKEN_GRANT],
        "scopes_supported": list(CONFIGURATIONS),
        "authorization_details_types_supported": [DETAILS_TYPE],
        "pre-authorized_grant_anonymous_access_supported": True,
        "status_list_aggregation_endpoint": f"{issuer.identifier}/status-lists",
    }
    if trusts_attestations:
        metadata |= {
            "token_endpoint_auth_methods_supported": [NONE, PRIVATE_KEY_JWT, ATTESTATION],
            "client_attestation_signing_alg_values_supported": list(wallet_attestation.ALGORITHMS),
            "client_attestation_pop_signing_alg_values_supported": list(wallet_attestation.ALGORITHMS),
            "challenge_endpoint": f"{issuer.identifier}/challenge",
        }
    return metadata


def _describe_encryption(keys: Sequence[SigningKey]) -> dict[str, Any]:
    if not keys:
        return {}
    jwks = {"keys": [{**key.public_jwk, "kid": key.kid, "alg": key.alg, "use": "enc"} for key in keys]}
    methods = {"enc_values_supported": list(ENCRYPTION_METHODS), "encryption_required": False}
    return {
        "credential_request_encryption": {"jwks": jwks, **methods},
        "credential_response_encryption": {"alg_values_supported": [ALGORITHM], **methods},
    }


def build_jwt_vc_issuer_metadata(issuer: Issuer, keys: Sequence[SigningKey]) -> dict[str, Any]:
    """Build the JWT VC Issuer Metadata, keys inside. Source: SD-JWT VC draft, section "JWT VC Issuer Metadata"."""
    return {"issuer": issuer.identifier, "jwks": build_jwks(keys)}


def build_jwks(keys: Sequence[SigningKey]) -> dict[str, Any]:
    """Build the JWK Set of published keys. Source: RFC 7517, section 5."""
    return {"keys": [{**key.public_jwk, "kid": key.kid, "alg": key.alg, "use": "sig"} for key in keys]}


def _build_configuration(configuration: CredentialConfiguration, policy: AttestationPolicy) -> dict[str, Any]:
    """Describe one type in one format. Source: OpenID4VCI 1.0, sections 12.2.4, A.1.1.2, A.1.2.2 and A.3.2."""
    metadata = load_type_metadata(configuration.kind.name)
    return {
        "format": configuration.format,
        "scope": configuration.id,
        **_describe_type(configuration),
        "cryptographic_binding_methods_supported": list(BINDING_METHODS),
        "credential_signing_alg_values_supported": [configuration.signing_algorithm],
        "proof_types_supported": _describe_proof_types(policy, configuration.id),
        "credential_metadata": {
            "display": metadata["display"],
            "claims": [_describe_claim(claim, configuration) for claim in metadata["claims"] if claim["sd"] != "never"],
        },
    }


def _describe_type(configuration: CredentialConfiguration) -> dict[str, Any]:
    if configuration.format == SD_JWT_VC_TYP:
        return {"vct": configuration.kind.vct}
    named = _CONTEXTS.get(configuration.signing_algorithm)
    contexts = {} if named is None else {"@context": list(named)}
    return {"credential_definition": {**contexts, "type": [CREDENTIAL, configuration.kind.w3c_type]}}


def _describe_proof_types(policy: AttestationPolicy, name: str) -> dict[str, Any]:
    described: dict[str, Any] = {"proof_signing_alg_values_supported": list(PROOF_ALGORITHMS)}
    if name in policy.required:
        wanted = asdict(policy.required[name])
        described["key_attestations_required"] = {part: sorted(values) for part, values in wanted.items() if values}
    return dict.fromkeys((JWT_PROOF, ATTESTATION_PROOF) if policy.counts else (JWT_PROOF,), described)


def _describe_claim(claim: Mapping[str, Any], configuration: CredentialConfiguration) -> dict[str, Any]:
    """Turn a claim of the type metadata into a claims description. Source: OpenID4VCI 1.0, appendix B.2."""
    return {
        "path": [*(() if configuration.format == SD_JWT_VC_TYP else ("credentialSubject",)), *claim["path"]],
        "mandatory": claim["mandatory"],
        "display": [{"name": entry["label"], "locale": entry["locale"]} for entry in claim["display"]],
    }
