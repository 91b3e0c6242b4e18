"""``goodstanding wallet``: a holder on the command line."""

import asyncio
import json
import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console, RenderableType

from service.cli.output import PIPE_COLUMNS, JsonOption, is_terminal, new_app
from service.credentials.did import did_jwk_from_jwk
from service.errors import ServiceError
from service.fetch import Fetcher
from service.settings import load_settings
from service.wallet import display
from service.wallet.authorization import Agreement, Visit, agree
from service.wallet.callback import Callback, open_callback
from service.wallet.collect import collect_all
from service.wallet.errors import DeclinedError, NegativeAnswerError, UsageError
from service.wallet.http import read_object
from service.wallet.offers import TransactionCodePrompt
from service.wallet.present import decline, present
from service.wallet.presentation_request import PresentationRequest
from service.wallet.receive import Proposal, accept, propose
from service.wallet.records import StoredCredential
from service.wallet.requests import fetch_request
from service.wallet.selection import Selected, select_credentials
from service.wallet.status import check_status
from service.wallet.store import DEFAULT_HOME, Wallet, create_wallet, open_wallet
from service.wallet.text import clean_text
from service.wallet.transactions import assign_transactions

NEGATIVE_ANSWER, CANNOT_RUN = 1, 2
DEFAULT_CLIENT_ID = "goodstanding-wallet"
T = TypeVar("T")
Use = Callable[[Wallet, Fetcher], Awaitable[T]]

HomeOption = Annotated[Path, typer.Option("--home", help="Directory of the wallet.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Agree without being asked.")]
CheckOption = Annotated[bool, typer.Option("--check", help="Ask the issuers whether the credentials still stand.")]

app = new_app("Keep credentials and show them: a holder on the command line.")


@app.command("init")
def init_command(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Make a wallet with its first key; an existing one is left as it is."""

    async def use(wallet: Wallet, _: Fetcher) -> None:
        did = did_jwk_from_jwk(wallet.shared_key(0).jwk)
        _print({"home": str(home.expanduser()), "holder": did}, f"The wallet is in {home.expanduser()}.", as_json)

    _run(home, use, create=True)


@app.command("accept")
def accept_command(
    offers: Annotated[
        list[str], typer.Argument(metavar="OFFER...", help="Deep links, web links, or the offers themselves.")
    ],
    tx_code: Annotated[
        str | None, typer.Option("--tx-code", help="The code that the issuer of the one offer sent you apart.")
    ] = None,
    copies: Annotated[
        int, typer.Option(min=1, max=64, help="Copies to ask for; more than one keeps verifiers from linking you.")
    ] = 1,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Bind to a key of its own: it can't be shown together with others.")
    ] = False,
    client_id: Annotated[
        str, typer.Option("--client-id", help="What the issuer calls this wallet, where it asks you on its own page.")
    ] = DEFAULT_CLIENT_ID,
    paste: Annotated[
        bool, typer.Option("--paste", help="Paste the address that the issuer's page leads to, from another device.")
    ] = False,
    wait: Annotated[int, typer.Option(min=1, max=3600, help="Seconds to wait for you on the issuer's page.")] = 300,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Receive what issuers offer, one offer after the other; all are read before the first is redeemed."""

    async def accept_one(wallet: Wallet, fetcher: Fetcher, proposal: Proposal) -> list[StoredCredential]:
        _show(display.render_proposal(proposal), error=as_json)
        code = tx_code or _ask_tx_code(proposal.offer.tx_code, proposal.issuer.identifier)
        if not _agrees("Accept this offer?", yes=yes):
            raise DeclinedError("The offer was not accepted; it can still be redeemed.")
        agreement = await _agree(proposal, client_id, None if paste else wait, fetcher)
        received = await accept(
            wallet,
            proposal,
            tx_code=code,
            fetcher=fetcher,
            now=_now(),
            copies=copies,
            new_key=new_key,
            agreement=agreement,
        )
        for item in () if as_json else received:
            _show(display.render_card(item, now=_now()))
        _tell_pending(wallet, as_json)
        return received

    async def use(wallet: Wallet, fetcher: Fetcher) -> None:
        if tx_code is not None and len(offers) > 1:
            raise UsageError("A transaction code belongs to one offer; accept that one by itself.")
        proposals = [await propose(offer, fetcher=fetcher) for offer in offers]
        received = [item for proposal in proposals for item in await accept_one(wallet, fetcher, proposal)]
        if as_json:
            _print_json({"credentials": [_describe(item) for item in received], "pending": _describe_pending(wallet)})

    _run(home, use, create=True)


@app.command("collect")
def collect_command(
    wait: Annotated[
        int, typer.Option(min=0, max=86_400, help="Seconds to go on asking, as often as issuers want.")
    ] = 0,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Come back for credentials that their issuers decide on later; exit code 1 while some are still pending."""

    async def use(wallet: Wallet, fetcher: Fetcher) -> None:
        received, refusals = await collect_all(wallet, fetcher=fetcher, clock=_now, patience=timedelta(seconds=wait))
        if as_json:
            _print_json({"credentials": [_describe(item) for item in received], "pending": _describe_pending(wallet)})
        for item in () if as_json else received:
            _show(display.render_card(item, now=_now()))
        _tell_pending(wallet, as_json)
        if refusals:
            raise refusals[0]
        if wallet.list_pending():
            raise typer.Exit(NEGATIVE_ANSWER)

    _run(home, use)


@app.command("list")
def list_command(check: CheckOption = False, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """List what this wallet holds, newest first."""

    async def use(wallet: Wallet, fetcher: Fetcher) -> None:
        held = wallet.list_credentials()
        statuses = {item.id: await check_status(item, fetcher=fetcher, now=_now()) for item in held} if check else {}
        if as_json:
            _print_json({"credentials": [_describe(item, statuses.get(item.id)) for item in held]})
        elif held:
            _show(display.render_list(held, now=_now(), statuses=statuses))
        else:
            typer.echo("The wallet is empty.")

    _run(home, use)


@app.command("show")
def show_command(
    credential_id: Annotated[str, typer.Argument(metavar="ID", help="From the list.")],
    check: CheckOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show one credential whole."""

    async def use(wallet: Wallet, fetcher: Fetcher) -> None:
        item = wallet.get_credential(credential_id)
        status = await check_status(item, fetcher=fetcher, now=_now()) if check else None
        if as_json:
            _print_json(_describe(item, status) | {"credential": item.copies[0].compact})
        else:
            _show(display.render_card(item, now=_now(), status=status))

    _run(home, use)


@app.command("present")
def present_command(
    request: Annotated[str, typer.Argument(help="Deep link or web link of a presentation request.")],
    yes: YesOption = False,
    refuse: Annotated[bool, typer.Option("--decline", help="Say no, and tell the verifier.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Show a verifier what it asks for, after saying what that is and to whom it goes."""

    async def use(wallet: Wallet, fetcher: Fetcher) -> None:
        if yes and refuse:
            raise UsageError("Give either --yes or --decline.")
        asked = await fetch_request(
            request, wallet_nonce=secrets.token_urlsafe(24), fetcher=fetcher, now=_now(), trust=wallet.read_trust()
        )
        held, history = wallet.list_credentials(), wallet.list_history()
        selection = select_credentials(asked.query, held, history, client_id=asked.client_id, now=_now())
        assign_transactions(asked.transactions, selection)  # so that nobody is asked about what can't be sent
        _show(display.render_request(asked, selection), error=as_json)
        if refuse or not _agrees("Send this?", yes=yes):
            await decline(wallet, asked, fetcher=fetcher, now=_now())
            raise DeclinedError("Nothing was shown; the verifier was told that you declined.")
        redirect_uri = await present(wallet, asked, selection, fetcher=fetcher, now=_now())
        _print(_describe_presentation(asked, selection, redirect_uri), _thank(redirect_uri), as_json)

    _run(home, use)


@app.command("trust")
def trust_command(
    anchors: Annotated[
        Path | None, typer.Option("--anchors", metavar="FILE", help="Trust certification authorities (PEM).")
    ] = None,
    attester: Annotated[
        str | None, typer.Option("--attester", metavar="ISSUER", help="Trust who attests verifiers; needs --keys.")
    ] = None,
    keys: Annotated[Path | None, typer.Option("--keys", metavar="FILE", help="The attester's key set (JSON).")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Say who may vouch for verifiers, or list them: verifiers that a DID names need nobody."""

    async def use(wallet: Wallet, _: Fetcher) -> None:
        if (attester is None) != (keys is None):
            raise UsageError("--attester and --keys belong together.")
        trust = wallet.read_trust()
        if anchors is not None:
            trust = trust.with_anchors(anchors.read_text())
        if attester is not None and keys is not None:
            trust = trust.with_attester(attester, read_object(keys.read_bytes(), "The key set"))
        wallet.write_trust(trust)
        names = [each.subject.rfc4514_string() for each in trust.anchors]
        listed = {"anchors": names, "attesters": sorted(trust.attesters)}
        lines = [clean_text(each) for each in (*names, *listed["attesters"])]
        _print(listed, "\n".join(lines) or "Nobody vouches for verifiers.", as_json)

    _run(home, use)


@app.command("delete")
def delete_command(
    credential_id: Annotated[str, typer.Argument(metavar="ID", help="From the list.")],
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Forget one credential, for good. On a terminal you are asked first."""

    async def use(wallet: Wallet, _: Fetcher) -> None:
        item = wallet.get_credential(credential_id)
        question = f"Delete {clean_text(item.name, limit=80)} [{item.id}]?"
        if is_terminal() and not _agrees(question, yes=yes):
            raise DeclinedError("Nothing was deleted.")
        wallet.delete_credential(credential_id)
        typer.echo(f"Deleted {item.id}.")

    _run(home, use)


@app.command("history")
def history_command(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """List who saw what, newest first."""

    async def use(wallet: Wallet, _: Fetcher) -> None:
        entries = wallet.list_history()
        if as_json:
            _print_json({"presentations": [entry.to_json() for entry in entries]})
        elif entries:
            _show(display.render_history(entries))
        else:
            typer.echo("Nobody has seen anything yet.")

    _run(home, use)


def _run(home: Path, use: Use[None], *, create: bool = False) -> None:
    """Open the wallet, use it, and turn what goes wrong into an exit code and a line of clean text."""
    try:
        asyncio.run(_with_wallet(home.expanduser(), use, create=create))
    except NegativeAnswerError as error:
        _fail(error, NEGATIVE_ANSWER)
    except ServiceError as error:
        _fail(error, CANNOT_RUN)
    except OSError as error:
        _fail(UsageError(f"The wallet's directory can't be used: {error.strerror}."), CANNOT_RUN)


async def _with_wallet(home: Path, use: Use[None], *, create: bool) -> None:
    settings = load_settings()
    passphrase = None if settings.wallet_passphrase is None else settings.wallet_passphrase.get_secret_value()
    wallet = (create_wallet if create else open_wallet)(home, passphrase)
    fetcher = Fetcher(settings.fetch_allow, allow_loopback=True)
    try:
        await use(wallet, fetcher)
    finally:
        await fetcher.close()


def _fail(error: ServiceError, code: int) -> NoReturn:
    typer.echo(clean_text(error.detail, limit=1000), err=True)
    for finding in error.errors:
        typer.echo(f"  {clean_text(finding.get('detail'))}", err=True)
    raise typer.Exit(code)


def _describe_pending(wallet: Wallet) -> list[dict[str, Any]]:
    return [
        {"id": item.id, "name": item.name, "issuer": item.issuer, "next_at": item.next_at.isoformat(timespec="seconds")}
        for item in wallet.list_pending()
    ]


def _tell_pending(wallet: Wallet, as_json: bool) -> None:
    for item in () if as_json else wallet.list_pending():
        name, issuer = clean_text(item.name, limit=80), clean_text(item.issuer)
        typer.echo(f"{issuer} decides later about: {name}. Ask again with wallet collect.")


def _now() -> datetime:
    return datetime.now(UTC)


def _agrees(question: str, *, yes: bool) -> bool:
    if yes:
        return True
    if not is_terminal():
        raise UsageError("Nobody can be asked here; agree with --yes.")
    return typer.confirm(question)


async def _agree(proposal: Proposal, client_id: str, wait_s: float | None, fetcher: Fetcher) -> Agreement | None:
    """Send the holder to the issuer's page, if the offer needs that; without ``wait_s`` they paste what it leads to."""
    if proposal.offer.code is not None:
        return None
    async with open_callback() as callback:
        go = _paste if wait_s is None else partial(_visit, callback, wait_s)
        visit = Visit(client_id, callback.redirect_uri, go)
        return await agree(proposal.issuer, proposal.offer, proposal.configurations, visit=visit, fetcher=fetcher)


async def _visit(callback: Callback, wait_s: float, address: str) -> str:
    typer.echo(
        f"Open this page in a browser on this device and agree there:\n{clean_text(address, limit=4096)}", err=True
    )
    return await callback.wait(wait_s)


async def _paste(address: str) -> str:
    typer.echo(f"Open this page in a browser and agree there:\n{clean_text(address, limit=4096)}", err=True)
    typer.echo("It leads to an address that can't be opened; copy that from the browser.", err=True)
    pasted: str = await asyncio.to_thread(typer.prompt, "Address", err=True)
    return pasted


def _ask_tx_code(prompt: TransactionCodePrompt | None, issuer: str) -> str | None:
    if prompt is None:
        return None
    if not is_terminal():
        raise UsageError("The offer needs the transaction code that the issuer sent you; give it with --tx-code.")
    if prompt.description:
        typer.echo(f"The issuer says: {clean_text(prompt.description)}")
    kind = "digits" if prompt.numeric else "characters"
    length = f" ({prompt.length} {kind})" if prompt.length else ""
    code: str = typer.prompt(f"Transaction code from {clean_text(issuer)}{length}")
    return code


def _show(what: RenderableType, *, error: bool = False) -> None:
    """Print for people; to standard error where standard output is for a program."""
    stream = sys.stderr if error else sys.stdout
    Console(file=stream, width=None if stream.isatty() else PIPE_COLUMNS, highlight=False).print(what)


def _print(value: Any, text: str, as_json: bool) -> None:
    if as_json:
        _print_json(value)
    else:
        typer.echo(text)


def _print_json(value: Any) -> None:
    # Escaping everything that isn't ASCII keeps the terminal safe from what others wrote.
    typer.echo(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))


def _describe(item: StoredCredential, status: str | None = None) -> dict[str, Any]:
    described = {
        "id": item.id,
        "name": item.name,
        "vct": item.vct,
        "format": item.format,
        "issuer": item.issuer,
        "issuer_name": item.issuer_name,
        "claims": dict(item.claims),
        "received_at": item.received_at.isoformat(),
        "expires_at": None if item.expires_at is None else item.expires_at.isoformat(),
        "copies": len(item.copies),
        "holder_keys": [copy.kid for copy in item.copies],
    }
    return described if status is None else described | {"status": status}


def _describe_presentation(
    request: PresentationRequest, selection: list[Selected], redirect_uri: str | None
) -> dict[str, Any]:
    shown = [
        {
            "query_id": item.query_id,
            "credential_id": item.credential.id,
            "vct": item.credential.vct,
            "claims": dict(item.disclosed),
            "hidden": list(item.hidden),
        }
        for item in selection
    ]
    verifier = {"client_id": request.client_id, "client_name": request.client_name, "host": request.reply.host}
    agreed = [{"type": entry.type, "fields": dict(entry.fields)} for entry in request.transactions]
    return {
        "outcome": "accepted",
        "verifier": verifier,
        "credentials": shown,
        "transaction_data": agreed,
        "redirect_uri": redirect_uri,
    }


def _thank(redirect_uri: str | None) -> str:
    follow = "" if redirect_uri is None else f" Go on at {clean_text(redirect_uri, limit=2048)}"
    return f"The verifier accepted the presentation.{follow}"
