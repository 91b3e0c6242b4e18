"""Verify linked data: by our own code wherever a key can be had, and by didkit where it knows the issuer's DID.

A credential of version 1.1 with a proof of its time is believed if our own code finds all of it signed. If didkit can
resolve the issuer's DID without a network, it must agree. If the key is an account on a chain, only didkit can tell,
and our own code still refuses whatever would not be signed.
"""

from collections.abc import Coroutine
from functools import partial
from typing import Any

from service.credentials.credential import Expected, VerifiedCredential
from service.credentials.cryptosuites import ACCOUNT_SUITE
from service.credentials.data_integrity import Attestation, Proof, check_signable, digest_secured
from service.credentials.did import ACCOUNT_DIDS
from service.credentials.jose import VerificationKey
from service.credentials.jwt_vc import verify_jwt_vc
from service.credentials.ldp_vc import EnvelopedVc, UnverifiedLdpVc, UnverifiedLdpVp, verify_ldp_vc
from service.credentials.ldp_vp import check_presented, find_presenter, verify_ldp_vp
from service.credentials.linked_data_errors import ProofInvalidError
from service.credentials.sd_jwt_errors import HolderBindingInvalidError
from service.errors import UnavailableError, VerificationError
from service.linked_data import METHODS, LinkedDataRefusedError
from service.linked_data.bundled_contexts import with_contexts
from service.verifier.issuers import KeyFinder

_SHARED_ALGORITHMS = ("EdDSA", "ES256")  # didkit has no P-384


class UnjudgedError(Exception):
    """Nobody could tell whether a proof is right; never leaves the verification.

    Attributes:
        check: The check that cannot be made.
        cause: Why not.
    """

    def __init__(self, check: str, cause: UnavailableError) -> None:
        super().__init__(check)
        self.check = check
        self.cause = cause


class LinkedDataVerifier:
    """Verifies the credentials of one document; the presentation that they came in once, not once for each.

    Args:
        finder: Knows the time and the worker.
        expected: What the presentation must be bound to; None for a bare credential.
    """

    def __init__(self, finder: KeyFinder, expected: Expected | None) -> None:
        self._worker = finder.context.linked_data
        self._now = finder.now
        self._expected = expected
        self._presentation: Exception | bool = False

    async def verify(self, read: UnverifiedLdpVc | EnvelopedVc, key: VerificationKey | None) -> VerifiedCredential:
        """Verify a credential, and the presentation that it came in.

        Args:
            read: The credential.
            key: The key that policy allows for its issuer; None if that is an account.

        Raises:
            VerificationError: Its ``check`` names the step that did not pass.
            UnjudgedError: See there.
        """
        check_presented(read, self._expected)
        credential = await self._verify_credential(read, key)
        if read.presentation is None or self._expected is None:
            return credential
        presenter = find_presenter(read, read.presentation)
        await self._verify_presentation(read.presentation, presenter, self._expected)
        return credential._replace(holder_bound=True)

    async def _verify_credential(
        self, read: UnverifiedLdpVc | EnvelopedVc, key: VerificationKey | None
    ) -> VerifiedCredential:
        if isinstance(read, EnvelopedVc):
            assert key is not None  # accounts sign linked data alone
            audience = None if self._expected is None else self._expected.audience
            return verify_jwt_vc(read.credential, key, now=self._now, expected_audience=audience)
        proven = await self._attest(read) if key is None else key
        credential = await with_contexts(partial(verify_ldp_vc, read, proven, now=self._now))
        if key is not None and _is_shared(read.proofs[0], key):
            await self._ask("signature", self._worker.verify_credential(read.document))
        return credential

    async def _attest(self, read: UnverifiedLdpVc) -> Attestation:
        issuer = read.read_issuer().issuer
        if not read.proofs[0].method.startswith(f"{issuer}#"):
            raise ProofInvalidError("The proof isn't the issuer's.")
        await with_contexts(partial(check_signable, read.document))
        await self._ask("signature", self._worker.verify_credential(read.document))
        return Attestation(digest_secured(read.document))

    async def _verify_presentation(
        self, presentation: UnverifiedLdpVp, key: VerificationKey, expected: Expected
    ) -> None:
        if self._presentation is False:
            try:
                await self._judge_presentation(presentation, key, expected)
                self._presentation = True
            except (VerificationError, UnjudgedError) as error:
                self._presentation = error
        if isinstance(self._presentation, Exception):
            raise self._presentation

    async def _judge_presentation(
        self, presentation: UnverifiedLdpVp, key: VerificationKey, expected: Expected
    ) -> None:
        await with_contexts(partial(verify_ldp_vp, presentation, key, expected, now=self._now))
        if _is_shared(presentation.proofs[0], key):
            bound = {"challenge": expected.nonce, "domain": expected.audience}
            await self._ask("holder_binding", self._worker.verify_presentation(presentation.document, **bound))

    async def _ask(self, check: str, answer: Coroutine[Any, Any, None]) -> None:
        try:
            await answer
        except LinkedDataRefusedError as error:
            refused = HolderBindingInvalidError if check == "holder_binding" else ProofInvalidError
            raise refused(error.detail) from error
        except UnavailableError as error:
            raise UnjudgedError(check, error) from error


def is_of_account(read: UnverifiedLdpVc) -> bool:
    """Tell whether a credential says that its issuer is an account on a chain, whose signatures only didkit knows."""
    issuer = read.read_issuer().issuer
    return read.proofs[0].suite.name == ACCOUNT_SUITE and issuer.startswith(ACCOUNT_DIDS)


def _is_shared(proof: Proof, key: VerificationKey) -> bool:
    """Tell whether didkit can verify a proof too: of its suites, by a key of its kinds, of a DID that it resolves."""
    known = proof.method.startswith(tuple(f"did:{name}:" for name in METHODS))
    return known and proof.suite.is_legacy and key.alg in _SHARED_ALGORITHMS
