"""``did``: read the keys of an identifier."""

import asyncio
from typing import Annotated, Any

import typer

from service.cli.output import JsonOption, new_app, print_json, print_table
from service.credentials.did import MalformedDidError, did_web_url, resolve_did_jwk, resolve_did_key
from service.credentials.encoding import parse_json
from service.errors import NotFoundError
from service.fetch import Fetcher
from service.linked_data import LinkedDataWorker
from service.settings import load_settings

app = new_app("Decentralized identifiers.")
_PURE = {"key": resolve_did_key, "jwk": resolve_did_jwk}


async def _resolve_web(did: str) -> dict[str, Any]:
    url = did_web_url(did)
    # Whoever types the command owns the machine, so its own services may be asked.
    fetcher = Fetcher(load_settings().fetch_allow, allow_loopback=True)
    try:
        answer = await fetcher.get(url, accept="application/did+json, application/json")
    finally:
        await fetcher.close()
    if answer.status != 200:
        raise NotFoundError(f"{url} answers with status {answer.status}.")
    document = parse_json(answer.body)
    if not isinstance(document, dict) or document.get("id") != did:
        raise MalformedDidError(f"{url} holds the DID document of another identifier.")
    return document


async def _resolve_by_worker(did: str) -> dict[str, Any]:
    worker = LinkedDataWorker()
    try:
        return await worker.resolve_did(did)
    finally:
        await worker.close()


def _resolve(did: str) -> dict[str, Any]:
    method = did.removeprefix("did:").partition(":")[0]
    if method in _PURE:
        return _PURE[method](did)
    return asyncio.run(_resolve_web(did) if method == "web" else _resolve_by_worker(did))


def _list_methods(document: dict[str, Any]) -> list[list[object]]:
    methods = document.get("verificationMethod", [])
    if not isinstance(methods, list) or not all(isinstance(method, dict) for method in methods):
        raise MalformedDidError("The DID document's verificationMethod isn't a list of objects.")
    return [[method.get("id"), method.get("type")] for method in methods]


@app.command()
def resolve(
    did: Annotated[str, typer.Argument(help="A did:key, did:jwk, did:web, did:pkh or did:ethr.")],
    as_json: JsonOption = False,
) -> None:
    """Read the DID document of an identifier and print it, or its keys."""
    document = _resolve(did)
    if as_json:
        print_json(document)
    else:
        print_table(["verification method", "type"], _list_methods(document))
