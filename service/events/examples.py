"""An example of each type's data: what tests of endpoints send. The ids lead nowhere."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from service.storage.event_types import EVENT_SCOPES

_ID = "00000000000070008000000000000000"
_CREDENTIAL = {"credential_id": f"cred_{_ID}", "credential_configuration_id": "qualified-investor"}
_CASE = {"case_id": f"case_{_ID}", "credential_configuration_id": "qualified-investor"}
_REQUEST = {"presentation_request_id": f"preq_{_ID}", "purpose": "us.506c"}
_TRANSFER = {"transfer_id": f"trf_{_ID}", "security_id": "example"}
_CASE_STATES = {"opened": "open", "evidence_added": "open", "information_requested": "waiting"}
_EXPIRES = {"expires_at": "2027-01-31T00:00:00Z"}


def _show(kind: str) -> dict[str, Any]:
    family, _, what = kind.partition(".")
    return {
        "credential": _show_credential(what),
        "case": {**_CASE, "state": _CASE_STATES.get(what, what)},
        "presentation": {**_REQUEST, "state": what},
        "transfer": _show_transfer(what),
        "standing": {"investor_ref": "example", "cause": "status", "credential_type": "qualified-investor"},
        "key": {"purpose": "gate", "kid": "example-2", "replaced": ["example-1"]},
    }[family]


def _show_transfer(what: str) -> dict[str, Any]:
    if what == "decided":
        return {**_TRANSFER, "outcome": "permit"}
    return {**_TRANSFER, "state": {"voided": "void"}.get(what, what)}


def _show_credential(what: str) -> dict[str, Any]:
    if what == "issued":
        return {**_CREDENTIAL, "credential_offer_id": f"off_{_ID}", **_EXPIRES}
    if what in ("expiring", "expired"):
        return {**_CREDENTIAL, **_EXPIRES}
    return {**_CREDENTIAL, "status": {"reinstated": "valid"}.get(what, what)}


EXAMPLES: Mapping[str, Mapping[str, Any]] = MappingProxyType({kind: _show(kind) for kind in EVENT_SCOPES})
