"""Cards and lists for people. Everything that others wrote is cleaned, and none of it is read as markup."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from service.credentials.transaction_data import TransactionData, describe_in_words
from service.wallet.issuer_metadata import CredentialConfiguration
from service.wallet.presentation_request import UNSIGNED_PREFIX, PresentationRequest
from service.wallet.receive import Proposal
from service.wallet.records import HistoryEntry, StoredCredential
from service.wallet.selection import Selected
from service.wallet.text import clean_text

_GOOD, _BAD, _NOTE = "green", "bold red", "yellow"
_STATUS_STYLES = {"valid": _GOOD, "revoked": _BAD, "suspended": _BAD, "expired": _BAD}


def render_proposal(proposal: Proposal) -> RenderableType:
    """Show who offers what, before anything is redeemed."""
    head = _fields(
        {
            "Offered by": _named(proposal.issuer.name, proposal.issuer.identifier),
            "Skipped": ", ".join(proposal.skipped),
        }
    )
    note = Text(
        "What the issuer calls itself is its own word; its address is what the wallet has checked.", style=_NOTE
    )
    return Group(head, note, *(_render_configuration(item) for item in proposal.configurations))


def render_card(credential: StoredCredential, *, now: datetime, status: str | None = None) -> RenderableType:
    """Show one credential whole: what it proves, every claim, until when.

    Args:
        credential: The credential.
        now: Aware.
        status: From ``check_status``; ``None`` if the issuer wasn't asked.
    """
    body = Group(
        Text(clean_text(credential.description), style="italic"),
        _fields({_label(credential, name): value for name, value in credential.claims.items()}),
        _fields(
            {
                "Issued by": _named(credential.issuer_name, credential.issuer),
                "Valid until": describe_end(credential, now),
                "Status": _render_status(_state(credential, now, status)),
                "Copies": len(credential.copies),
            }
        ),
    )
    return Panel(body, title=_title(credential.name, credential.id), title_align="left")


def render_list(
    credentials: Sequence[StoredCredential], *, now: datetime, statuses: Mapping[str, str]
) -> RenderableType:
    """Show a line per credential."""
    table = _table("ID", "What it is", "What it says", "Issued by", "Valid until", "Status")
    for item in credentials:
        table.add_row(
            Text(item.id),
            Text(clean_text(item.name, limit=60)),
            Text(summarize_claims(item)),
            Text(clean_text(item.issuer_name, limit=60)),
            Text(describe_end(item, now)),
            _render_status(_state(item, now, statuses.get(item.id))),
        )
    return table


def render_request(request: PresentationRequest, selection: Sequence[Selected]) -> RenderableType:
    """Show who asks, what for, and exactly what would be shown and what would stay hidden."""
    head = _fields(
        {
            "Asked by": clean_text(request.client_name) or "(gives no name)",
            "Identifier": request.client_id,
            "Answer goes to": request.reply.host,
            "Purpose": clean_text(request.purpose) or "(not stated)",
        }
    )
    cards = [*map(_render_transaction, request.transactions), *map(_render_selected, selection)]
    return Group(head, *(Text(f"Warning: {text}", style=_BAD) for text in list_warnings(request, selection)), *cards)


def _render_transaction(entry: TransactionData) -> RenderableType:
    fields = _fields(dict(describe_in_words(entry)))
    return Panel(fields, title=Text("By answering you agree to this", style=_BAD), title_align="left")


def render_history(entries: Iterable[HistoryEntry]) -> RenderableType:
    """Show who saw what."""
    table = _table("When", "Who", "Where", "What", "Outcome")
    for entry in entries:
        shown = "; ".join(f"{item.name}: {', '.join(item.claims) or 'nothing more'}" for item in entry.credentials)
        shown = "; ".join([shown, *(f"agreed: {text}" for text in entry.agreed)])
        table.add_row(
            Text(_instant(entry.presented_at)),
            Text(clean_text(entry.client_name or entry.client_id)),
            Text(clean_text(entry.host)),
            Text(clean_text(shown, limit=2000) or "nothing"),
            Text(entry.outcome),
        )
    return table


def list_warnings(request: PresentationRequest, selection: Sequence[Selected]) -> list[str]:
    """List what speaks against an answer."""
    warnings = []
    if not request.authenticated:
        warnings.append("nobody signed this request; anybody may have written it.")
    named_host = _host_of(request.client_id)
    if named_host is not None and named_host != request.reply.host:
        warnings.append(f"the answer goes to another host than the verifier's own, {clean_text(named_host)}.")
    if len({item.copy.kid for item in selection}) > 1:
        warnings.append("these credentials are bound to different keys; the verifier may refuse them.")
    return warnings


def summarize_claims(credential: StoredCredential) -> str:
    """Return the first claims of a credential as one short line."""
    shown = [f"{_label(credential, name)}: {clean_text(value, limit=40)}" for name, value in credential.claims.items()]
    return "; ".join(shown[:3]) + ("; …" if len(shown) > 3 else "")


def describe_end(credential: StoredCredential, now: datetime) -> str:
    """Return until when a credential is valid, in words."""
    if credential.expires_at is None:
        return "no end"
    return _instant(credential.expires_at) + (" (expired)" if credential.is_expired(now) else "")


def _render_configuration(item: CredentialConfiguration) -> RenderableType:
    labels = ", ".join(clean_text(label, limit=80) for label in item.labels.values())
    body = Group(
        Text(clean_text(item.description), style="italic"),
        _fields({"Can state": Text(labels or "(the issuer doesn't say)"), "Type": item.vct}),
    )
    return Panel(body, title=_title(item.name, item.id), title_align="left")


def _render_selected(item: Selected) -> RenderableType:
    credential = item.credential
    shown = {_label(credential, name): value for name, value in item.disclosed.items()}
    always = f"issuer ({clean_text(credential.issuer)}), type, dates, status reference, holder key"
    hidden = ", ".join(_label(credential, name) for name in item.hidden)
    body = Group(
        Text("Will be shown", style="bold"),
        _fields(shown) if shown else Text("no claim about you"),
        Text(f"and, as always: {always}"),
        Text("Stays hidden", style="bold"),
        Text(hidden or "nothing"),
    )
    return Panel(body, title=_title(credential.name, credential.id), title_align="left")


def _state(credential: StoredCredential, now: datetime, status: str | None) -> str:
    return status or ("expired" if credential.is_expired(now) else "not checked")


def _render_status(status: str) -> Text:
    return Text(status, style=_STATUS_STYLES.get(status, _NOTE))


def _label(credential: StoredCredential, name: str) -> str:
    return clean_text(credential.labels.get(name) or name, limit=80)


def _named(name: str, identifier: str) -> str:
    return f"{clean_text(name, limit=120)} <{clean_text(identifier)}>"


def _title(name: str, identifier: str) -> Text:
    return Text(f"{clean_text(name, limit=80)} [{clean_text(identifier, limit=80)}]", style="bold")


def _host_of(client_id: str) -> str | None:
    identifier = client_id.removeprefix(UNSIGNED_PREFIX).removeprefix("decentralized_identifier:")
    if not identifier.startswith("did:web:"):
        return None
    return identifier.removeprefix("did:web:").split(":")[0].replace("%3A", ":")


def _instant(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"


def _fields(fields: Mapping[str, Any]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in ("", None):
            grid.add_row(Text(name), value if isinstance(value, Text) else Text(clean_text(value)))
    return grid


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
