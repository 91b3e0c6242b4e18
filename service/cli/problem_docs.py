"""docs/problems.md: every stable code that a caller can meet, written from the errors themselves."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence

import service
from service.cli.markdown import to_row, to_table
from service.errors import ProtocolError, ServiceError, VerificationError
from service.web.problems import status_of

COMMAND_PACKAGES = ("service.cli", "service.wallet", "service.demo")
# Codes that the web layer gives to what is raised below us: code -> HTTP status, meaning.
UNCLASSED_PROBLEMS = {
    "internal_error": ("500", "A defect here: logged with its trace, and nothing of it shown."),
    "storage_unavailable": ("503", "The database does not answer."),
    "http_error": ("4xx", "The HTTP message itself cannot be used; the status says why."),
    "method_not_allowed": (
        "405",
        "The path exists and does not take this method; ``Allow`` lists those that it takes.",
    ),
}
# Codes of ``checks[]`` that are no failure of a proof, so no error stands behind them.
UNCLASSED_CHECKS = {
    "CRED_HOLDER_MISMATCH": ("holder", "The credentials of one response, or of one investor, differ in holder."),
    "credential_revoked": ("status", "The issuer has revoked the credential."),
    "credential_status_unknown": ("status", "The list holds a value that has no meaning here."),
    "credential_suspended": ("status", "The issuer has suspended the credential."),
    "issuer_out_of_scope": (
        "issuer_trusted",
        "Trusted, but not for this type, jurisdiction (or it was not shown) or attester class.",
    ),
    "not_checked": ("any", "An earlier check did not pass, so nobody got to this one."),
    "status_index_invalid": ("status", "The list has no such index."),
    "status_issuer_mismatch": ("status", "The list is not the issuer's own."),
    "status_none": ("status", "A pass: the issuer keeps no status for this credential."),
    "status_stale": ("status", "A pass on the last list that could be read, which is still in date."),
}
_RFC6749 = "RFC 6749, section 5.2"
_CREDENTIAL_ERROR = "OpenID4VCI 1.0, section 8.3.1"
_NOTIFICATION_ERROR = "OpenID4VCI 1.0, section 11.3"
# ``error`` of the protocol endpoints: error -> HTTP status, where, and the text that defines it.
PROTOCOL_ERRORS = {
    "credential_request_denied": ("400", "credential, deferred_credential", _CREDENTIAL_ERROR),
    "insufficient_scope": ("403", "credential", "RFC 6750, section 3.1"),
    "invalid_authorization_details": ("400", "PAR, token", "RFC 9396, section 5"),
    "invalid_client": ("401, 429", "PAR, token, /oauth/token", _RFC6749),
    "invalid_credential_request": ("400", "credential, deferred_credential", _CREDENTIAL_ERROR),
    "invalid_dpop_proof": ("400, 401", "token, /oauth/token; credential, notification", "RFC 9449, sections 5 and 7.1"),
    "invalid_encryption_parameters": ("400", "credential, deferred_credential", _CREDENTIAL_ERROR),
    "invalid_grant": ("400", "token", "OpenID4VCI 1.0, section 6.3"),
    "invalid_nonce": ("400", "credential", _CREDENTIAL_ERROR),
    "invalid_notification_id": ("400", "notification", _NOTIFICATION_ERROR),
    "invalid_notification_request": ("400", "notification", _NOTIFICATION_ERROR),
    "invalid_proof": ("400", "credential", _CREDENTIAL_ERROR),
    "invalid_request": (
        "400",
        "PAR, token, /oauth/token, presentation response",
        "RFC 6749, OpenID4VP 1.0, section 8.5",
    ),
    "invalid_request_uri": ("410", "Request Object", "RFC 9101, section 7"),
    "invalid_scope": ("400", "PAR, token, /oauth/token", _RFC6749),
    "invalid_token": ("401", "credential, deferred_credential, notification", "RFC 6750, section 3.1"),
    "invalid_transaction_id": ("400", "deferred_credential", "OpenID4VCI 1.0, section 9.3"),
    "unknown_credential_configuration": ("400", "credential", _CREDENTIAL_ERROR),
    "unknown_credential_identifier": ("400", "credential", _CREDENTIAL_ERROR),
    "unsupported_grant_type": ("400", "token, /oauth/token", _RFC6749),
    "use_attestation_challenge": (
        "400",
        "token",
        'draft-ietf-oauth-attestation-based-client-auth, section "Errors"',
    ),
    "use_dpop_nonce": ("400, 401", "token, /oauth/token; credential, notification", "RFC 9449, sections 8 and 9"),
    "request_not_supported": ("400", "PAR", "OpenID Connect Core 1.0, section 3.1.2.6"),
    "vp_formats_not_supported": ("400", "Request Object", "OpenID4VP 1.0, section 8.5"),
    "unsupported_response_type": ("400", "PAR", "RFC 6749, section 4.1.2.1"),
}
_INTRODUCTION = """# Problem codes

Written by `python -m service schemas write` from the errors themselves; `schemas check` fails when it is out of date.
A code is part of the contract: it is not renamed, and means one thing.

Errors of `/v1` are `application/problem+json` (RFC 9457) with `type` `urn:goodstanding:problem:<code>` and the members
`title, status, detail, code, instance, errors`. Why a transfer is denied is no error: see `schemas/reason-codes.json`.
"""


def list_kinds() -> Sequence[type[ServiceError]]:
    """Return every kind of deliberate error of the package, by code."""
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if not module.name.startswith(("service.storage.migrations", "service.__main__")):
            importlib.import_module(module.name)
    return sorted(set(_descend(ServiceError)), key=lambda kind: (kind.code, kind.__module__, kind.__qualname__))


def _descend(kind: type[ServiceError]) -> Iterator[type[ServiceError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descend(child)


def _lead(kinds: Sequence[type[ServiceError]]) -> Iterator[type[ServiceError]]:
    """Leave out a kind whose code comes from its base: callers cannot tell the two apart."""
    for kind in kinds:
        if all(base.code != kind.code for base in kind.__mro__[1:] if issubclass(base, ServiceError)):
            yield kind


def _table(heading: str, columns: Sequence[str], rows: Sequence[str]) -> str:
    return f"\n{heading}\n\n{to_table(columns, sorted(rows))}"


def _meaning(kind: type[ServiceError]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


def render_problem_docs() -> str:
    """Return the page, the same text on every machine."""
    kinds = [kind for kind in _lead(list_kinds()) if not issubclass(kind, ProtocolError)]
    commands = [kind for kind in kinds if kind.__module__.startswith(COMMAND_PACKAGES)]
    checks = [kind for kind in kinds if issubclass(kind, VerificationError)]
    problems = [kind for kind in kinds if kind not in commands and kind not in checks]
    return _INTRODUCTION + "".join(
        [
            _table(
                "## 1. Problems",
                ("code", "HTTP", "meaning", "where"),
                [to_row(f"`{k.code}`", str(status_of(k)), _meaning(k), f"`{k.__module__}`") for k in problems]
                + [to_row(f"`{c}`", s, m, "`service.web.problems`") for c, (s, m) in UNCLASSED_PROBLEMS.items()],
            ),
            _table(
                "## 2. Codes of checks\n\nIn `checks[].code` of `/v1/verify` and of presentation requests, "
                "under a 200. Where a proof is all that was sent, the same code is a problem with status 422.",
                ("code", "check", "meaning", "where"),
                [to_row(f"`{k.code}`", k.check, _meaning(k), f"`{k.__module__}`") for k in checks]
                + [to_row(f"`{c}`", check, m, "`service.verifier`") for c, (check, m) in UNCLASSED_CHECKS.items()],
            ),
            _table(
                '## 3. Errors of the protocols\n\n`{"error", "error_description"}` with `Cache-Control: no-store`, '
                "as the protocol's text has it.",
                ("error", "HTTP", "endpoint", "defined by"),
                [to_row(f"`{error}`", *cells) for error, cells in PROTOCOL_ERRORS.items()],
            ),
            _table(
                "## 4. On the command line only\n\nOne line on standard error; exit 1 where the answer is no, else 2.",
                ("code", "meaning", "where"),
                [to_row(f"`{k.code}`", _meaning(k), f"`{k.__module__}`") for k in commands],
            ),
        ]
    )
