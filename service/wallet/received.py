"""Checks on credentials that an issuer hands over, before they are kept."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from service.credentials.credential import VerifiedCredential
from service.credentials.jose import jwk_thumbprint
from service.credentials.jwt_vc import UnverifiedJwtVc, verify_jwt_vc
from service.credentials.ldp_vc import UnverifiedLdpVc, verify_ldp_vc
from service.credentials.ldp_vp import check_presented
from service.credentials.sd_jwt import UnverifiedCredential, verify_sd_jwt_vc
from service.fetch import Fetcher
from service.keys import PublicKey
from service.linked_data.bundled_contexts import with_contexts
from service.wallet.errors import RejectedError, rejecting
from service.wallet.issuer_metadata import CredentialConfiguration
from service.wallet.records import CredentialCopy
from service.wallet.trusted_keys import find_issuer_key

_SUBJECT = "The credential"


async def verify_received(
    body: Mapping[str, Any],
    configuration: CredentialConfiguration,
    keys: Sequence[PublicKey],
    *,
    fetcher: Fetcher,
    now: datetime,
) -> tuple[list[CredentialCopy], str]:
    """Verify a Credential Response.

    1. It holds at least one credential, and no more than keys were proved.
    2. Each is an SD-JWT VC without key binding JWT, a JWT VC, or one with a Data Integrity proof, that the key of its
       issuer signed, valid now.
    3. Each has the format and type that was offered.
    4. Each is bound to one of our keys, and no two to the same.
    5. All are of one issuer and make the same statements.

    Args:
        body: Credential Response.
        configuration: What was asked for.
        keys: The holder keys that were proved.
        fetcher: Finds the issuer's key.
        now: Aware.

    Returns:
        The copies in the order of ``keys``, and the issuer.

    Raises:
        RejectedError: Any of 1 to 5 doesn't hold.
        UnsupportedError, RefusedError, FetchError: The issuer's key can't be had.

    Source: OpenID4VCI 1.0, section 8.3; SD-JWT VC, sections 2.4 and 2.5.
    """
    compacts = _read_credentials(body, len(keys))  # (1)
    verified = [await _verify(CredentialCopy("", compact), fetcher=fetcher, now=now) for compact in compacts]  # (2)
    if any((item.format, item.vct) != (configuration.format, configuration.vct) for item in verified):  # (3)
        raise RejectedError("The credential isn't of the type that was offered.")
    bound = [_thumbprint(item) for item in verified]  # (4)
    ours = [key.kid for key in keys]
    if len(set(bound)) != len(bound) or not set(bound) <= set(ours):
        raise RejectedError("The credential isn't bound to the holder key that was proved.")
    if len({item.issuer for item in verified}) != 1 or any(
        _says(item) != _says(verified[0]) for item in verified
    ):  # (5)
        raise RejectedError("The copies of the credential differ.")
    copies = [CredentialCopy(kid, compact) for kid, compact in zip(bound, compacts, strict=True)]
    return sorted(copies, key=lambda copy: ours.index(copy.kid)), verified[0].issuer


def _read_credentials(body: Mapping[str, Any], expected: int) -> list[str]:
    entries = body.get("credentials")
    if not isinstance(entries, list) or not 0 < len(entries) <= expected:
        raise RejectedError("The credential response holds none, or more credentials than were asked for.")
    compacts = [entry.get("credential") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(compact, str | dict) for compact in compacts):
        raise RejectedError("The credential response holds something else than texts and objects.")
    return [compact if isinstance(compact, str) else json.dumps(compact) for compact in compacts]


async def _verify(copy: CredentialCopy, *, fetcher: Fetcher, now: datetime) -> VerifiedCredential:
    with rejecting(_SUBJECT):
        read, *others = copy.read()
        issuer, kid, *_ = read.read_issuer()
    if others or not isinstance(read, UnverifiedCredential | UnverifiedJwtVc | UnverifiedLdpVc):
        raise RejectedError("The credential came as something else than a credential.")
    if isinstance(read, UnverifiedCredential) and not copy.compact.endswith("~"):
        raise RejectedError("The credential came with a key binding that only its holder may add.")
    key = await find_issuer_key(issuer, kid, fetcher=fetcher, now=now)
    with rejecting(_SUBJECT):
        if isinstance(read, UnverifiedCredential):
            return verify_sd_jwt_vc(read, key, now=now, require_exp=False)
        if isinstance(read, UnverifiedLdpVc):
            check_presented(read, None)
            return await with_contexts(partial(verify_ldp_vc, read, key, now=now))
        return verify_jwt_vc(read, key, now=now)


def _thumbprint(credential: VerifiedCredential) -> str:
    if credential.holder_jwk is None:
        raise RejectedError("The credential is bound to nobody.")
    with rejecting(_SUBJECT):
        return jwk_thumbprint(credential.holder_jwk)


def _says(credential: VerifiedCredential) -> dict[str, Any]:
    apart = ("cnf", "status", "iat", "nbf", "exp")
    return {name: value for name, value in credential.claims.items() if name not in apart}
