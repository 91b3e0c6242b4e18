"""What a wallet posts to a verifier: presentations, encrypted if asked, or a refusal."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from service.errors import VerificationError
from service.fetch import Fetcher, FetchError
from service.keys import jwe
from service.wallet.errors import RejectedError, UnsupportedError
from service.wallet.http import MAX_DOCUMENT_BYTES, read_object, refused
from service.wallet.presentation_request import PresentationRequest, ReplyAddress

ACCESS_DENIED = "access_denied"
_PREFERRED = ("A256GCM", "A128GCM")


def build_response(
    request: PresentationRequest, vp_token: Mapping[str, Sequence[str | Mapping[str, Any]]]
) -> dict[str, str]:
    """Build the form of an Authorization Response.

    Args:
        request: What is answered.
        vp_token: Presentations by credential query id.

    Raises:
        UnsupportedError: The answer must be encrypted, to no key or by no method that this wallet knows.
        RejectedError: The key for it can't be used.

    Source: OpenID4VP 1.0, sections 8.1, 8.2, 8.3 and 8.3.1.
    """
    state = {} if request.reply.state is None else {"state": request.reply.state}
    if not request.encrypted:
        return {"vp_token": json.dumps(vp_token), **state}
    plaintext = json.dumps({"vp_token": vp_token, **state}).encode()
    key, method = _choose_key(request.client_metadata), _choose_method(request.client_metadata)
    try:
        return {"response": jwe.encrypt(plaintext, key, method=method)}
    except VerificationError as error:
        raise RejectedError(f"The verifier's encryption key can't be used: {error.detail}") from error


async def post_response(reply: ReplyAddress, form: Mapping[str, str], *, fetcher: Fetcher) -> str | None:
    """Send an Authorization Response; return the address to open next, if the verifier names one.

    Raises:
        RefusedError: Any other answer than 200; a redirect isn't followed.
        RejectedError: An answer that isn't JSON.
        FetchError: No answer: the verifier may have the response or not.

    Source: OpenID4VP 1.0, section 8.2.
    """
    answer = await fetcher.post(reply.response_uri, form=form, max_bytes=MAX_DOCUMENT_BYTES)
    if answer.status != 200:
        raise refused(answer, "The presentation")
    redirect_uri = read_object(answer.body, "The verifier's answer").get("redirect_uri") if answer.body else None
    web = isinstance(redirect_uri, str) and redirect_uri.startswith(("https://", "http://"))
    return redirect_uri if web else None


async def send_error(reply: ReplyAddress, error: str, *, fetcher: Fetcher) -> None:
    """Tell the verifier that there will be no presentation; that it can't be told is passed over.

    Source: OpenID4VP 1.0, sections 8.2 and 8.5.
    """
    form = {"error": error} | ({} if reply.state is None else {"state": reply.state})
    with suppress(FetchError):
        await fetcher.post(reply.response_uri, form=form, max_bytes=MAX_DOCUMENT_BYTES)


def _choose_key(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    match metadata.get("jwks"):
        case {"keys": list() as keys}:
            for key in keys:
                match key:
                    case {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES", "x": str(), "y": str()} if (
                        key.get("use", "enc") == "enc"
                    ):
                        return dict(key)
    raise UnsupportedError("The verifier wants an encrypted answer and names no P-256 key for ECDH-ES.")


def _choose_method(metadata: Mapping[str, Any]) -> str:
    offered = metadata.get("encrypted_response_enc_values_supported", ["A128GCM"])
    for method in _PREFERRED:
        if isinstance(offered, list) and method in offered:
            return method
    raise UnsupportedError("The verifier wants the answer encrypted by a method that this wallet doesn't do.")
