"""A tampered and a borrowed credential, both refused."""

from typing import Any

from service.credentials.jose import b64url_decode, b64url_encode
from service.credentials.presentation import present_sd_jwt
from service.demo.stage import Stage
from service.demo.storyteller import Step, merge_checks
from service.keys import FileKeystore


def _alter(credential: str) -> str:
    """Change one byte of the signed payload."""
    issuer_jwt, separator, disclosures = credential.partition("~")
    header, payload, signature = issuer_jwt.split(".")
    changed = b64url_encode(b64url_decode(payload).replace(b'"exp":1', b'"exp":2', 1))
    return f"{header}.{changed}.{signature}{separator}{disclosures}"


def _borrow(stage: Stage, credential: str, audience: str, nonce: str) -> str:
    """Present somebody else's credential with a key of one's own."""
    thief = FileKeystore(stage.folder / "thief", "thief")
    key = thief.create_key("ES256")
    return present_sd_jwt(
        credential,
        names=["country", "us_person"],
        audience=audience,
        nonce=nonce,
        issued_at=stage.now,
        sign=thief.signing_function(key.kid),
    )


def _tell(step: Step, verdict: dict[str, Any], failed_check: str) -> None:
    failed = [check for check in verdict["checks"] if check["outcome"] == "fail"]
    step.details = [f"{check['check']}: {check['detail']} [{check['code']}]" for check in failed]
    step.picture("checks", checks=merge_checks(verdict["checks"]))
    names = [check["check"] for check in failed]
    step.expect(verdict["valid"] is False and failed_check in names, f"{verdict['outcome']} at {', '.join(names)}")


async def steal_credential(stage: Stage) -> None:
    """Copy ada's identity credential out of her wallet; her key stays where it is."""
    stage.kept["stolen"] = (await stage.kept["ada"].ask("show", stage.kept["identity"]))["credential"]


async def refuse_forgeries(stage: Stage) -> None:
    """Neither an altered credential nor a borrowed one verifies."""
    credential = stage.kept["stolen"]
    with stage.teller.step("platform", "Verify a credential whose expiry was altered") as step:
        verdict = await stage.platform.post("/v1/verify", {"credential": _alter(credential)})
        _tell(step, verdict, "signature")
    with stage.teller.step("platform", "Verify ada's credential presented with a thief's key") as step:
        audience, nonce = "https://platform.example", "n-0S6_WzA2Mj-demo"
        presentation = _borrow(stage, credential, audience, nonce)
        expected = {"audience": audience, "nonce": nonce}
        verdict = await stage.platform.post("/v1/verify", {"presentation": presentation, "expected": expected})
        _tell(step, verdict, "holder_binding")
