"""The command line prints the issuer's page, and waits on loopback for the browser to come back."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2

from tests.flows.wallet.test_wallet_cli import KYC, Service, home, quiet, run_json, service

__all__ = ["home", "quiet", "service"]  # fixtures


def visit(address: str, decision: str) -> httpx2.Response:
    """Be the browser: open the page, answer, and follow it back to the wallet."""
    with httpx2.Client() as browser:
        shown = browser.get(address)
        assert shown.status_code == 200, shown.text
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown.text))
        answered = browser.post(address.partition("?")[0], data=form | {"decision": decision})
        assert answered.status_code == 303, answered.text
        return browser.get(answered.headers["location"])


def accept(home: Path, offer: str, decision: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "service", "wallet", "accept", offer, "--yes", "--home", str(home), "--wait", "60"]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        address = next(line for line in map(bytes.decode, process.stderr) if line.startswith("http")).strip()
        assert visit(address, decision).status_code == 200
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors.decode()


def test_an_offer_is_accepted_by_way_of_the_page(service: Service, home: Path) -> None:
    registration = {"name": "Command line", "redirect_uris": ["http://127.0.0.1/callback"]}
    registration |= {"token_endpoint_auth_method": "none"}
    put = service.clients["kyc"].put("/v1/wallet-clients/goodstanding-wallet", json=registration)
    assert put.status_code == 201, put.text
    body = {"credential_configuration_id": "kyc", "claims": KYC, "subject_ref": "ada", "tx_code": False}
    made = service.post("kyc", "/v1/credential-offers", body | {"grant": "authorization_code"})
    code, errors = accept(home, made["deep_link"], "deny")
    assert (code, "access_denied" in errors) == (1, True)
    code, errors = accept(home, made["deep_link"], "allow")
    assert code == 0, errors
    (kept,) = run_json(home, "list")["credentials"]
    assert kept["claims"].items() >= KYC.items()
