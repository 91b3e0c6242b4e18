"""Take a wallet's answer to a presentation request, once.

An answer that cannot be read, or that does not carry the ``state`` of the request, changes nothing: whoever merely
knows the address must not be able to spend the request. Every other answer is final, and is kept in one transaction
with the verdict, the standing that follows from it, and the audit entry.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.credential import MAX_AGE, Expected
from service.credentials.jose import parse_json
from service.credentials.transaction_data import choose_hash_algorithms, read_transaction_data
from service.errors import MalformedError, NotFoundError, ProtocolError
from service.keys import Signer
from service.keys.jwe import DecryptionError
from service.verifier.held_answers import hold_answer
from service.verifier.issuers import KeyFinder
from service.verifier.known import read_known
from service.verifier.request_rows import KeptRequest, lock_request
from service.verifier.request_terms import ENCRYPTED_MODES, read_kept_query, uses_dc_api
from service.verifier.requests import find_request
from service.verifier.verdicts import ExaminedAnswer, Presentation, WalletAnswer, conclude, is_acceptable
from service.verifier.verification import authenticate_document, judge_credentials, refresh_statuses_of, try_to_read
from service.web.context import Context

MAX_RESPONSE_BYTES = 256 * 1024
MAX_PRESENTATIONS = 20
ERROR_CODES = frozenset(
    {
        *("access_denied", "invalid_request", "invalid_client", "invalid_scope", "unauthorized_client"),
        *("vp_formats_not_supported", "invalid_request_uri_method", "invalid_transaction_data", "wallet_unavailable"),
        *("server_error", "temporarily_unavailable", "unsupported_response_type"),
    }
)


async def take_response(context: Context, request_id: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Verify and keep an answer; what is returned may be sent only after this returns, that is after the commit.

    Args:
        context: Database, signer, fetcher, clock.
        request_id: From the address.
        form: Decoded form fields; untrusted.

    Returns:
        Body for the wallet; ``redirect_uri`` where the platform wants the browser back.

    Raises:
        NotFoundError: No such request, or a browser has to carry its answer.
        ProtocolError: ``invalid_request``: unreadable, wrong state, expired, answered before, or not verified.

    Source: OpenID4VP 1.0, sections 8.2, 8.3.1, 8.6 and 14.1.
    """
    now = context.clock()
    row = await context.database.glance(partial(find_request, request_id=request_id))
    if uses_dc_api(row.response_mode):
        raise NotFoundError
    check_open(row, now)
    answer = read_answer(row, form, context.signer)
    row = await decide(context, row, answer, audience=row.client_id, now=now)
    return _answer_wallet(row, refused=answer.error is not None)


async def decide(
    context: Context, row: KeptRequest, answer: WalletAnswer, *, audience: str, now: datetime
) -> KeptRequest:
    """Examine an answer and keep the verdict, once; returns the row as it was kept.

    An answer that has to come back with its browser, and is acceptable, is held until it does.

    Args:
        context: Database, signer, fetcher.
        row: The open request, as read before.
        answer: What the wallet said.
        audience: Whom its presentations must be made for.
        now: Time of the answer.

    Raises:
        ProtocolError: Somebody else's answer was quicker.
    """
    examined = await examine(context, row, answer, audience=audience, now=now)

    async def keep(connection: AsyncConnection) -> KeptRequest:
        locked = await lock_request(connection, row.org_id, row.id)
        check_open(locked, now)  # two wallets may have come this far; the row lock lets one of them on
        await judge_credentials(
            connection, base_url=context.base_url, org_id=row.org_id, examined=examined.flatten(), now=now
        )
        if locked.same_device and is_acceptable(answer, examined):
            return await hold_answer(connection, context.signer, locked, answer.vp_token, now)
        return await conclude(connection, context.signer, locked, answer, examined, now)

    return await context.database.write(keep)


async def examine(
    context: Context, row: KeptRequest, answer: WalletAnswer, *, audience: str, now: datetime
) -> ExaminedAnswer:
    """Authenticate everything that answers the query; may fetch, so it runs outside the transaction."""
    documents = {name: [try_to_read(compact) for compact in group] for name, group in answer.vp_token.items()}
    readable = [
        each for group in documents.values() for read in group if not isinstance(read, str | dict) for each in read
    ]
    known = await read_known(context, row.org_id, readable, now)
    finder = KeyFinder(context, row.org_id, known.trusted, now, known.keys)
    transactions = [data.credential_ids for data in map(read_transaction_data, row.transaction_data or [])]
    examined = ExaminedAnswer(read_kept_query(row.dcql_query), transactions)
    for query_id in examined.groups.keys() & documents.keys():
        expected = _expect(row, query_id, audience, now)
        for document in documents[query_id]:
            examined.groups[query_id].extend(await authenticate_document(finder, document, expected))
    await refresh_statuses_of(finder, examined.flatten())
    return examined


def _expect(row: KeptRequest, query_id: str, audience: str, now: datetime) -> Expected:
    entries = [
        data for data in map(read_transaction_data, row.transaction_data or []) if query_id in data.credential_ids
    ]
    allowed, named = choose_hash_algorithms(entries)
    # An answer that waited for its browser was fresh when it came; all else is judged as of now.
    max_age = MAX_AGE if row.held_at is None else MAX_AGE + (now - row.held_at)
    return Expected(row.nonce, audience, [data.encoded for data in entries], allowed if named else None, max_age)


def check_open(row: KeptRequest, now: datetime) -> None:
    """Check that nobody has answered yet, and that it is not too late; raises ProtocolError."""
    if row.state != "pending" or row.held_at is not None:
        raise ProtocolError("invalid_request", "The request has been answered.")
    if now >= row.expires_at:
        raise ProtocolError("invalid_request", "The request has expired.")


def read_answer(row: KeptRequest, form: Mapping[str, str], signer: Signer) -> WalletAnswer:
    """Decrypt and read a posted answer, and check that it carries the request's ``state``.

    Raises:
        ProtocolError: ``invalid_request``; the request stays open.
    """
    if row.response_mode in ENCRYPTED_MODES and "error" not in form:
        # Some wallets leave ``state`` outside. Beside one that was encrypted it would be a second opinion.
        outer = {"state": form["state"]} if "state" in form else {}
        parameters = outer | decrypt_answer(row, form.get("response"), signer)
        if outer and outer["state"] != parameters["state"]:
            raise ProtocolError("invalid_request", "The state inside the encrypted response is another than outside.")
    else:
        parameters = dict[str, Any](form)
        if "vp_token" in parameters:
            parameters["vp_token"] = _read_json(parameters["vp_token"], "vp_token")
    state = parameters.get("state")
    if not isinstance(state, str) or not compare_digest(state.encode(), row.wallet_state.encode()):
        raise ProtocolError("invalid_request", "state is missing or not that of the request.")
    return interpret_answer(parameters)


def interpret_answer(parameters: Mapping[str, Any]) -> WalletAnswer:
    """Read decoded parameters of an answer: presentations, or a refusal.

    Raises:
        ProtocolError: ``invalid_request``: neither.

    Source: OpenID4VP 1.0, sections 8.1 and 8.5.
    """
    if "error" in parameters:
        code = parameters["error"]
        return WalletAnswer(error=code if isinstance(code, str) and code in ERROR_CODES else "other")
    return WalletAnswer(_read_vp_token(parameters.get("vp_token")))


def decrypt_answer(row: KeptRequest, token: Any, signer: Signer) -> dict[str, Any]:
    """Return the parameters inside an encrypted answer.

    Raises:
        ProtocolError: ``invalid_request``: none there, not for this request's key, or no JSON object.

    Source: OpenID4VP 1.0, section 8.3.
    """
    if not isinstance(token, str) or row.sealed_decryption_key is None:
        raise ProtocolError("invalid_request", f"The response must be encrypted ({row.response_mode}).")
    try:
        plain = signer.decrypt_jwe(token, row.sealed_decryption_key, max_bytes=MAX_RESPONSE_BYTES)
    except DecryptionError as error:
        raise ProtocolError("invalid_request", error.detail) from error
    parameters = _read_json(plain, "response")
    if not isinstance(parameters, dict):
        raise ProtocolError("invalid_request", "The encrypted response must be a JSON object.")
    return parameters


def _read_json(text: str | bytes, name: str) -> Any:
    try:
        return parse_json(text, max_bytes=MAX_RESPONSE_BYTES)
    except MalformedError as error:
        raise ProtocolError("invalid_request", f"{name} is not JSON: {error.detail}") from error


def _read_vp_token(raw: Any) -> dict[str, list[Presentation]]:
    if not isinstance(raw, dict) or not all(_is_list_of_presentations(group) for group in raw.values()):
        raise ProtocolError(
            "invalid_request", "vp_token must be an object of arrays of at least one presentation, string or object."
        )
    if sum(len(group) for group in raw.values()) > MAX_PRESENTATIONS:
        raise ProtocolError("invalid_request", "vp_token holds too many presentations.")
    return raw


def _is_list_of_presentations(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str | dict) for item in value)


def _answer_wallet(row: KeptRequest, *, refused: bool) -> dict[str, Any]:
    """Return the body of a 200; a wallet's refusal was processed, an answer that did not verify was not."""
    if row.state == "rejected" and not refused:
        raise ProtocolError("invalid_request", "The presentation was not accepted.")
    if row.redirect_uri is None:
        return {}
    if row.response_code is None:  # refused: the person comes back all the same, with nothing to show
        return {"redirect_uri": row.redirect_uri}
    separator = "&" if "?" in row.redirect_uri else "?"
    return {"redirect_uri": f"{row.redirect_uri}{separator}{urlencode({'response_code': row.response_code})}"}
