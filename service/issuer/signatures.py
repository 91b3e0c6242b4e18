"""The signatures of the copies of a credential, in the format of their configuration."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.credentials.configurations import CONFIGURATIONS
from service.credentials.data_integrity import add_proof, digest_secured
from service.credentials.jose import SignFunction, load_key, sign_jws
from service.credentials.ldp_vc import LDP_VC
from service.credentials.rdf import Contexts
from service.credentials.sd_jwt import SdJwt
from service.issuer.drafts import Draft
from service.linked_data.bundled_contexts import with_contexts
from service.web.signing import ActiveKey


@dataclass(frozen=True, slots=True)
class SignedCopy:
    """One copy as the wallet gets it, a text or an object, with the ``digest`` that verifiers compute of it."""

    number: int
    credential: str | Mapping[str, Any]
    digest: str


async def sign_drafts(
    configuration_id: str, header: Mapping[str, Any], drafts: Sequence[Draft], key: ActiveKey, sign: SignFunction
) -> list[SignedCopy]:
    """Sign copies of one credential.

    Args:
        configuration_id: One of ``CONFIGURATIONS``.
        header: What all copies say of their signature.
        drafts: The copies.
        key: What ``sign`` signs with.
        sign: Makes raw signatures.
    """
    if CONFIGURATIONS[configuration_id].format != LDP_VC:
        return [_sign_jwt(header, draft, sign) for draft in drafts]
    public = load_key(key.public_jwk)

    def prove(contexts: Contexts) -> list[SignedCopy]:
        documents = [add_proof(draft.payload, header, public, sign, contexts) for draft in drafts]
        return [
            SignedCopy(draft.number, document, digest_secured(document))
            for draft, document in zip(drafts, documents, strict=True)
        ]

    return await with_contexts(prove)


def _sign_jwt(header: Mapping[str, Any], draft: Draft, sign: SignFunction) -> SignedCopy:
    jwt = sign_jws(header, draft.payload, sign)
    hidden = draft.disclosures
    compact = jwt if hidden is None else SdJwt(jwt, hidden, None).without_key_binding()
    return SignedCopy(draft.number, compact, "sha256:" + hashlib.sha256(jwt.encode()).hexdigest())
