"""The verdict on an answered request, and what is kept of it."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from service.credentials.dcql import QueryUnsatisfiedError, check_response
from service.credentials.dcql_query import DcqlQuery
from service.credentials.presentation import hash_transaction_data
from service.credentials.sd_jwt_errors import TransactionDataMismatchError
from service.keys import Signer
from service.storage.audit import write_audit_entry
from service.storage.outbox import build_event, build_standing_event, plan_events
from service.storage.personal_data import PresentedContent, seal_presented
from service.storage.prepared import execute_together
from service.storage.standings import Standing
from service.storage.subject_keys import ensure_subject_key, name_investor, name_presentation
from service.verifier.checks import HOLDER_MISMATCH, Check, summarize
from service.verifier.request_rows import KeptRequest, change_request
from service.verifier.standing import keep_standing, link_investor, list_shown, lock_investor
from service.verifier.verification import Examined
from service.web.instants import format_optional

Presentation = str | dict[str, Any]
"""As its format has it: a text, or an object with a proof."""


@dataclass(frozen=True, slots=True)
class WalletAnswer:
    """An answer that was read: presentations by query id, or the code of the wallet's refusal."""

    vp_token: Mapping[str, Sequence[Presentation]] = field(default_factory=dict)
    error: str | None = None


class ExaminedAnswer:
    """The presentations of an answer by query id, each on its way through the checks.

    Args:
        transactions: For each entry of transaction data, the ids of those of whom one must have agreed to it.
    """

    def __init__(self, query: DcqlQuery, transactions: Sequence[Collection[str]] = ()) -> None:
        self.query = query
        self.transactions = transactions
        self.groups: dict[str, list[Examined]] = {item.id: [] for item in query.credentials}

    def flatten(self) -> list[Examined]:
        """Return all of them, in the order of the query."""
        return [each for _, each in self.items()]

    def items(self) -> list[tuple[str, Examined]]:
        """Return all of them with the id that each answers."""
        return [(query_id, each) for query_id, group in self.groups.items() for each in group]

    def asked_claims(self, query_id: str) -> frozenset[str]:
        """Return the top-level claims that were asked for; others are shown to nobody and not kept."""
        return next(item for item in self.query.credentials if item.id == query_id).claim_names


async def conclude(
    connection: AsyncConnection,
    signer: Signer,
    row: KeptRequest,
    answer: WalletAnswer,
    examined: ExaminedAnswer,
    now: datetime,
) -> KeptRequest:
    """Decide, and write the verdict, the standing and the audit entry; returns the row as it is then.

    Args:
        connection: The transaction in which the row is locked.
        signer: Opens the key of whom the answer is about.
        row: The open request.
        answer: What the wallet said.
        examined: Its presentations, judged.
        now: Time of the verdict.
    """
    overall = _check_whole(answer, examined)
    shown: dict[str, Standing] = {}
    # Only an answer that is right in all else may bind the investor to a person.
    if row.investor_ref is not None and is_acceptable(answer, examined):
        investor = await lock_investor(connection, signer, row.org_id, row.investor_ref, now)
        key, shown = investor.key, await list_shown(connection, investor)
        if not await link_investor(connection, investor, list(shown.values()), examined.flatten(), now):
            overall = [check for check in overall if check.check != "holder"] + [_OTHER_PERSON]
    else:
        key = await ensure_subject_key(connection, signer, row.org_id, name_subject(row), now)
    per_credential = [(query_id, check) for query_id, each in examined.items() for check in each.checklist]
    verified = summarize([*(check for _, check in per_credential), *overall]) == "verified"
    checks = [check.to_json() | {"credential": query_id} for query_id, check in per_credential] + [
        check.to_json() | {"credential": None} for check in overall
    ]
    credentials = [_describe(query_id, each, examined.asked_claims(query_id)) for query_id, each in examined.items()]
    needs_code = verified and row.redirect_uri is not None and row.response_code is None
    row = await change_request(
        connection,
        row,
        state="verified" if verified else "rejected",
        answered_at=now,
        sealed_answer=seal_presented(key, row.org_id, row.id, PresentedContent(credentials, checks)),
        sealed_decryption_key=None,  # nothing is left to open
        sealed_held_answer=None,
        response_code=secrets.token_urlsafe(32) if needs_code else row.response_code,
    )
    if verified and row.investor_ref is not None:
        for query_id, each in examined.items():
            await keep_standing(connection, key, row, each, examined.asked_claims(query_id), shown, now)
    await _record(connection, row, examined, checks, now)
    await _tell(connection, row, examined, now)
    return row


def name_subject(row: KeptRequest) -> str:
    """Return whose key seals the answer."""
    return name_presentation(row.id) if row.investor_ref is None else name_investor(row.investor_ref)


def is_acceptable(answer: WalletAnswer, examined: ExaminedAnswer) -> bool:
    """Tell whether an answer is right in all that does not concern the investor that it is for."""
    return summarize([*_all_checks(examined), *_check_whole(answer, examined)]) == "verified"


def _check_whole(answer: WalletAnswer, examined: ExaminedAnswer) -> list[Check]:
    """Check the answer as a whole: the query, and one holder."""
    if answer.error is not None:
        return [Check("wallet", "fail", answer.error, "The wallet refused the request.")]
    if unasked := answer.vp_token.keys() - examined.groups.keys():
        return [Check("query", "fail", "query_unsatisfied", f"{len(unasked)} unasked member(s) in vp_token.")]
    credentials = {
        query_id: [each.credential for each in group if each.credential is not None]
        for query_id, group in examined.groups.items()
        if group
    }
    if any(each.credential is None for each in examined.flatten()):
        return [Check("query", "undetermined", "not_checked", "A credential could not be verified.")]
    try:
        check_response(examined.query, credentials)
    except QueryUnsatisfiedError as error:
        return [Check("query", "fail", error.code, error.detail)]
    if not credentials:
        return [Check("query", "fail", QueryUnsatisfiedError.code, "Nothing was presented.")]
    query = Check("query", "pass")
    if not all(any(query_id in credentials for query_id in each) for each in examined.transactions):
        code = TransactionDataMismatchError.code
        return [query, Check("transaction_data", "fail", code, "The credential that was to agree was left out.")]
    if len({each.holder for each in examined.flatten()}) > 1:
        return [query, Check("holder", "fail", HOLDER_MISMATCH, "The credentials have different holders.")]
    return [query, Check("holder", "pass")]


_OTHER_PERSON = Check("holder", "fail", HOLDER_MISMATCH, "The investor is known as another person.")


def _all_checks(examined: ExaminedAnswer) -> list[Check]:
    return [check for each in examined.flatten() for check in each.checklist]


def _describe(query_id: str, examined: Examined, asked: frozenset[str]) -> dict[str, Any]:
    credential = examined.credential
    claims = {} if credential is None else {k: v for k, v in credential.claims.items() if k in asked}
    return {
        "id": query_id,
        "vct": None if credential is None else credential.vct,
        "issuer": examined.issuer,
        "claims": claims,
        "status": examined.status,
        "valid_until": format_optional(credential.expires_at if credential else None),
    }


async def _tell(connection: AsyncConnection, row: KeptRequest, examined: ExaminedAnswer, now: datetime) -> None:
    """Write the event of the verdict, and that of the standing which it changed."""
    data = {"presentation_request_id": row.id, "purpose": row.purpose, "state": row.state}
    subject = f"presentation/{row.id}"
    events = [build_event(org_id=row.org_id, kind=f"presentation.{row.state}", data=data, subject=subject, now=now)]
    if row.state == "verified" and row.investor_ref is not None:
        types = sorted({each.credential_type for each in examined.flatten() if each.credential_type})
        more = {"credential_types": types, "presentation_request_id": row.id}
        events.append(build_standing_event(row.org_id, row.investor_ref, cause="presented", now=now, **more))
    await execute_together(connection, [plan_events(events)])


async def _record(
    connection: AsyncConnection,
    row: KeptRequest,
    examined: ExaminedAnswer,
    checks: Sequence[Mapping[str, Any]],
    now: datetime,
) -> None:
    """Leave the trace: who vouched for what and which checks failed, no claim of anybody."""
    credentials = [
        {"id": query_id, "vct": each.credential.vct, "issuer": each.issuer, "digest": each.credential.digest}
        for query_id, each in examined.items()
        if each.credential is not None
    ]
    failed = sorted({f"{check['check']}:{check['code']}" for check in checks if check["outcome"] != "pass"})
    await write_audit_entry(
        connection,
        org_id=row.org_id,
        kind=f"presentation.{row.state}",
        subject_id=row.id,
        record={
            "purpose": row.purpose,
            "investor_ref": row.investor_ref,
            "credentials": credentials,
            "failed": failed,
            "transaction_data": [hash_transaction_data(entry) for entry in row.transaction_data or []],
        },
        recorded_at=now,
    )
